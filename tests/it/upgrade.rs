//! Another process takes over: nobody notices.

mod failing;
mod load;
mod moving;
mod starts;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use crate::harness::process::{Handle, variable};
use crate::harness::{Client, Function, Gateway, PATIENCE, Record, Site, wait_until};
use load::Load;

/// Upgrades of a plain test run.
const UPGRADES: usize = 4;
/// Answers between two of them.
const ANSWERS: usize = 300;
/// The pace when a time is asked for.
const PACE: Duration = Duration::from_secs(5);

/// The processes of the instances of a function.
fn workers_of(gateway: &Gateway, function: &str) -> BTreeSet<u32> {
    let workers = gateway.workers().into_iter();
    workers
        .filter(|&pid| variable(pid, "STOKER_FUNCTION").as_deref() == Some(function))
        .collect()
}

/// Upgrades under load: four, or one every 5 s for as long as `STOKER_UPGRADE_SECONDS` says.
#[test]
fn under_load_not_one_request_fails() {
    let seconds = std::env::var("STOKER_UPGRADE_SECONDS").ok();
    let seconds: Option<u64> = seconds.map(|text| text.parse().expect("a number of seconds"));
    let steady = Function::fixture("inherit").scaling(1, 3, "min-scale = 3");
    let wide = Function::fixture("port").scaling(20, 2, "");
    // Cold again and again.
    let brief = Function::fixture("inherit").scaling(1, 2, "idle-timeout = \"20ms\"");
    let slow = Function::fixture("port")
        .env("FIXTURE_START_MS", "150")
        .scaling(1, 2, "idle-timeout = \"20ms\"");
    let mut gateway = Site::new("[timeouts]\nheader = \"10s\"")
        .function("steady", &steady)
        .function("wide", &wide)
        .function("brief", &brief)
        .function("slow", &slow)
        .start();
    wait_until("the instances are up", || {
        workers_of(&gateway, "steady").len() == 3
    });
    gateway.get("/function/wide/work").good();
    let (steady, wide) = (workers_of(&gateway, "steady"), workers_of(&gateway, "wide"));

    let begun = Instant::now();
    let load = Load::start(gateway.address());
    let mut upgrades = 0;
    loop {
        load.wait_for_more(ANSWERS);
        if let Some(seconds) = seconds {
            let next = begun + PACE * (upgrades as u32 + 1);
            load.run_until(next);
            if begun.elapsed() >= Duration::from_secs(seconds) {
                break;
            }
        } else if upgrades == UPGRADES {
            break;
        }
        for (function, most) in [("steady", 3), ("wide", 2), ("brief", 2), ("slow", 2)] {
            let count = workers_of(&gateway, function).len();
            assert!(count <= most, "{count} instances of {function}");
        }
        gateway.upgrade();
        upgrades += 1;
    }
    let report = load.finish();
    eprintln!("{upgrades} upgrades in {:?}: {report}", begun.elapsed());
    assert_eq!(report.failures, Vec::<String>::new(), "{report}");
    assert!(report.streams > 0 && report.cold > 0, "{report}");
    assert_eq!(workers_of(&gateway, "steady"), steady, "the same processes");
    assert!(
        workers_of(&gateway, "wide").is_superset(&wide),
        "the same processes"
    );
    for _ in 0..12 {
        let max = gateway.get("/function/steady/max").good().number("max");
        assert_eq!(max, 1, "an instance had more requests at once than slots");
    }
    gateway.wait_for_former();
}

#[test]
fn what_waits_and_what_runs_goes_on_in_order() {
    let record = Record::new("upgrade-order");
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(1, 1, "");
    let mut gateway = Site::new("").function("f", &function).start();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.connect()).collect();
    clients[0]
        .request("GET /function/f/work?ms=1500", "", b"")
        .expect("can be sent");
    record.wait_for("GET /work?ms=1500", 1);
    for client in &mut clients[1..3] {
        client
            .enqueue("/function/f/work?ms=1", b"x")
            .expect("there is room");
    }
    let before = gateway.workers();
    gateway.upgrade();
    // This one waits in the new process, behind those that wait in the old one.
    clients[3] = gateway.connect();
    clients[3]
        .enqueue("/function/f/work?ms=1", b"x")
        .expect("there is room");
    for client in &mut clients[1..] {
        client.send("x").expect("the body is taken");
    }
    let answers = clients.iter_mut().map(|client| client.receive());
    let answers: Vec<_> = answers.map(|it| it.expect("an answer").good()).collect();
    let sequence: Vec<_> = answers.iter().map(|it| it.number("sequence")).collect();
    assert_eq!(sequence, [1, 2, 3, 4], "in the order in which they came");
    assert_eq!(gateway.workers(), before, "one instance did it all");
    assert_eq!(answers[1].header("connection"), Some("close"));
    assert_eq!(answers[3].header("connection"), None);
    gateway.wait_for_former();
}

#[test]
fn idle_connections_are_served_once_more_and_instances_that_start_are_not_lost() {
    let function = Function::fixture("port")
        .env("FIXTURE_START_MS", "800")
        .scaling(1, 1, "");
    let mut gateway = Site::new("[timeouts]\nheader = \"15s\"")
        .function("f", &function)
        .start();
    let mut idle = gateway.connect();
    idle.get("/function/nobody").expect("a problem");
    let mut cold = gateway.connect();
    cold.request("GET /function/f/work", "", b"")
        .expect("can be sent");
    wait_until("it is being started", || gateway.workers().len() == 1);
    let starting = gateway.workers();
    gateway.upgrade();
    let first = cold.receive().expect("an answer").good();
    assert_eq!(first.header("stoker-start"), Some("cold"));
    let answer = idle.get("/function/f/work").expect("is served").good();
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(idle.is_closed_within(PATIENCE));
    assert_eq!(
        gateway
            .get("/function/f/work")
            .good()
            .header("stoker-start"),
        Some("warm")
    );
    assert_eq!(gateway.workers(), starting);
    gateway.wait_for_former();
}

#[test]
fn an_upgrade_while_former_ones_drain() {
    let function = Function::fixture("inherit").scaling(1, 5, "");
    let mut gateway = Site::new("[timeouts]\nbody = \"10m\"")
        .function("f", &function)
        .start();
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = gateway.connect();
        stream
            .request("POST /function/f/echo", "Content-Length: 6\r\n", b"abc")
            .expect("can be sent");
        stream.receive_head().expect("a head");
        streams.push(stream);
        gateway.upgrade();
    }
    assert_eq!(
        gateway.pids_of_gateways().len(),
        4,
        "all of them have something to do"
    );
    let busy = gateway.workers();
    assert_eq!(busy.len(), 3, "one instance for each");
    // None of the busy ones is taken for free.
    gateway.get("/function/f/work").good();
    assert_eq!(gateway.workers().len(), 4);
    for stream in &mut streams {
        stream.send("def").expect("the body is taken");
        assert_eq!(stream.receive_bytes(6).expect("the rest"), b"abcdef");
    }
    gateway.wait_for_former();
    for _ in 0..4 {
        gateway.get("/function/f/work").good();
    }
    assert_eq!(gateway.workers().len(), 4, "their slots are free again");
}

#[test]
fn a_new_configuration_is_taken_over_with_it() {
    let (f, g) = (Function::fixture("inherit"), Function::fixture("port"));
    let mut gateway = Site::new("[timeouts]\nbody = \"10m\"")
        .function("f", &f.clone().scaling(1, 2, ""))
        .function("g", &g.scaling(1, 2, ""))
        .start();
    gateway.get("/function/f/work").good();
    gateway.get("/function/g/work").good();
    let (of_f, of_g) = (workers_of(&gateway, "f"), workers_of(&gateway, "g"));
    let path = gateway.site().manifest("f");
    let mut running = gateway.connect();
    running
        .request("POST /function/f/echo", "Content-Length: 6\r\n", b"abc")
        .expect("can be sent");
    running.receive_head().expect("a head");
    // Written and upgraded at once: the former one may have read it, or not.
    fs::write(&path, f.env("NEW", "yes").scaling(1, 2, "").manifest()).expect("can be written");
    gateway.upgrade();
    let environment = gateway.get("/function/f/env").good();
    assert_eq!(environment.json()["NEW"], "yes");
    running.send("def").expect("the body is taken");
    let rest = running.receive_bytes(6).expect("the rest");
    assert_eq!(rest, b"abcdef", "the old revision finishes");
    for pid in of_f {
        assert!(
            Handle::of(pid).wait(PATIENCE),
            "the old revision is stopped"
        );
    }
    assert_eq!(workers_of(&gateway, "g"), of_g, "others stay");
    gateway.wait_for_former();
}
