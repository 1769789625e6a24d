//! Requests that would wait for too long are refused when they come.

use std::time::{Duration, Instant};

use crate::harness::{Client, Function, Gateway, Record, Response, Site, wait_until};

/// A function with one slot, whose requests have taken so many milliseconds each, and which is taken for as long
/// as the client lives.
fn busy(name: &str, millis: u64, tables: &str) -> (Gateway, Client, Record) {
    let record = Record::new(name);
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(1, 1, "")
        .with(tables);
    let gateway = Site::new("").function("f", &function).start();
    let mut client = gateway.connect();
    for _ in 0..8 {
        client
            .get(&format!("/function/f/work?ms={millis}"))
            .expect("there is an answer")
            .good();
    }
    client
        .request("GET /function/f/stall", "", b"")
        .expect("can be sent");
    record.wait_for("GET /stall", 1);
    (gateway, client, record)
}

fn ask(gateway: &Gateway, header: &str) -> Response {
    let mut client = gateway.connect();
    client
        .request("GET /function/f/work", &format!("{header}\r\n"), b"")
        .expect("can be sent");
    client.receive().expect("there is an answer")
}

#[test]
fn callers_who_say_how_long_they_wait_are_told_at_once_if_that_is_too_short() {
    let (gateway, occupant, _record) = busy("patience", 300, "");
    for header in ["Stoker-Wait: 120ms", "grpc-timeout: 120m"] {
        let refused = ask(&gateway, header);
        let detail = refused.problem(503, "too-late");
        // That of the requests before, which may have taken longer than they should.
        let expected = detail
            .split_whitespace()
            .find_map(|word| word.parse::<f64>().ok());
        assert!(expected.is_some_and(|seconds| seconds >= 0.3), "{detail}");
        let retry = refused.header("retry-after").map(str::parse::<u32>);
        assert!(matches!(retry, Some(Ok(1..))), "{refused}");
    }
    // Those who have time wait.
    let mut waiting = gateway.connect();
    let headers = "Prefer: wait=30\r\nContent-Length: 1\r\nExpect: 100-continue\r\n";
    waiting
        .request("POST /function/f/work", headers, b"")
        .expect("can be sent");
    assert_eq!(
        waiting.receive().expect("is asked for its body").status,
        100
    );
    drop(occupant);
    waiting.send("x").expect("can be sent");
    waiting.receive().expect("there is an answer").good();
}

#[test]
fn who_will_not_wait_at_all_is_served_by_an_idle_instance() {
    let (gateway, occupant, _record) = busy("no-wait", 1, "");
    drop(occupant);
    // It gives its slot back when the gateway notices.
    gateway.get("/function/f/work").good();
    wait_until("it is served", || ask(&gateway, "Prefer: wait=0").is_good());
}

#[test]
fn the_functions_own_deadline_counts_as_well() {
    let (gateway, _occupant, _record) = busy("deadline", 600, "[timeouts]\nqueue = \"300ms\"");
    ask(&gateway, "Accept: */*").problem(503, "too-late");
}

#[test]
fn with_admission_off_everybody_waits() {
    let (gateway, _occupant, _record) = busy("admission-off", 300, "[queue]\nadmission = \"off\"");
    let begun = Instant::now();
    ask(&gateway, "Stoker-Wait: 60ms").problem(504, "queue-timeout");
    assert!(begun.elapsed() >= Duration::from_millis(60));
}
