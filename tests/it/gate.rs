//! More to start than the machine has room for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::harness::{Client, Function, Gateway, Site, at_once, in_line, wait_until};
use crate::overload::{admin, metrics};

fn summary(gateway: &Gateway, name: &str) -> Value {
    admin(gateway, &format!("/v1/functions/{name}")).json()
}

/// The value of the function's only series of this name.
fn metric(gateway: &Gateway, name: &str, function: &str) -> u64 {
    let text = metrics(gateway);
    let begin = format!("{name}{{function=\"{function}\"");
    let line = text.lines().find(|line| line.starts_with(&begin));
    let value = line
        .and_then(|line| line.rsplit_once(' '))
        .map(|(_, value)| value);
    value
        .and_then(|value| value.parse().ok())
        .expect("it has a value")
}

/// `count` requests that were sent and are not answered.
fn crowd(gateway: &Gateway, path: &str, count: usize) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client
            .request(&format!("GET {path}"), "", b"")
            .expect("can be sent");
    }
    clients
}

/// Replaces a part of the gateway's file and has it read.
fn reload(gateway: &Gateway, from: &str, to: &str) {
    let file = gateway.site().file();
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).expect("can be written");
    gateway.try_admin(&["reload"]).expect("it is valid");
}

/// Nothing is set but the number of instances, and patience with a busy machine.
#[test]
fn a_thousand_at_once_are_answered_by_fifty_instances() {
    let function = Function::fixture("inherit")
        .with("[scaling]\nmax-scale = 50\n[timeouts]\ntotal = \"120s\"\nqueue = \"120s\"");
    let gateway = Site::new("").function("f", &function).start();
    let answers = at_once(&gateway, 1000, "/function/f/work?ms=20");
    let served: BTreeSet<(u64, u64)> = answers
        .iter()
        .map(|answer| (answer.number("pid"), answer.number("sequence")))
        .collect();
    assert_eq!(served.len(), 1000, "each answer is of another request");
    let pids: BTreeSet<u64> = served.iter().map(|(pid, _)| *pid).collect();
    assert!(pids.len() <= 50, "{} processes served", pids.len());
    let started = metrics(&gateway)
        .lines()
        .filter(|line| line.starts_with("stoker_starts_total") && line.contains("ready"))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok())
        .sum::<usize>();
    assert!((pids.len()..=50).contains(&started), "{started} starts");
}

/// Each request has its place before the next one is sent, so every instance serves them in the
/// order in which they came.
#[test]
fn a_crowd_is_served_in_order_by_every_instance() {
    let function = Function::fixture("inherit").scaling(1, 5, "");
    let gateway = Site::new("").function("f", &function).start();
    let mut clients = in_line(&gateway, 300, "/function/f/work?ms=1");
    let mut by_instance: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
    for (place, client) in clients.iter_mut().enumerate() {
        let answer = client.receive().expect("there is an answer").good();
        let served = by_instance.entry(answer.number("pid")).or_default();
        served.push((answer.number("sequence"), place));
    }
    assert!(by_instance.len() <= 5);
    for (pid, served) in &by_instance {
        // By place; so the numbers that the instance gave must ascend.
        assert!(served.is_sorted(), "process {pid}: {served:?}");
    }
}

/// The crowd's starts never come to their end, and hold all places that they may.
#[test]
fn a_crowd_at_one_function_leaves_the_cold_start_of_another_alone() {
    let stuck = Function::fixture("port")
        .env("FIXTURE_NEVER_LISTEN", "1")
        .with("[scaling]\nmax-scale = 50\n[timeouts]\nstart = \"1h\"");
    let other = Function::fixture("port").scaling(1, 1, "");
    let gateway = Site::new("[starts]\nat-once = 8\nyield-after = \"1h\"")
        .function("stuck", &stuck)
        .function("other", &other)
        .start();
    let clients = crowd(&gateway, "/function/stuck/", 1000);
    wait_until("all of them wait", || {
        summary(&gateway, "stuck")["waiting"] == 1000
    });
    wait_until("six of them start", || gateway.workers().len() == 6);

    gateway.get("/function/other/pid").good();
    let stuck = summary(&gateway, "stuck");
    assert_eq!(stuck["waiting"], 1000, "nobody was answered");
    assert_eq!(stuck["states"]["starting"], 50);
    let held = serde_json::json!({ "count": 44, "reason": "at-once" });
    assert_eq!(stuck["held_starts"], held);
    assert_eq!(metric(&gateway, "stoker_starts_waiting", "stuck"), 44);
    assert_eq!(metric(&gateway, "stoker_starts_waiting", "other"), 0);
    let list = gateway.try_admin(&["ls"]).expect("it answers");
    assert!(
        list.contains("50 starting, 44 of them wait (at-once)"),
        "{list}"
    );

    // With the callers the need goes, and what did not begin never does.
    drop(clients);
    wait_until("nothing is held", || {
        let stuck = summary(&gateway, "stuck");
        stuck["held_starts"] == Value::Null && stuck["states"]["starting"] == 6
    });
    assert_eq!(gateway.workers().len(), 7);
    let counted = metrics(&gateway);
    let held = "stoker_starts_held_total{reason=\"at-once\"} 44";
    assert!(counted.contains(held), "{counted}");
}

#[test]
fn the_rate_of_starts_is_kept() {
    let function = Function::fixture("inherit").scaling(1, 5, "");
    let gateway = Site::new("[starts]\nper-second = 1\nburst = 1")
        .function("f", &function)
        .start();
    let mut clients = crowd(&gateway, "/function/f/work?ms=5000", 5);
    for client in &mut clients {
        client.receive().expect("there is an answer").good();
    }
    // All but the first, unless the requests came seconds apart.
    let counted = metrics(&gateway);
    let value = |words: [&str; 2]| {
        let line = counted
            .lines()
            .find(|line| line.starts_with(words[0]) && line.contains(words[1]));
        let value = line.and_then(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok());
        value.unwrap_or_else(|| panic!("no {words:?} in {counted}"))
    };
    let held = value(["stoker_starts_held_total", "reason=\"rate\""]);
    assert!((1..=4).contains(&held), "{held}");
    let waits = value(["stoker_start_duration_seconds_count", "phase=\"gate\""]);
    assert!((1..=held).contains(&waits), "{waits} of {held}");
}

#[test]
fn a_start_without_memory_fails_and_says_why() {
    let function = Function::fixture("inherit")
        .with("[timeouts]\nstart = \"2s\"\n[backoff]\nreject-after = 1");
    let gateway = Site::new("[starts]\nmemory-reserve = \"1TiB\"")
        .function("f", &function)
        .start();
    let answer = gateway.get("/function/f/");
    let detail = answer.problem(502, "start-failed");
    let parts = [
        "of memory left",
        "1048576 MiB are reserved by starts.memory-reserve",
    ];
    for part in parts {
        assert!(detail.contains(part), "{detail}");
    }
    let failure = &summary(&gateway, "f")["last_failure"];
    assert_eq!(failure["kind"], "resources");
    assert!(gateway.workers().is_empty());
    // The setting takes effect at once.
    reload(&gateway, "\"1TiB\"", "0");
    wait_until("it starts again", || {
        gateway.get("/function/f/").status == 200
    });
}

#[test]
fn idle_instances_make_room_for_a_start_that_waits_for_memory() {
    let function = Function::fixture("inherit").scaling(1, 2, "");
    let kept = Function::fixture("inherit").scaling(1, 2, "min-scale = 1");
    let gateway = Site::new("[starts]\nmemory-reserve = 0")
        .function("idle", &function)
        .function("kept", &kept)
        .function("f", &function)
        .start();
    gateway.get("/function/idle/pid").good();
    gateway.get("/function/kept/pid").good();
    reload(&gateway, "memory-reserve = 0", "memory-reserve = \"1TiB\"");
    let mut waiting = crowd(&gateway, "/function/f/pid", 1);
    wait_until("the idle one is gone", || {
        let states = summary(&gateway, "idle")["states"].clone();
        states["ready"] == 0 && states["stopping"] == 0
    });
    let held = serde_json::json!({ "count": 1, "reason": "memory" });
    assert_eq!(summary(&gateway, "f")["held_starts"], held);
    assert_eq!(summary(&gateway, "kept")["states"]["ready"], 1);
    reload(&gateway, "memory-reserve = \"1TiB\"", "memory-reserve = 0");
    waiting[0].receive().expect("there is an answer").good();
}

/// Starts that are held when another gateway takes over are made by the one that held them.
#[test]
fn held_starts_survive_an_upgrade() {
    let function = Function::fixture("port")
        .env("FIXTURE_START_MS", "2000")
        .scaling(1, 2, "");
    let mut gateway =
        Site::new("[starts]\nat-once = 1\nyield-after = \"1h\"\n[timeouts]\nbody = \"10m\"")
            .function("f", &function)
            .start();
    let mut clients = [gateway.connect(), gateway.connect()];
    for client in &mut clients {
        client
            .request("POST /function/f/echo", "Content-Length: 6\r\n", b"abc")
            .expect("can be sent");
    }
    wait_until("one is held", || {
        summary(&gateway, "f")["held_starts"]["count"] == 1
    });
    gateway.upgrade();
    // Each has an instance of its own, for none of them ends before its body does.
    for client in &mut clients {
        client.receive_head().expect("the answer begins").good();
    }
    assert_eq!(gateway.workers().len(), 2);
    for client in &mut clients {
        client.send("def").expect("the body is taken");
        assert_eq!(client.receive_bytes(6).expect("the rest"), b"abcdef");
    }
    wait_until("nothing starts any more", || {
        summary(&gateway, "f")["states"]["starting"] == 0
    });
    gateway.get("/function/f/pid").good();
}
