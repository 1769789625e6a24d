//! What happened is recorded, and can be had as a trace.

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};

const REQUESTS: usize = 20;

/// What `stoker record export` prints of a function as JSON.
fn lines(gateway: &Gateway, function: &str) -> Vec<Value> {
    let text = gateway
        .try_admin(&["record", "export", function, "--json"])
        .expect("the record can be had");
    let parse = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == kind).collect()
}

fn call(gateway: &Gateway, function: &str, times: usize) {
    for _ in 0..times {
        gateway.get(&format!("/function/{function}/pid")).good();
    }
}

#[test]
fn a_run_is_exported_as_a_trace_and_line_by_line() {
    let gateway = Site::new("")
        .function(
            "one",
            &Function::fixture("port").env("FIXTURE_START_MS", "50"),
        )
        .function("two", &Function::fixture("inherit"))
        .start();
    call(&gateway, "one", REQUESTS);
    call(&gateway, "two", 3);
    wait_until("all leases have ended", || {
        of_kind(&lines(&gateway, "one"), "request").len() == REQUESTS
            && of_kind(&lines(&gateway, "two"), "request").len() == 3
    });

    let all = lines(&gateway, "one");
    let requests = of_kind(&all, "request");
    // The first one waited for the start; the others found a slot.
    assert!(
        requests[0]["waited_ms"].as_f64() >= Some(50.0),
        "{}",
        requests[0]
    );
    assert_eq!(requests[0]["first"], true);
    assert!(requests[1..].iter().all(|it| it["waited_ms"] == 0.0));
    let started = of_kind(&all, "started");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["cause"], "request");
    assert!(started[0]["took_ms"].as_f64() >= Some(50.0));
    let decided = of_kind(&all, "decided");
    let first = decided.iter().find(|it| it["desired"] == 1);
    let why = first.expect("one was wanted")["why"]
        .as_str()
        .expect("a sentence");
    assert!(why.contains("0 in flight and 1 waiting"), "{why}");

    let trace = gateway.try_admin(&["record", "export"]).expect("a trace");
    let mut rows = trace.lines();
    assert_eq!(rows.next(), Some("function,arrival,duration,start,waited"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.len(), REQUESTS + 3);
    assert_eq!(rows[0][..2], ["one", "0.000000"]);
    let start: f64 = rows[0][3].parse().expect("the start of the first row");
    assert!(start >= 0.05);
    let arrivals: Vec<f64> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
    assert!(arrivals.is_sorted());
    let nothing = gateway
        .try_admin(&["record", "export", "--since", "0s"])
        .expect("a trace");
    assert_eq!(nothing.lines().count(), 1);
    let unknown = gateway
        .try_admin(&["record", "export", "tow"])
        .expect_err("no such function");
    assert!(unknown.contains("did you mean \"two\"?"), "{unknown}");
}

#[test]
fn the_record_goes_on_in_the_gateway_that_takes_over() {
    let mut gateway = Site::new("")
        .function("f", &Function::fixture("inherit"))
        .start();
    call(&gateway, "f", REQUESTS);
    gateway.upgrade();
    call(&gateway, "f", REQUESTS);
    wait_until("both halves are there", || {
        of_kind(&lines(&gateway, "f"), "request").len() == 2 * REQUESTS
    });
    let all = lines(&gateway, "f");
    assert_eq!(of_kind(&all, "started").len(), 1);
    let times: Vec<_> = all.iter().map(|line| line["at_us"].as_u64()).collect();
    assert!(times.is_sorted());
    let left = gateway.site().directory().join("state/record/handover.bin");
    wait_until("the file is gone", || !left.exists());
}

#[test]
fn with_files_the_record_outlives_the_gateway() {
    let mut gateway = Site::new("[record]\nfile = true")
        .function("f", &Function::fixture("inherit"))
        .start();
    call(&gateway, "f", REQUESTS);
    gateway.signal(Signal::TERM);
    gateway.is_killed();
    gateway.restart();
    call(&gateway, "f", 1);
    wait_until("both halves are there", || {
        of_kind(&lines(&gateway, "f"), "request").len() == REQUESTS + 1
    });
}

#[test]
fn nothing_is_recorded_if_that_is_not_wished() {
    let gateway = Site::new("[record]\nenabled = false")
        .function("f", &Function::fixture("inherit"))
        .start();
    call(&gateway, "f", 3);
    assert!(lines(&gateway, "f").is_empty());
}
