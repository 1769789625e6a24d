//! Separate deadlines, each of which frees the slot.

use std::time::{Duration, Instant};

use crate::harness::client::read_once;
use crate::harness::{Client, Function, Gateway, PATIENCE, Site};

/// One slot for all, so that one that is not given back is missed at once.
fn single_slot(gateway: &str, timeouts: &str) -> Gateway {
    let function = Function::fixture("inherit")
        .scaling(1, 1, "")
        .with(&format!("[timeouts]\n{timeouts}"));
    Site::new(gateway).function("f", &function).start()
}

/// Sends a request and reads the head of its answer.
fn begin(gateway: &Gateway, path: &str) -> Client {
    let mut client = gateway.connect();
    client
        .request(&format!("GET {path}"), "", b"")
        .expect("can be sent");
    let head = client.receive_head().expect("the answer begins");
    assert_eq!(head.status, 200, "{head}");
    client
}

#[test]
fn no_first_byte_in_time_is_a_504() {
    let gateway = single_slot("", "first-byte = \"2s\"");
    let begun = Instant::now();
    let detail = gateway
        .get("/function/f/stall")
        .problem(504, "first-byte-timeout");
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert!(detail.contains("2s"), "{detail}");
    gateway.get("/function/f/work").good();
}

#[test]
fn a_body_that_stalls_is_cut_off() {
    let gateway = single_slot("", "idle = \"1s\"");
    let mut client = begin(&gateway, "/function/f/stall-body");
    assert_eq!(
        client.receive_rest().expect("the connection is closed"),
        b""
    );
    gateway.get("/function/f/work").good();
}

#[test]
fn bytes_that_move_keep_a_body_alive() {
    let gateway = single_slot("", "idle = \"3s\"");
    let answer = gateway.get("/function/f/chunked?n=30&ms=150").good();
    assert!(answer.text().ends_with("chunk 29\n"));
}

#[test]
fn the_total_time_is_limited() {
    let gateway = single_slot("", "total = \"3s\"");
    gateway
        .get("/function/f/stall")
        .problem(504, "total-timeout");
    // All of them would take longer than anything may.
    let mut client = begin(&gateway, "/function/f/chunked?n=100000&ms=50");
    let body = client.receive_rest().expect("the connection is closed");
    assert!(!body.ends_with(b"0\r\n\r\n"), "the end is not made up");
    gateway.get("/function/f/work").good();
}

#[test]
fn an_upload_that_stalls_is_a_408() {
    let gateway = single_slot("[timeouts]\nbody = \"200ms\"", "");
    for (headers, body) in [
        ("Content-Length: 10\r\n", &b"abc"[..]),
        ("Content-Length: 10\r\n", b""),
        ("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n"),
    ] {
        let mut client = gateway.connect();
        client
            .request("POST /function/f/stall", headers, body)
            .expect("can be sent");
        let answer = client.receive().expect("there is an answer");
        answer.problem(408, "request-timeout");
        gateway.get("/function/f/work").good();
    }
}

/// The answer is far larger than all buffers between the function and a caller who does not read.
#[test]
fn a_caller_who_does_not_read_is_cut_off() {
    const ALL: u64 = 100_000_000;
    let gateway = single_slot("[timeouts]\nwrite = \"300ms\"", "");
    gateway.get("/function/f/work").good();
    let before = gateway.memory().resident;
    let client = begin(&gateway, &format!("/function/f/bytes?n={ALL}"));
    // Gets the only slot as soon as it is free.
    gateway.get("/function/f/work").good();
    let grown = gateway.memory().peak.saturating_sub(before);
    assert!(
        grown < 32 << 20,
        "{grown} bytes were held for a caller who does not read"
    );
    let (mut stream, mut count) = (client.stream(), 0);
    stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = read_once(&mut stream, &mut buffer) {
        count += read as u64;
    }
    assert!(count < ALL, "all of it came");
}

#[test]
fn a_caller_who_leaves_in_mid_answer_frees_the_slot() {
    let gateway = single_slot("", "");
    for path in ["/function/f/stall-body", "/function/f/bytes?n=100000000"] {
        drop(begin(&gateway, path));
        gateway.get("/function/f/work").good();
    }
    let mut client = gateway.connect();
    client
        .request("GET /function/f/stall", "", b"")
        .expect("can be sent");
    drop(client);
    gateway.get("/function/f/work").good();
}
