//! A gateway that has too much to do itself.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::harness::{Client, Function, Gateway, PATIENCE, Record, Response, Site, wait_until};

/// Nobody is closed for being idle while a test runs.
const PATIENT: &str = "[timeouts]\nheader = \"1h\"\nkeep-alive = \"1h\"";

/// What the administrators' listener answers.
pub(crate) fn admin(gateway: &Gateway, path: &str) -> Response {
    let socket = gateway.site().directory().join("state/admin.sock");
    let stream = UnixStream::connect(socket).expect("the admin socket accepts");
    Client::over(stream).get(path).expect("there is an answer")
}

/// What Prometheus gets.
pub(crate) fn metrics(gateway: &Gateway) -> String {
    admin(gateway, "/metrics").text()
}

/// So many connections, each of which was answered once.
fn connected(gateway: &Gateway, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| gateway.connect()).collect();
    serve(&mut clients);
    clients
}

/// Each of them is answered.
fn serve(clients: &mut [Client]) {
    for client in clients {
        client
            .get("/function/f/")
            .expect("there is an answer")
            .good();
    }
}

fn assert_refused(response: &Response) {
    assert_eq!(response.status, 503, "{response}");
    assert_eq!(response.header("connection"), Some("close"), "{response}");
    assert_eq!(response.header("retry-after"), Some("1"), "{response}");
    assert_eq!(
        response.json()["type"],
        "urn:stoker:problem:overloaded",
        "{response}"
    );
}

#[test]
fn one_connection_too_many_is_told_so_and_the_others_go_on() {
    let record = Record::new("too-many");
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(4, 1, "");
    let gateway = Site::new(&format!("[limits]\nconnections = 2\n{PATIENT}"))
        .function("f", &function)
        .start();
    let mut busy = [gateway.connect(), gateway.connect()];
    for client in &mut busy {
        client
            .request("GET /function/f/work?ms=1500", "", b"")
            .expect("can be sent");
    }
    record.wait_for("GET /work", 2);
    for body in [&b""[..], &[b'x'; 20_000]] {
        let mut refused = gateway.connect();
        let headers = format!("Content-Length: {}\r\n", body.len());
        refused
            .request("POST /function/f/work", &headers, body)
            .expect("can be sent");
        assert_refused(&refused.receive().expect("it is answered"));
        assert!(refused.is_closed_within(PATIENCE));
    }
    // It need not even ask.
    assert_refused(&gateway.connect().receive().expect("it is answered"));
    for client in &mut busy {
        client.receive().expect("there is an answer").good();
    }
    assert!(metrics(&gateway).contains("stoker_shed_total{reason=\"connections\"} 3"));
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let gateway = Site::new("[limits]\nconnections = 4\n[timeouts]\nheader = \"1h\"")
        .function("f", &function)
        .start();
    let idle = connected(&gateway, 4);
    // An hour shrinks to three minutes at most: nobody is closed for being idle for a moment.
    assert_refused(&gateway.connect().receive().expect("it is answered"));
    drop((gateway, idle));

    let gateway = Site::new("[limits]\nconnections = 4\n[timeouts]\nheader = \"20s\"")
        .function("f", &function)
        .start();
    let mut idle = connected(&gateway, 4);
    wait_until("there is room", || {
        let answer = gateway.connect().get("/function/f/");
        answer.is_ok_and(|answer| answer.status == 200)
    });
    let mut closed = idle.iter_mut();
    assert!(closed.any(|client| client.is_closed_within(Duration::from_secs(1))));
}

#[test]
fn short_of_memory_it_takes_few_new_connections_and_keeps_those_it_has() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let gateway = Site::new(&format!("[limits]\nmemory-bytes = \"16MiB\"\n{PATIENT}"))
        .function("f", &function)
        .start();
    gateway.wait_for_error(0, &["bytes of memory are in use", "takes nothing new"]);
    let mut taken = connected(&gateway, 64);
    assert_refused(&gateway.connect().receive().expect("it is answered"));
    serve(&mut taken);
    assert!(metrics(&gateway).contains("stoker_shed_total{reason=\"memory\"} 1"));
}

#[test]
fn with_few_descriptors_it_says_so_and_refuses_before_they_are_gone() {
    let function = Function::fixture("inherit").scaling(4, 1, "");
    let site = Site::new(PATIENT).function("f", &function);
    let gateway = Gateway::start_within(site, Some(120));
    let parts = ["RLIMIT_NOFILE", "room for 30 connections"];
    gateway.wait_for_error(0, &parts);
    let mut taken = connected(&gateway, 30);
    for _ in 0..50 {
        assert_refused(&gateway.connect().receive().expect("it is answered"));
    }
    // They come and go while it is full.
    let mut last = taken.pop().expect("there are thirty");
    last.get("/function/f/").expect("there is an answer").good();
}
