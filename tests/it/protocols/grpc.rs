//! gRPC from end to end: Python's grpcio on both sides, plain bytes for messages.

use rustix::process::Signal;

use super::{curl, url};
use crate::harness::{Function, Gateway, Program, Record, Site};

/// A function whose calls are those of `service`.
fn service(listen: &'static str, service: &str) -> Function {
    Function::script(listen, "grpc_server.py")
        .h2c()
        .env("SERVICE", service)
        .with(&format!("[[routes]]\npath = \"/{service}/{{*rest}}\""))
}

fn client(gateway: &Gateway, what: &[&str]) -> Program {
    let address = gateway.address().to_string();
    Program::python("grpc_client.py", &[&[address.as_str()], what].concat())
}

/// One slot for all, so that one that is not given back is missed at once.
fn single_slot(record: &Record, timeouts: &str) -> Gateway {
    let function = service("unix", "test.Echo")
        .env("RECORD", record.path())
        .scaling(1, 1, "")
        .with(&format!("[timeouts]\n{timeouts}"));
    Site::new("").function("f", &function).start()
}

#[test]
fn calls_of_all_four_kinds() {
    let gateway = Site::new("")
        .function("unix", &service("unix", "test.Echo").scaling(2, 1, ""))
        .function("port", &service("port", "test.Port").scaling(2, 1, ""))
        .start();
    for name in ["test.Echo", "test.Port"] {
        let said = client(&gateway, &["kinds", name]).finish();
        assert_eq!(said, format!("all kinds of {name}\n"));
    }
}

#[test]
fn messages_of_a_client_stream_are_passed_on_as_they_come() {
    let record = Record::new("grpc-client-stream");
    let gateway = single_slot(&record, "");
    let mut client = client(&gateway, &["client_stream"]);
    for message in ["one", "two", "three"] {
        client.say(message);
        record.wait_for(&format!("received {message}\n"), 1);
    }
    assert_eq!(client.finish(), "sum 11\n");
}

#[test]
fn metadata_goes_both_ways() {
    let gateway = Site::new("")
        .function("f", &service("unix", "test.Echo"))
        .start();
    assert_eq!(client(&gateway, &["metadata"]).finish(), "metadata\n");
}

#[test]
fn failures_are_statuses() {
    let broken = Function::fixture("unix")
        .h2c()
        .env("FIXTURE_EXIT", "3")
        .with("[[routes]]\npath = \"/test.Broken/{*rest}\"")
        .with("[backoff]\nreject-after = 1");
    let gateway = Site::new("")
        .function("f", &service("unix", "test.Echo"))
        .function("broken", &broken)
        .start();
    let mut client = client(&gateway, &["statuses"]);
    client.expect("of the function");
    let line = client.line();
    assert!(line.starts_with("of the gateway: "), "{line}");
    assert!(
        line.contains("exited with status 3"),
        "the cause is not in {line}"
    );
    client.finish();
}

#[test]
fn a_clients_deadline_ends_the_call() {
    let record = Record::new("grpc-deadline");
    let gateway = single_slot(&record, "");
    assert_eq!(client(&gateway, &["deadline"]).finish(), "exceeded\n");
    record.wait_for("entered, with a deadline", 1);
    record.wait_for("cancelled", 1);
}

/// Neither curl nor this function know of deadlines: so it is the gateway that keeps it.
#[test]
fn the_gateway_keeps_the_deadline_of_a_call() {
    let record = Record::new("grpc-timeout");
    let function = Function::script("unix", "http2_server.mjs")
        .h2c()
        .env("RECORD", record.path())
        .scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    let call = |timeout: &str, path: &str| {
        curl(&[
            "--http2-prior-knowledge",
            "--include",
            "--header",
            "content-type: application/grpc",
            "--header",
            "te: trailers",
            "--header",
            &format!("grpc-timeout: {timeout}"),
            "--data-binary",
            "12345",
            &url(&gateway, path),
        ])
    };
    let answer = call("10S", "/function/f/echo");
    assert!(answer.contains("\nstoker-origin: function\n"), "{answer}");
    let answer = call("300m", "/function/f/never");
    assert!(answer.starts_with("HTTP/2 200"), "{answer}");
    assert!(answer.contains("\ngrpc-status: 4\n"), "{answer}");
    assert!(answer.contains("\nstoker-origin: gateway\n"), "{answer}");
    record.wait_for("cancelled", 1);
    // No time at all is not waited for. (nghttp, for this curl loses an answer that comes before its
    // body is sent.)
    let said = Program::run(
        "nghttp",
        &[
            "--verbose",
            "--no-dep",
            "--header",
            "content-type: application/grpc",
            "--header",
            "grpc-timeout: 0n",
            "--data",
            "/dev/null",
            &url(&gateway, "/function/f/never"),
        ],
    );
    assert!(said.contains("grpc-status: 4"), "{said}");
}

#[test]
fn a_call_that_is_cancelled_frees_its_slot() {
    let record = Record::new("grpc-cancel");
    let gateway = single_slot(&record, "");
    let mut client = client(&gateway, &["cancel"]);
    record.wait_for("entered, without a deadline", 1);
    client.say("cancel");
    record.wait_for("cancelled", 1);
    client.expect("cancelled");
    client.expect("cancelled a stream");
    client.finish();
}

#[test]
fn messages_may_be_large() {
    let gateway = Site::new("")
        .function("f", &service("unix", "test.Echo"))
        .start();
    assert_eq!(client(&gateway, &["large"]).finish(), "3145728\n");
}

#[test]
fn two_hundred_calls_at_once() {
    let function = service("unix", "test.Echo")
        .env("TOGETHER", "200")
        .scaling(200, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    assert_eq!(client(&gateway, &["many"]).finish(), "all\n");
}

#[test]
fn a_stream_finishes_within_the_grace() {
    let record = Record::new("grpc-drain");
    let mut gateway = single_slot(&record, "");
    let mut client = client(&gateway, &["drain"]);
    client.expect("re: before");
    gateway.signal(Signal::TERM);
    gateway.wait_for_error(0, &["finishing the requests in flight"]);
    client.say("go on");
    client.expect("re: after");
    client.expect("OK");
    client.finish();
    assert!(gateway.wait().success());
}
