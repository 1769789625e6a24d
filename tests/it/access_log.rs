//! The access log of the real binary.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Authority, Client, Function, Gateway, Site, wait_until};
use crate::keys::{ask, stoker};
use crate::tls::curl;

fn gateway(lines: &str) -> Gateway {
    let lines = format!("[access-log]\npath = \"access.log\"\n{lines}");
    Site::new(&lines)
        .function("f", &Function::fixture("inherit").scaling(1, 2, ""))
        .start()
}

fn text(gateway: &Gateway) -> String {
    let path = gateway.site().directory().join("access.log");
    fs::read_to_string(path).unwrap_or_default()
}

/// The lines, once there are `count`.
fn lines(gateway: &Gateway, count: usize) -> Vec<Value> {
    wait_until("the lines are there", || {
        text(gateway).lines().count() >= count
    });
    let text = text(gateway);
    assert_eq!(text.lines().count(), count, "{text}");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

fn send(client: &mut Client, line: &str, headers: &str) {
    client.request(line, headers, b"").expect("can be sent");
}

#[test]
fn every_request_has_its_line() {
    let gateway = gateway("redact = [\"token\"]");
    let mut client = gateway.connect();
    send(
        &mut client,
        "GET /function/f/pid?code=secret&Token=secret&x=1",
        "X-Request-Id: id-1\r\nUser-Agent: test\r\nReferer: http://a/?code=secret\r\n",
    );
    client.receive().expect("an answer").good();
    client
        .post("/function/f/echo", b"12345")
        .expect("an answer")
        .good();
    send(&mut client, "GET /nowhere", "X-Request-Id: id-3\r\n");
    client
        .receive()
        .expect("an answer")
        .problem(404, "not-found");

    let lines = lines(&gateway, 3);
    assert!(!text(&gateway).contains("secret"));
    let [cold, echo, nowhere] = &lines[..] else {
        panic!("three lines")
    };
    for (key, value) in [
        ("id", "id-1"),
        ("client", "127.0.0.1"),
        ("method", "GET"),
        ("scheme", "http"),
        ("host", "stoker.test"),
        ("path", "/function/f/pid?code=***&Token=***&x=1"),
        ("protocol", "HTTP/1.1"),
        ("origin", "function"),
        ("function", "f"),
        ("user_agent", "test"),
        ("referer", "http://a/?code=***"),
        ("outcome", "complete"),
    ] {
        assert_eq!(cold[key], value, "{key}: {cold}");
    }
    assert_eq!(
        (&cold["status"], &cold["cold"]),
        (&200.into(), &true.into())
    );
    let millis = |line: &Value, key: &str| {
        line[key]
            .as_f64()
            .unwrap_or_else(|| panic!("no {key}: {line}"))
    };
    assert!(millis(cold, "start_ms") > 0.0);
    let parts = ["queue_ms", "connect_ms", "first_byte_ms"].map(|key| millis(cold, key));
    assert!(
        parts.iter().sum::<f64>() <= millis(cold, "total_ms") + 0.01,
        "{cold}"
    );
    assert_eq!(echo["cold"], false);
    assert_eq!(
        (&echo["request_bytes"], &echo["response_bytes"]),
        (&5.into(), &5.into())
    );
    assert_eq!(echo["start_ms"], Value::Null);
    assert_eq!(echo["revision"], cold["revision"]);
    assert_eq!(nowhere["status"], 404);
    assert_eq!(nowhere["problem"], "not-found");
    assert_eq!(
        (&nowhere["origin"], &nowhere["function"]),
        (&"gateway".into(), &Value::Null)
    );
}

#[test]
fn tls_and_the_version_are_told() {
    let site = Site::new(
        "[access-log]\npath = \"access.log\"\n\
         [[listeners]]\naddress = \"127.0.0.1:0\"\ntls = true\n\
         [[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n",
    );
    let site = site.function("f", &Function::fixture("inherit"));
    let authority = Authority::new(site.directory(), "ca");
    authority.issue(site.directory(), "a", ("a.test", &["a.test"]));
    let gateway = site.start();
    for version in ["--http1.1", "--http2"] {
        let (fine, said) = curl(&gateway, ("a.test", "/function/f/pid"), &[version]);
        assert!(fine && said.contains(" 200"), "{said}");
    }
    let (fine, said) = curl(&gateway, ("a.test", "/nowhere"), &["--http2"]);
    assert!(fine && said.starts_with("HTTP/2 404"), "{said}");
    let lines = lines(&gateway, 3);
    let host = format!("a.test:{}", gateway.listener(1).port());
    for (line, protocol) in lines.iter().zip(["HTTP/1.1", "HTTP/2.0", "HTTP/2.0"]) {
        assert_eq!(line["protocol"], protocol, "{line}");
        assert_eq!(line["scheme"], "https", "{line}");
        assert_eq!(line["host"], *host, "{line}");
    }
}

#[test]
fn the_key_that_was_presented_is_told() {
    let limited = "[access]\nlevel = \"function\"\n\
                   [limits]\nbody-bytes = 4\n\
                   [[access.rate-limits]]\nrequests = 3\nper = \"1h\"\nby = \"key\"";
    let level = |tables| Function::fixture("inherit").with(tables);
    let gateway = Site::new("[access-log]\npath = \"access.log\"\n")
        .function("f", &level(limited))
        .function("admin", &level("[access]\nlevel = \"master\""))
        .start();
    let key = stoker(&gateway, "keys create --function f");
    let id = key.split('_').nth(1).expect("an id");
    let header = format!("X-Functions-Key: {key}\r\n");
    let long = format!("{header}Content-Length: 5\r\n");
    let bearer = format!("Authorization: Bearer {key}\r\n");
    let query = format!("GET /function/f/pid?code={key}");
    let unknown = "X-Functions-Key: stk_0\r\n";
    let wrong = format!("X-Functions-Key: {}0\r\n", &key[..key.len() - 1]);
    let wrong = if key.ends_with('0') { unknown } else { &*wrong };
    let cases = [
        ("GET /function/f/pid", &*header, 200, true),
        (&query, "", 200, true),
        ("POST /function/f/echo", &long, 413, true),
        ("GET /function/f/pid", &bearer, 429, true),
        ("GET /function/admin/pid", &header, 403, true),
        ("GET /function/f/pid", wrong, 401, false),
        ("GET /function/f/pid", unknown, 401, false),
        ("GET /function/f/pid", "", 401, false),
    ];
    for (line, headers, status, _) in cases {
        assert_eq!(ask(&gateway, line, headers).status, status, "{line}");
    }
    let lines = lines(&gateway, cases.len());
    for (line, (request, _, status, known)) in lines.iter().zip(cases) {
        let expected = if known { Value::from(id) } else { Value::Null };
        assert_eq!(line["key_id"], expected, "{request}: {line}");
        assert_eq!(line["status"], status, "{line}");
    }
    assert!(!text(&gateway).contains(&key[20..]), "no line has a secret");
}

#[test]
fn what_did_not_end_well_is_told() {
    let gateway = gateway("sample = 0.0");
    gateway.get("/function/f/pid").good();

    // Cut short by the function.
    let mut client = gateway.connect();
    send(&mut client, "GET /function/f/half", "");
    client.receive().expect_err("half of a body");
    let first = lines(&gateway, 1);
    assert_eq!(
        (&first[0]["outcome"], &first[0]["status"]),
        (&"cut-short".into(), &200.into())
    );

    // Left by the caller before there was an answer, and while it waited in the queue.
    let mut holder = gateway.connect();
    send(&mut holder, "GET /function/f/stall", "");
    wait_until("it is in flight", || in_flight(&gateway) == 1);
    drop(holder);
    let second = lines(&gateway, 2);
    assert_eq!(
        (&second[1]["outcome"], &second[1]["status"]),
        (&"client-left".into(), &499.into())
    );
    assert_eq!(second[1]["function"], "f");
    wait_until("it is counted", || {
        metrics(&gateway).contains("origin=\"incomplete\"") && {
            let line = "stoker_requests_total{code=\"none\",function=\"f\",origin=\"incomplete\"";
            let text = metrics(&gateway);
            text.lines()
                .any(|one| one.starts_with(line) && one.ends_with(" 2"))
        }
    });
}

fn metrics(gateway: &Gateway) -> String {
    let socket = gateway.site().directory().join("state/admin.sock");
    let stream = std::os::unix::net::UnixStream::connect(socket).expect("the admin API accepts");
    let mut client = Client::over(stream);
    client.get("/metrics").expect("an answer").text()
}

fn in_flight(gateway: &Gateway) -> u64 {
    let text = metrics(gateway);
    let line = text
        .lines()
        .find(|line| line.starts_with("stoker_in_flight_requests{function=\"f\""));
    line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
        .unwrap_or(0)
}

#[test]
fn a_reload_opens_the_file_anew() {
    let gateway = gateway("format = \"combined\"");
    gateway.get("/function/f/pid").good();
    wait_until("a line", || text(&gateway).lines().count() == 1);
    let line = text(&gateway);
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(
        line.contains("] \"GET /function/f/pid HTTP/1.1\" 200 "),
        "{line}"
    );

    let directory = gateway.site().directory();
    fs::rename(directory.join("access.log"), directory.join("moved.log")).expect("can be moved");
    let status = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("reload")
        .arg("--admin")
        .arg(directory.join("state/admin.sock"))
        .status();
    assert!(status.expect("can be run").success());
    gateway.get("/function/f/pid").good();
    wait_until("a line in the new file", || {
        text(&gateway).lines().count() == 1
    });
    let moved = fs::read_to_string(directory.join("moved.log")).expect("is there");
    assert_eq!(moved.lines().count(), 1);
}

#[test]
fn the_last_lines_are_written_at_the_end() {
    let mut gateway = gateway("");
    for _ in 0..20 {
        gateway.get("/function/f/pid").good();
    }
    gateway.signal(rustix::process::Signal::TERM);
    assert!(gateway.wait().success());
    assert_eq!(text(&gateway).lines().count(), 20);
}
