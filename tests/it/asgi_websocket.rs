//! WebSockets of a Starlette application that the runner for Python serves, through the gateway, by
//! Python's `websockets`, and over HTTP/2 by `h2` and `wsproto`.

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::program::script_path;
use crate::harness::{Function, Gateway, Program, Record, Site, python};

fn function(record: &Record) -> Function {
    let path = script_path("starlette_websocket.py");
    let text = std::fs::read_to_string(path).expect("it can be read");
    Function::handler("python", &text).env("RECORD", record.path())
}

/// A gateway with it, run by the interpreter that has Starlette.
fn start(function: &Function) -> Gateway {
    let site = Site::new("").function("f", function);
    std::fs::write(site.manifest("f"), manifest(function)).expect("can be written");
    site.start()
}

fn manifest(function: &Function) -> String {
    format!("interpreter = {:?}\n{}", python(), function.manifest())
}

fn client(gateway: &Gateway, what: &[&str]) -> Program {
    let url = format!("ws://{}/function/f", gateway.address());
    Program::python("websocket_client.py", &[&[url.as_str()], what].concat())
}

#[test]
fn messages_and_refusals() {
    let record = Record::new("asgi-messages");
    let gateway = start(&function(&record).scaling(60, 1, ""));
    assert_eq!(client(&gateway, &["messages"]).finish(), "all came back\n");
    assert_eq!(client(&gateway, &["many"]).finish(), "all\n");
    let refused = "403 not you\n200 plain\n426 another\n";
    assert_eq!(client(&gateway, &["refused"]).finish(), refused);
    let mut failing = client(&gateway, &["until_closed", "fail"]);
    failing.expect("open");
    failing.expect("closed 1011");
}

/// With and without processes that were prepared.
#[test]
fn close_codes_go_both_ways() {
    for preload in ["enabled = true", "enabled = false"] {
        let record = Record::new("asgi-codes");
        let gateway = start(&function(&record).with(&format!("[preload]\n{preload}")));
        let mut client = client(&gateway, &["codes"]);
        client.expect("4001 as asked");
        client.expect("closed");
        record.wait_for("closed echo 4002 enough", 1);
        client.finish();
    }
}

#[test]
fn long_messages_are_refused() {
    let record = Record::new("asgi-long");
    let bound = "[websocket]\nmessage-bytes = \"1MiB\"";
    let gateway = start(&function(&record).with(bound));
    let said = client(&gateway, &["long", "1048577"]).finish();
    assert_eq!(said, "1009 a message is longer than 1048576 bytes\n");
    assert_eq!(
        client(&gateway, &["long", "1048576"]).finish(),
        "it came back\n"
    );
}

#[test]
fn both_sides_are_told_that_the_gateway_goes_away() {
    let record = Record::new("asgi-drain");
    let mut gateway = start(&function(&record).scaling(4, 1, ""));
    let mut client = client(&gateway, &["one"]);
    client.expect("open");
    client.say("before");
    client.expect("echo before");
    gateway.signal(Signal::TERM);
    client.expect("closed 1001 ");
    record.wait_for("closed echo 1001", 1);
    client.finish();
    assert!(gateway.wait().success());
}

#[test]
fn both_sides_are_told_that_their_instance_goes_away() {
    let record = Record::new("asgi-reload");
    let function = function(&record).scaling(4, 1, "");
    let gateway = start(&function);
    let mut first = client(&gateway, &["one"]);
    first.expect("open");
    let changed = function.env("CHANGED", "yes");
    std::fs::write(gateway.site().manifest("f"), manifest(&changed)).expect("can be written");
    gateway.signal(Signal::HUP);
    first.expect("closed 1001 ");
    record.wait_for("closed echo 1001", 1);
    let mut second = client(&gateway, &["one"]);
    second.expect("open");
    second.say("close");
    second.expect("left");
}

/// Where nobody told the caller before the instance's own SIGTERM, the runner does.
#[test]
fn an_instance_that_ends_by_itself_says_so() {
    let record = Record::new("asgi-restart");
    let gateway = start(&function(&record).with("[preload]\nenabled = false"));
    let mut client = client(&gateway, &["one"]);
    client.expect("open");
    for worker in gateway.workers() {
        let worker = Pid::from_raw(worker.cast_signed()).expect("a process");
        kill_process(worker, Signal::TERM).expect("it runs");
    }
    client.expect("closed 1012 the instance ends");
    record.wait_for("closed echo 1012 the instance ends", 1);
}

#[test]
fn websocket_over_http2() {
    let record = Record::new("asgi-http2");
    let mut gateway = start(&function(&record).scaling(8, 1, ""));
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
