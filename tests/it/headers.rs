//! What the function sees of a request, and the caller of an answer.

use serde_json::Value;

use crate::harness::{Client, Function, Gateway, Response, Site};

/// A request as the function saw it.
struct Seen(Value);

impl Seen {
    fn of(answer: Response) -> Seen {
        Seen(answer.good().json())
    }

    /// All values of a header.
    fn values(&self, name: &str) -> Vec<&str> {
        let pairs = self.0["headers"].as_array().expect("a list of headers");
        let named = pairs.iter().filter(|pair| {
            pair[0]
                .as_str()
                .is_some_and(|other| other.eq_ignore_ascii_case(name))
        });
        named.filter_map(|pair| pair[1].as_str()).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().expect("a text")
    }
}

fn gateway(lines: &str) -> Gateway {
    Site::new(lines)
        .function("f", &Function::fixture("inherit"))
        .start()
}

/// Sends header lines and returns what the function saw of them.
fn seen(client: &mut Client, headers: &str) -> Seen {
    client
        .request("GET /function/f/headers?a=b", headers, b"")
        .expect("can be sent");
    Seen::of(client.receive().expect("there is an answer"))
}

const CLAIMS: &str = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
     X-Forwarded-Host: example.org\r\nForwarded: for=192.0.2.1;proto=https\r\n";

#[test]
fn the_function_is_told_who_calls() {
    let gateway = gateway("");
    let mut client = gateway.connect();
    let seen = seen(&mut client, CLAIMS);
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.values("x-forwarded-host"), ["stoker.test"]);
    assert_eq!(seen.values("x-forwarded-proto"), ["http"]);
    assert_eq!(
        seen.values("forwarded"),
        ["for=127.0.0.1;host=\"stoker.test\";proto=http"]
    );
    assert_eq!(seen.values("host"), ["stoker.test"]);
}

#[test]
fn a_trusted_proxy_is_believed() {
    let gateway = gateway("trusted-proxies = [\"127.0.0.0/8\"]");
    let mut client = gateway.connect();
    let seen = seen(&mut client, CLAIMS);
    assert_eq!(seen.values("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
    assert_eq!(seen.values("x-forwarded-host"), ["example.org"]);
    assert_eq!(seen.values("x-forwarded-proto"), ["https"]);
    assert_eq!(
        seen.values("forwarded"),
        ["for=192.0.2.1;proto=https, for=127.0.0.1;host=\"stoker.test\";proto=http"]
    );
}

#[test]
fn every_request_has_an_id_and_a_trace() {
    let gateway = gateway("");
    let mut client = gateway.connect();
    client
        .request("GET /function/f/headers", "", b"")
        .expect("can be sent");
    let answer = client.receive().expect("there is an answer");
    let id = answer
        .header("x-request-id")
        .expect("the caller is told the id")
        .to_owned();
    let made = Seen::of(answer);
    assert_eq!(made.values("x-request-id"), [&id]);
    let trace = made.values("traceparent")[0].to_owned();
    assert!(trace.starts_with("00-") && trace.len() == 55, "{trace}");
    let other = gateway.get("/function/f/headers");
    assert_ne!(
        other.header("x-request-id"),
        Some(id.as_str()),
        "ids differ"
    );

    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!("X-Request-Id: my-id-1\r\ntraceparent: {trace}\r\n");
    client
        .request("GET /function/f/headers", &headers, b"")
        .expect("can be sent");
    let answer = client.receive().expect("there is an answer");
    assert_eq!(answer.header("x-request-id"), Some("my-id-1"));
    let kept = Seen::of(answer);
    assert_eq!(kept.values("x-request-id"), ["my-id-1"]);
    assert_eq!(kept.values("traceparent"), [trace]);

    // A problem has it too.
    client
        .request("GET /nowhere", "X-Request-Id: my-id-2\r\n", b"")
        .expect("can be sent");
    let answer = client.receive().expect("there is an answer");
    answer.problem(404, "not-found");
    assert_eq!(answer.header("x-request-id"), Some("my-id-2"));
}

#[test]
fn headers_of_the_connection_end_at_the_gateway() {
    let gateway = gateway("");
    let mut client = gateway.connect();
    let seen = seen(
        &mut client,
        "Connection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
         TE: trailers\r\nProxy-Authorization: secret\r\nProxy-Connection: keep-alive\r\n\
         Upgrade: h2c\r\nStoker-Origin: function\r\nStoker-Parameter-Id: 1\r\n\
         X-Kept: one\r\nX-Kept: two\r\nX-kept: three\r\nCookie: a=b\r\n",
    );
    for gone in [
        "x-private",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
        "stoker-origin",
        "stoker-parameter-id",
        "transfer-encoding",
    ] {
        assert!(
            seen.values(gone).is_empty(),
            "{gone} was passed on: {:?}",
            seen.values(gone)
        );
    }
    assert_eq!(seen.values("x-kept"), ["one", "two", "three"]);
    assert_eq!(seen.values("cookie"), ["a=b"]);
    // The gateway's own: it takes trailers on the function's connection for a caller who does.
    assert_eq!(seen.values("te"), ["trailers"]);
    assert_eq!(seen.values("connection"), ["te"]);
    assert_eq!(seen.text("method"), "GET");
    assert_eq!(
        seen.text("target"),
        "/headers?a=b",
        "the prefix is gone, the query is not"
    );
    assert_eq!(seen.text("version"), "HTTP/1.1");
}

#[test]
fn the_caller_is_told_where_the_time_went() {
    let gateway = gateway("");
    let cold = gateway.get("/function/f/work?ms=20").good();
    assert_eq!(cold.header("stoker-start"), Some("cold"));
    let warm = gateway.get("/function/f/work?ms=20").good();
    assert_eq!(warm.header("stoker-start"), Some("warm"));
    for answer in [&cold, &warm] {
        let timing = |name| {
            answer
                .timing(name)
                .unwrap_or_else(|| panic!("no {name} in {answer}"))
        };
        let parts = timing("queue") + timing("connect") + timing("first-byte");
        assert!(timing("first-byte") >= 20.0, "{answer}");
        assert!(
            (timing("total") - parts).abs() < 0.01,
            "the parts are the whole: {answer}"
        );
    }
    assert!(cold.timing("start").expect("a cold answer has it") > 0.0);
    assert_eq!(warm.timing("start"), None, "a warm answer has no start");
    // Neither is said of what is not the function's.
    assert_eq!(gateway.get("/nowhere").header("stoker-start"), None);
}
