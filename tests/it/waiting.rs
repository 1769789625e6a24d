//! Requests that wait, and callers who do not.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::harness::process::timespec;
use crate::harness::{Client, Function, Gateway, PATIENCE, Record, Site};

/// A function with one slot, which is taken for as long as the client lives.
fn occupied(limits: &str, tables: &str, name: &str) -> (Gateway, Client, Record) {
    let record = Record::new(name);
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(1, 1, "")
        .with(tables);
    let gateway = Site::new(limits).function("f", &function).start();
    let mut occupant = gateway.connect();
    occupant
        .request("GET /function/f/stall", "", b"")
        .expect("can be sent");
    record.wait_for("GET /stall", 1);
    (gateway, occupant, record)
}

/// Tries until there is room in the queue, and returns who has it.
fn enqueue_eventually(gateway: &Gateway) -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut client = gateway.connect();
        match client.enqueue("/function/f/work", b"x") {
            Ok(()) => return client,
            Err(refusal) => refusal.problem(503, "queue-full"),
        };
        assert!(
            Instant::now() < deadline,
            "the place in the queue never became free"
        );
    }
}

/// Sends two requests where one has room, and returns the one that waits.
fn enqueue_bodiless(gateway: &Gateway) -> Client {
    let mut pair = [gateway.connect(), gateway.connect()];
    for client in &mut pair {
        client
            .request("GET /function/f/work", "", b"")
            .expect("can be sent");
    }
    let streams = [pair[0].stream(), pair[1].stream()];
    let mut fds = [0, 1].map(|index| PollFd::new(&streams[index], PollFlags::IN));
    let ready = poll(&mut fds, Some(&timespec(PATIENCE))).expect("can be waited for");
    assert_eq!(ready, 1, "one of two requests is refused");
    let refused = usize::from(fds[0].revents().is_empty());
    let [first, second] = pair;
    let (mut loser, waiting) = if refused == 0 {
        (first, second)
    } else {
        (second, first)
    };
    loser
        .receive()
        .expect("is answered")
        .problem(503, "queue-full");
    waiting
}

/// Takes the only place in the queue in some way, leaves it, and asserts that it is free again.
fn leave_the_queue(name: &str, enqueue: impl Fn(&Gateway) -> Client) {
    let (gateway, occupant, _record) = occupied("", "[queue]\nmax-waiters = 1", name);
    drop(enqueue(&gateway));
    let mut next = enqueue_eventually(&gateway);
    next.send("x").expect("can be sent");
    drop(occupant);
    next.receive().expect("there is an answer").good();
}

#[test]
fn a_caller_without_a_body_frees_its_place_when_it_leaves() {
    leave_the_queue("bodiless", enqueue_bodiless);
}

#[test]
fn a_caller_with_a_body_frees_its_place_when_it_leaves() {
    for (name, sent) in [("to-come", ""), ("in-part", "a b"), ("whole", "a body")] {
        leave_the_queue(name, |gateway| {
            let mut client = gateway.connect();
            client
                .enqueue("/function/f/work", b"a body")
                .expect("there is room in the queue");
            client.send(sent).expect("can be sent");
            client
        });
    }
}

#[test]
fn a_full_queue_is_a_503_with_advice() {
    let (gateway, occupant, _record) = occupied("", "[queue]\nmax-waiters = 2", "full");
    let mut waiting = [gateway.connect(), gateway.connect()];
    for client in &mut waiting {
        client
            .enqueue("/function/f/work", b"x")
            .expect("there is room in the queue");
    }
    let refused = gateway.get("/function/f/work");
    refused.problem(503, "queue-full");
    let advice = refused
        .header("retry-after")
        .and_then(|text| text.parse::<u64>().ok());
    assert!(advice.is_some_and(|seconds| seconds >= 1), "{refused}");
    drop(occupant);
    for client in &mut waiting {
        client.send("x").expect("can be sent");
        client.receive().expect("there is an answer").good();
    }
}

#[test]
fn the_queues_of_all_functions_are_bounded_together() {
    let (gateway, occupant, _record) = occupied("[limits]\nwaiters = 1", "", "together");
    let mut waiting = gateway.connect();
    waiting
        .enqueue("/function/f/work", b"x")
        .expect("there is room in the queue");
    let refused = gateway.get("/function/f/work");
    refused.problem(503, "queue-full");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    waiting.send("x").expect("can be sent");
    drop(occupant);
    waiting.receive().expect("there is an answer").good();
}

#[test]
fn waiting_too_long_is_a_504() {
    let (gateway, occupant, _record) = occupied("", "[timeouts]\nqueue = \"1s\"", "too-long");
    let begun = Instant::now();
    gateway
        .get("/function/f/work")
        .problem(504, "queue-timeout");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(1),
        "given up after {took:?} already"
    );
    drop(occupant);
    gateway.get("/function/f/work").good();
}
