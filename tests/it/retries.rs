//! Requests that are sent again, and those that are not.

use crate::harness::{Client, Function, Gateway, Record, Site};

fn start(name: &str, retry: &str) -> (Gateway, Record) {
    let record = Record::new(name);
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(1, 1, "")
        .with(&format!("[retry]\n{retry}"));
    (Site::new("").function("f", &function).start(), record)
}

fn ask(gateway: &Gateway, line: &str, body: &[u8]) -> crate::harness::Response {
    let mut client: Client = gateway.connect();
    let headers = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    client.request(line, &headers, body).expect("can be sent");
    client.receive().expect("there is an answer")
}

/// How often the function got `text`. The function tells in order, so what it tells of one more
/// request says that it has told all.
fn sent(gateway: &Gateway, record: &Record, text: &str) -> usize {
    let before = record.count("GET /pid");
    gateway.get("/function/f/pid").good();
    record.wait_for("GET /pid", before + 1);
    record.count(text)
}

#[test]
fn without_the_setting_nothing_that_was_sent_is_sent_again() {
    let (gateway, record) = start("retry-off", "");
    ask(&gateway, "GET /function/f/close-first?n=1", b"").problem(502, "instance-lost");
    assert_eq!(sent(&gateway, &record, "GET /close-first"), 1);
}

#[test]
fn idempotent_requests_are_sent_again_with_their_bodies() {
    let (gateway, record) = start("retry-on", "idempotent = true");
    ask(&gateway, "GET /function/f/close-first?n=1", b"").good();
    assert_eq!(sent(&gateway, &record, "GET /close-first"), 2);
    let body = vec![b'b'; 30_000];
    let answer = ask(&gateway, "PUT /function/f/close-first?n=4", &body).good();
    assert_eq!(answer.body, body);
    assert_eq!(sent(&gateway, &record, "PUT /close-first"), 3);
    // What is not idempotent is not repeated.
    ask(&gateway, "POST /function/f/close-first?n=9", b"x").problem(502, "instance-lost");
    assert_eq!(sent(&gateway, &record, "POST /close-first"), 1);
    // An answer of which a part was passed on is not repeated either.
    let mut client = gateway.connect();
    client
        .request("GET /function/f/half", "", b"")
        .expect("can be sent");
    assert!(client.receive().is_err());
    assert_eq!(sent(&gateway, &record, "GET /half"), 1);
}

#[test]
fn attempts_are_counted() {
    let (gateway, record) = start("retry-attempts", "idempotent = true\nattempts = 3");
    ask(&gateway, "GET /function/f/close", b"").problem(502, "instance-lost");
    assert_eq!(sent(&gateway, &record, "GET /close"), 3);
}

#[test]
fn the_budget_bounds_them() {
    let settings = "idempotent = true\nbudget-percentage = 50\nbudget-minimum = 0";
    let (gateway, record) = start("retry-budget", settings);
    for _ in 0..10 {
        ask(&gateway, "GET /function/f/close", b"").problem(502, "instance-lost");
    }
    assert_eq!(sent(&gateway, &record, "GET /close"), 15);
}
