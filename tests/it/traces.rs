//! Traces, as a collector sees them.

use crate::harness::otlp::{Collector, Span};
use crate::harness::{Authority, Function, Gateway, Site, wait_until};

fn gateway(collector: &Collector, lines: &str) -> Gateway {
    let lines = format!(
        "[traces]\nendpoint = \"{}\"\ninterval = \"10ms\"\n{lines}",
        collector.endpoint()
    );
    Site::new(&lines)
        .function("f", &Function::fixture("inherit"))
        .start()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
    assert!(found.next().is_none(), "{name} is there twice");
    span
}

fn nanos(span: &Span) -> u64 {
    span.end_nanos - span.start_nanos
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Sends a request with these headers and returns the `traceparent` that the function saw.
fn seen(gateway: &Gateway, headers: &str) -> String {
    let mut client = gateway.connect();
    client
        .request("GET /function/f/headers?code=secret", headers, b"")
        .expect("can be sent");
    let seen = client.receive().expect("an answer").good().json();
    let headers = seen["headers"].as_array().expect("a list");
    let parent = headers.iter().find(|pair| pair[0] == "traceparent");
    parent.expect("it is passed on")[1]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// Of a start, in order.
const PARTS: [&str; 7] = [
    "decide", "gate", "prepare", "spawn", "clone", "exec", "listen",
];

#[test]
fn a_cold_request_is_told_in_parts_that_sum_up() {
    let collector = Collector::start(200);
    let gateway = gateway(
        &collector,
        "sample = 0.0\nservice-name = \"shop\"\nheaders = [\"X-Scope-OrgID: a\"]",
    );
    let headers = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: a=b\r\n");
    let told = seen(&gateway, &headers);
    let spans = collector.wait_for(1);
    let server = named(&spans, "GET f");
    let function = named(&spans, "function");
    assert_eq!(
        told,
        format!("00-{TRACE}-{}-01", function.id),
        "the function is in our span"
    );
    assert_eq!((&*server.parent, &*server.state), (PARENT, "a=b"));
    let steps = ["queue", "start", "connect", "function"].map(|name| (name, "GET f"));
    let parts = PARTS.map(|name| (name, "start"));
    for (name, parent) in steps.into_iter().chain(parts) {
        let (span, parent) = (named(&spans, name), named(&spans, parent));
        assert_eq!((&span.parent, &*span.trace), (&parent.id, TRACE), "{name}");
        let within = span.start_nanos >= parent.start_nanos && span.end_nanos <= parent.end_nanos;
        assert!(within, "{name}: {spans:#?}");
    }
    assert_eq!(spans.len(), 12);
    let sum = |names: &[&str]| {
        names
            .iter()
            .map(|name| nanos(named(&spans, name)))
            .sum::<u64>()
    };
    assert_eq!(sum(&["queue", "connect", "function"]), nanos(server));
    let start = sum(&PARTS);
    assert_eq!(start, nanos(named(&spans, "start")));
    assert!(nanos(named(&spans, "start")) > 0);
    assert_eq!((server.kind, function.kind, function.events), (2, 3, 1));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("url.path", "/function/f/headers"),
        ("url.query", "code=***"),
        ("faas.name", "f"),
        ("faas.coldstart", "true"),
        ("client.address", "127.0.0.1"),
    ] {
        assert_eq!(
            server.attributes.get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    let head = collector.first_head().to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf\r\n"),
        "{head}"
    );
    assert!(head.contains("x-scope-orgid: a\r\n"), "{head}");
}

#[test]
fn callers_decide_and_chance_decides_for_the_rest() {
    let collector = Collector::start(200);
    let gateway = gateway(&collector, "sample = 1.0");
    // Not sampled by its caller: told on as it came.
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    assert_eq!(
        seen(&gateway, &format!("traceparent: {unsampled}\r\n")),
        unsampled
    );
    // Without a parent it is sampled here, and begins a trace.
    let told = seen(&gateway, "");
    let spans = collector.wait_for(1);
    let server = named(&spans, "GET f");
    assert_eq!(server.parent, "");
    assert_eq!(
        told,
        format!("00-{}-{}-01", server.trace, named(&spans, "function").id)
    );
    assert_eq!(server.attributes["faas.coldstart"], "false");

    // What no function answers is told too.
    gateway.get("/nowhere").problem(404, "not-found");
    let spans = collector.wait_for(2);
    let lost = named(&spans, "GET");
    assert_eq!(
        (&*lost.attributes["error.type"], lost.status),
        ("not-found", 0)
    );
}

#[test]
fn tls_and_the_version_are_told() {
    let collector = Collector::start(200);
    let site = Site::new(&format!(
        "[traces]\nendpoint = \"{}\"\ninterval = \"10ms\"\nsample = 1.0\n\
         [[listeners]]\naddress = \"127.0.0.1:0\"\ntls = true\n\
         [[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n",
        collector.endpoint()
    ));
    let site = site.function("f", &Function::fixture("inherit"));
    let authority = Authority::new(site.directory(), "ca");
    authority.issue(site.directory(), "a", ("a.test", &["a.test"]));
    let gateway = site.start();
    let options = ["--http2"];
    let (fine, said) = crate::tls::curl(&gateway, ("a.test", "/function/f/pid"), &options);
    assert!(fine && said.starts_with("HTTP/2 200"), "{said}");
    let spans = collector.wait_for(1);
    let server = named(&spans, "GET f");
    let host = format!("a.test:{}", gateway.listener(1).port());
    for (key, value) in [
        ("url.scheme", "https"),
        ("network.protocol.version", "2"),
        ("server.address", &*host),
    ] {
        let told = server.attributes.get(key).map(String::as_str);
        assert_eq!(told, Some(value), "{key}");
    }
}

#[test]
fn a_collector_that_refuses_delays_nobody_and_is_told_of() {
    let collector = Collector::start(503);
    let gateway = gateway(&collector, "sample = 1.0");
    for _ in 0..20 {
        gateway.get("/function/f/pid").good();
    }
    gateway.wait_for_error(0, &["spans could not be exported to", "503"]);
    let failed = || {
        let socket = gateway.site().directory().join("state/admin.sock");
        let stream = std::os::unix::net::UnixStream::connect(socket).expect("it accepts");
        let mut client = crate::harness::Client::over(stream);
        let text = client.get("/metrics").expect("an answer").text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("stoker_spans_failed_total "));
        line.and_then(|count| count.parse::<u64>().ok())
            .unwrap_or_default()
    };
    // Eleven spans of the cold one, four of each of the others.
    wait_until("all spans failed", || failed() == 12 + 19 * 4);
    assert_eq!(gateway.error_count(), 1, "at most one line a minute");
}

#[test]
fn the_last_spans_are_exported_at_the_end() {
    let collector = Collector::start(200);
    let mut gateway = gateway(&collector, "sample = 1.0\nbatch = 1000");
    for _ in 0..5 {
        gateway.get("/function/f/pid").good();
    }
    gateway.signal(rustix::process::Signal::TERM);
    assert!(gateway.wait().success());
    collector.wait_for(5);
}
