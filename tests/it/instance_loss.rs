//! Instances that end without being asked.

use std::io::Write;

use crate::harness::process::Handle;
use crate::harness::{Function, Gateway, PATIENCE, Record, Site, wait_until};

/// The id of the process that answers.
fn pid(gateway: &Gateway) -> u32 {
    let answer = gateway.get("/function/f/pid").good();
    answer.text().trim().parse().expect("an id is a number")
}

#[test]
fn killing_an_instance_costs_its_own_request_only() {
    let record = Record::new("killing");
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(1, 3, "");
    let gateway = Site::new("").function("f", &function).start();

    let mut victim = gateway.connect();
    victim
        .request("GET /function/f/work?ms=60000", "", b"")
        .expect("can be sent");
    record.wait_for("GET /work?ms=60000", 1);
    let workers = gateway.workers();
    assert_eq!(workers.len(), 1, "one request, one instance");

    let mut others = [gateway.connect(), gateway.connect()];
    for other in &mut others {
        other
            .request("GET /function/f/work?ms=1000", "", b"")
            .expect("can be sent");
    }
    record.wait_for("GET /work?ms=1000", 2);
    Handle::of(workers[0]).kill();

    let lost = victim
        .receive()
        .expect("the gateway answers for the instance");
    let detail = lost.problem(502, "instance-lost");
    assert!(detail.contains("SIGKILL"), "the cause is missing: {detail}");
    for other in &mut others {
        other.receive().expect("there is an answer").good();
    }
    victim
        .get("/function/f/work")
        .expect("the same connection goes on")
        .good();
}

#[test]
fn an_instance_that_ends_in_mid_request_is_named_with_its_cause() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    for (path, cause) in [
        ("/function/f/exit?code=7", "exited with status 7"),
        ("/function/f/abort", "SIGKILL"),
        ("/function/f/close", "broke"),
    ] {
        // So that it is known to work, and its end is no failed start.
        gateway.get("/function/f/work").good();
        let detail = gateway.get(path).problem(502, "instance-lost");
        assert!(detail.contains(cause), "{path}: {detail}");
    }
    gateway.get("/function/f/work").good();
}

#[test]
fn an_answer_that_breaks_off_is_cut_off() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    let mut client = gateway.connect();
    client
        .request("GET /function/f/half", "", b"")
        .expect("can be sent");
    // How much comes before the end is a matter of timing, but it is never the whole.
    let answer = client.receive_rest().expect("the connection is closed");
    let body = answer.iter().filter(|&&byte| byte == b'h').count();
    assert!(body < 1100, "the end is made up");
    assert!(
        answer.is_empty()
            || answer.starts_with(b"HTTP/1.1 200 ")
            || answer.starts_with(b"HTTP/1.1 502 "),
        "the beginning is made up: {}",
        String::from_utf8_lossy(&answer)
    );
    gateway.get("/function/f/work").good();
}

/// Nothing was sent to an instance that died before: another one gets the request.
fn death_of_an_idle_instance_is_not_seen(listen: &'static str) {
    let function = Function::fixture(listen).scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    let mut client = gateway.connect();
    for round in 0..40 {
        // So that it is not one that has only just begun to accept.
        gateway.get("/function/f/work?ms=30").good();
        let pid = pid(&gateway);
        let process = Handle::of(pid);
        process.kill();
        assert!(process.wait(PATIENCE), "a killed process ends");
        let answer = client.get("/function/f/pid").expect("there is an answer");
        assert!(answer.is_good(), "round {round}: {answer}");
        assert_ne!(answer.text().trim(), pid.to_string());
    }
}

#[test]
fn death_of_an_idle_instance_is_not_seen_over_unix_sockets() {
    death_of_an_idle_instance_is_not_seen("unix");
}

#[test]
fn death_of_an_idle_instance_is_not_seen_over_inherited_sockets() {
    death_of_an_idle_instance_is_not_seen("inherit");
}

#[test]
fn death_of_an_idle_instance_is_not_seen_over_ports() {
    death_of_an_idle_instance_is_not_seen("port");
}

#[test]
fn a_request_body_is_not_needed_for_an_answer() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    let mut client = gateway.connect();
    client
        .request(
            "POST /function/f/early",
            "Content-Length: 100000000\r\n",
            b"begun",
        )
        .expect("can be sent");
    let answer = client
        .receive()
        .expect("the answer comes before the body")
        .good();
    assert_eq!(answer.text(), "early\n");
    // Whatever becomes of the connection, the slot is free again.
    client.stream().write_all(b"more").ok();
    drop(client);
    gateway.get("/function/f/work").good();
}

#[test]
fn killing_the_spawner_ends_the_instances_but_not_the_gateway() {
    let function = Function::fixture("inherit").scaling(1, 2, "");
    let gateway = Site::new("").function("f", &function).start();
    // So that it is not one that has only just begun to accept.
    gateway.get("/function/f/work?ms=30").good();
    let before = pid(&gateway);
    let worker = Handle::of(before);
    let spawner = gateway.spawner();
    Handle::of(spawner).kill();
    assert!(worker.wait(PATIENCE), "the instance outlived its spawner");
    let after = pid(&gateway);
    assert_ne!(before, after, "the instance is a new one");
    wait_until("there is a new spawner only", || {
        gateway.spawner() != spawner && gateway.workers() == [after]
    });
}
