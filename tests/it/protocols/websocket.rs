//! Upgraded connections: WebSocket by Python's `websockets` on both sides, over HTTP/2 by `h2` and
//! `wsproto`, and a protocol of nobody's.

use std::net::Shutdown;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Function, Gateway, Program, Record, Site, wait_until};

fn function(record: &Record) -> Function {
    Function::script("unix", "websocket_server.py").env("RECORD", record.path())
}

fn start(gateway: &str, function: &Function) -> Gateway {
    Site::new(gateway).function("f", function).start()
}

fn client(gateway: &Gateway, what: &[&str]) -> Program {
    let url = format!("ws://{}/function/f", gateway.address());
    Program::python("websocket_client.py", &[&[url.as_str()], what].concat())
}

#[test]
fn messages_go_both_ways() {
    let record = Record::new("ws-messages");
    let gateway = start("", &function(&record));
    let said = client(&gateway, &["messages"]).finish();
    assert_eq!(said, "all came back\n");
}

#[test]
fn close_codes_go_both_ways() {
    let record = Record::new("ws-codes");
    let gateway = start("", &function(&record));
    let mut client = client(&gateway, &["codes"]);
    client.expect("4001 as asked");
    client.expect("closed");
    record.wait_for("closed echo 4002 enough", 1);
    client.finish();
}

#[test]
fn fifty_at_once() {
    let record = Record::new("ws-many");
    let gateway = start("", &function(&record).scaling(50, 1, ""));
    assert_eq!(client(&gateway, &["many"]).finish(), "all\n");
}

#[test]
fn a_connection_holds_its_slot() {
    let record = Record::new("ws-slot");
    let gateway = start("", &function(&record).scaling(1, 1, ""));
    let mut first = client(&gateway, &["one"]);
    first.expect("open");
    let mut second = client(&gateway, &["one"]);
    // It waits for as long as that takes: messages on the first one get through meanwhile.
    for message in ["a", "b"] {
        first.say(message);
        first.expect(&format!("echo {message}"));
    }
    assert_eq!(record.count("open echo"), 1);
    first.say("close");
    first.expect("left");
    second.expect("open");
    assert_eq!(record.count("closed echo"), 1, "one after the other");
    second.say("close");
    second.expect("left");
}

/// The limits of plain requests are short, and one such request has met them meanwhile.
#[test]
fn a_stream_has_limits_of_its_own() {
    let record = Record::new("ws-limits");
    let function = function(&record).scaling(2, 1, "").with(
        "[timeouts]\nfirst-byte = \"100ms\"\nidle = \"100ms\"\ntotal = \"300ms\"\nqueue = \"300ms\"",
    );
    let stalling = Function::fixture("inherit")
        .with("[timeouts]\nfirst-byte = \"300ms\"\nidle = \"300ms\"\ntotal = \"300ms\"");
    let gateway = Site::new("")
        .function("f", &function)
        .function("stalling", &stalling)
        .start();
    // The start may take longer than a request may.
    wait_until("the function is up", || {
        gateway.get("/function/f/plain").status == 200
    });
    let mut client = client(&gateway, &["one"]);
    client.expect("open");
    gateway.get("/function/stalling/stall");
    client.say("still here");
    client.expect("echo still here");
    client.say("close");
    client.expect("left");
}

#[test]
fn a_connection_on_which_nothing_moves_is_closed() {
    let record = Record::new("ws-idle");
    let function = function(&record)
        .scaling(1, 1, "")
        .with("[timeouts]\nstream-idle = \"3s\"");
    let gateway = start("", &function);
    // A start is slower than what is up answers.
    gateway.get("/function/f/plain").good();
    let mut idle = client(&gateway, &["until_closed", "echo"]);
    idle.expect("open");
    idle.expect("closed 1006");
    // Its slot is free.
    let mut next = client(&gateway, &["codes"]);
    next.expect("4001 as asked");
}

#[test]
fn a_connection_has_an_end() {
    let record = Record::new("ws-total");
    let function = function(&record)
        .scaling(1, 1, "")
        .with("[timeouts]\nstream-total = \"5s\"");
    let gateway = start("", &function);
    gateway.get("/function/f/plain").good();
    let mut client = client(&gateway, &["until_closed", "echo"]);
    client.expect("open");
    client.expect("closed 1006");
    record.wait_for("closed echo", 1);
}

#[test]
fn callers_are_told_that_the_gateway_goes_away() {
    let record = Record::new("ws-drain");
    let working = Function::fixture("inherit");
    let mut gateway = Site::new("")
        .function("f", &function(&record))
        .function("working", &working)
        .start();
    let mut client = client(&gateway, &["one"]);
    client.expect("open");
    client.say("before");
    client.expect("echo before");
    let mut in_flight = gateway.connect();
    let sent = in_flight.enqueue("/function/working/echo", b"all of it");
    sent.expect("it is asked for");
    gateway.signal(Signal::TERM);
    client.expect("closed 1001 ");
    record.wait_for("closed echo 1001", 1);
    in_flight.send("all of it").expect("can be sent");
    let answer = in_flight.receive().expect("there is an answer").good();
    assert_eq!(answer.text(), "all of it");
    assert!(gateway.wait().success());
    client.finish();
}

/// One that does not close in return is cut off after the grace, and holds up nothing.
#[test]
fn the_grace_of_a_stream_ends() {
    let function = Function::script("unix", "upgrade_server.mjs");
    let mut gateway = start("[timeouts]\nstream-grace = \"200ms\"", &function);
    let mut client = gateway.connect();
    let headers = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    client
        .request("GET /function/f", headers, b"")
        .expect("can be sent");
    assert_eq!(client.receive_head().expect("an answer").status, 101);
    client
        .receive_bytes("first words|".len())
        .expect("it speaks first");
    gateway.signal(Signal::TERM);
    client.receive_rest().expect("it is closed");
    assert!(gateway.wait().success());
}

#[test]
fn callers_are_told_that_their_instance_goes_away() {
    let record = Record::new("ws-reload");
    // Longer than anybody waits: the callers are told, not the function.
    let function = function(&record)
        .scaling(4, 1, "")
        .with("[timeouts]\ndrain = \"10m\"");
    let gateway = start("", &function);
    let mut first = client(&gateway, &["one"]);
    first.expect("open");
    let changed = function.env("CHANGED", "yes").manifest();
    std::fs::write(gateway.site().manifest("f"), changed).expect("can be written");
    gateway.signal(Signal::HUP);
    first.expect("closed 1001 ");
    record.wait_for("closed echo 1001", 1);
    let mut second = client(&gateway, &["one"]);
    second.expect("open");
    second.say("close");
    second.expect("left");
}

#[test]
fn the_functions_end_is_the_connections() {
    let record = Record::new("ws-end");
    let gateway = start("", &function(&record).scaling(1, 1, ""));
    let mut ending = client(&gateway, &["until_closed", "end"]);
    ending.expect("open");
    ending.expect("closed 1006");
    gateway.wait_for_error(0, &["exited with status 7"]);
    let mut next = client(&gateway, &["codes"]);
    next.expect("4001 as asked");
}

#[test]
fn a_caller_who_is_gone_frees_the_slot() {
    let record = Record::new("ws-gone");
    let gateway = start("", &function(&record).scaling(1, 1, ""));
    let mut gone = client(&gateway, &["one"]);
    gone.expect("open");
    drop(gone);
    record.wait_for("closed echo 1006", 1);
    let mut next = client(&gateway, &["codes"]);
    next.expect("4001 as asked");
}

#[test]
fn refusals_are_passed_on() {
    let record = Record::new("ws-refusals");
    let gateway = start("", &function(&record));
    let mut client = client(&gateway, &["refused"]);
    client.expect("403 not you");
    client.expect("200 plain");
    // It names a protocol, and yet it switches to none.
    client.expect("426 another");
    client.finish();
}

#[test]
fn websocket_over_http2() {
    let record = Record::new("ws-http2");
    let mut gateway = start("", &function(&record));
    let address = gateway.address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut client = Program::python("extended_connect.py", &[&host, &port, "/function/f"]);
    client.expect("echo");
    client.expect("refused");
    client.expect("closed");
    record.wait_for("closed echo 4002 enough", 1);
    client.expect("open");
    gateway.signal(Signal::TERM);
    client.expect("going away");
    record.wait_for("closed echo 1001", 1);
    client.finish();
    assert!(gateway.wait().success());
}

#[test]
fn any_protocol_may_follow() {
    let function = Function::script("unix", "upgrade_server.mjs").scaling(1, 1, "");
    let gateway = start("", &function);
    for _ in 0..2 {
        let mut client = gateway.connect();
        let headers = "Connection: keep-alive, Upgrade\r\nUpgrade: own/1.0\r\n";
        // What follows the head goes to the function as it is, and so does what follows the 101.
        client
            .request("GET /function/f", headers, b"\x00ahead\xff")
            .expect("can be sent");
        let head = client.receive_head().expect("there is an answer");
        assert_eq!(head.status, 101, "{head}");
        assert_eq!(head.header("upgrade"), Some("own/1.0"), "{head}");
        assert_eq!(head.header("connection"), Some("upgrade"), "{head}");
        let first = b"first words|\x00ahead\xff";
        let got = client.receive_bytes(first.len()).expect("more follows");
        assert_eq!(got, first);
        client.send("GET / HTTP/1.1\r\n\r\n").expect("can be sent");
        let got = client.receive_bytes(18).expect("it comes back");
        assert_eq!(got, b"GET / HTTP/1.1\r\n\r\n");
        // One side may end before the other.
        client
            .stream()
            .shutdown(Shutdown::Write)
            .expect("can be shut");
        assert_eq!(client.receive_rest().expect("the end"), b"|last words");
    }
    // Without a wish nothing is switched, and the function's refusal is only that.
    let answer = gateway.get("/function/f");
    assert_eq!(answer.status, 426, "{answer}");
    let mut client = gateway.connect();
    assert_eq!(client.get("/function/f").expect("an answer").status, 426);
    assert!(!client.is_closed_within(Duration::from_millis(50)));
}
