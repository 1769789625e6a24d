//! Idle instances are frozen: seen by operators, not by callers.
//!
//! Where this machine lets nobody make control groups, there is nothing to test.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Function, Gateway, Site, in_parallel, wait_until};
use crate::overload::{admin, metrics};

/// Frozen soon, and gone late.
const FREEZING: &str = "idle-timeout = \"10m\"\nfreeze-after = \"50ms\"";

/// A gateway with an instance that ran, and its process; none where it cannot be frozen.
fn start(scaling: &str, lines: &str) -> Option<(Gateway, String)> {
    let function = Function::fixture("inherit").scaling(1, 4, scaling);
    let gateway = Site::new(lines).function("f", &function).start();
    let first = gateway.get("/function/f/pid").good();
    assert_eq!(first.header("stoker-start"), Some("cold"));
    let pid = first.text().trim().to_owned();
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
    if own.contains("/stoker-") {
        return Some((gateway, pid));
    }
    eprintln!("not tested: instances have no control groups here");
    None
}

fn states(gateway: &Gateway) -> Vec<String> {
    let instances = admin(gateway, "/v1/instances").json();
    let instances = instances.as_array().expect("a list").iter();
    let state = |it: &serde_json::Value| it["state"].as_str().expect("a word").to_owned();
    instances.map(state).collect()
}

/// Waits until the one instance is to be frozen, and is: between the two its connection is closed.
fn wait_frozen(gateway: &Gateway) {
    wait_until("it is frozen", || {
        let list = admin(gateway, "/v1/instances").json();
        let list = list.as_array().expect("a list");
        let [it] = &list[..] else { return false };
        it["state"] == "frozen" && stands_still(it["pid"].as_u64().expect("a number"))
    });
}

/// Whether the kernel says so, by either version of control groups.
fn stands_still(pid: u64) -> bool {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
    groups.lines().any(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            return false;
        };
        let says = |file: String, word: &str| {
            fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == word))
        };
        match controllers {
            "" => ["", "/unified"].iter().any(|mount| {
                let file = format!("/sys/fs/cgroup{mount}{path}/cgroup.events");
                says(file, "frozen 1")
            }),
            "freezer" => says(
                format!("/sys/fs/cgroup/freezer{path}/freezer.state"),
                "FROZEN",
            ),
            _ => false,
        }
    })
}

#[test]
fn a_request_thaws_the_instance_and_operators_see_it() {
    let Some((gateway, pid)) = start(FREEZING, "") else {
        return;
    };
    wait_frozen(&gateway);
    for (command, shown) in [("ps", "frozen"), ("ls", "1 ready, 1 frozen")] {
        let text = gateway.try_admin(&[command]).expect("a table");
        assert!(text.contains(shown), "{text}");
    }
    let list = admin(&gateway, "/v1/functions").json();
    assert_eq!(list[0]["states"]["frozen"], 1);

    let thawed = gateway.get("/function/f/pid").good();
    assert_eq!(thawed.header("stoker-start"), Some("thawed"));
    assert!(thawed.timing("thaw").is_some(), "{thawed:?}");
    assert!(thawed.timing("start").is_none(), "{thawed:?}");
    assert_eq!(thawed.text().trim(), pid, "the same process");
    wait_frozen(&gateway);

    let value = |text: &str, start: &str| {
        let line = text.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in\n{text}"));
        let number = line.rsplit_once(' ').expect("a value").1;
        number.parse::<u64>().expect("a number")
    };
    let freezes = "stoker_freezes_total{function=\"f\"";
    wait_until("both are counted", || {
        value(&metrics(&gateway), freezes) >= 2
    });
    let text = metrics(&gateway);
    assert_eq!(
        value(&text, "stoker_thaw_duration_seconds_count{function=\"f\""),
        1
    );
    let first_byte = |start: &str| {
        let found = text.lines().find(|line| {
            line.starts_with("stoker_first_byte_seconds_count{function=\"f\"")
                && line.contains(&format!("start=\"{start}\""))
        });
        found.map(|line| line.ends_with(" 1"))
    };
    assert_eq!(first_byte("thawed"), Some(true));
    assert_eq!(first_byte("cold"), Some(true));
    assert_eq!(first_byte("warm"), None, "never mixed");
}

#[test]
fn a_burst_finds_frozen_instances_and_starts_no_more_than_are_missing() {
    let Some((gateway, _)) = start(FREEZING, "") else {
        return;
    };
    wait_until("four run", || {
        in_parallel(4, |_| gateway.get("/function/f/work?ms=50").good());
        gateway.workers().len() == 4
    });
    let before = gateway.workers();
    wait_until("all are frozen", || states(&gateway) == ["frozen"; 4]);
    in_parallel(4, |_| {
        let answer = gateway.get("/function/f/work?ms=50").good();
        assert_ne!(answer.header("stoker-start"), Some("cold"));
    });
    let mut after = gateway.workers();
    let mut before = before;
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(before, after);
}

#[test]
fn frozen_instances_live_through_an_upgrade() {
    let Some((mut gateway, pid)) = start(FREEZING, "") else {
        return;
    };
    wait_frozen(&gateway);
    gateway.upgrade();
    // It was frozen by the former one and stays so, for nobody asked for it.
    assert_eq!(states(&gateway), ["frozen"]);
    let thawed = gateway.get("/function/f/pid").good();
    assert_eq!(thawed.header("stoker-start"), Some("thawed"));
    assert_eq!(thawed.text().trim(), pid);
    wait_frozen(&gateway);
    assert_eq!(gateway.get("/function/f/pid").good().text().trim(), pid);
}

#[test]
fn frozen_instances_outlive_a_gateway_that_is_killed() {
    let Some((mut gateway, pid)) = start(FREEZING, "[adoption]\nenabled = true") else {
        return;
    };
    wait_frozen(&gateway);
    gateway.kill();
    gateway.restart();
    let answer = gateway.get("/function/f/pid").good();
    assert_ne!(answer.header("stoker-start"), Some("cold"));
    assert_eq!(answer.text().trim(), pid);
    wait_frozen(&gateway);
}

#[test]
fn frozen_instances_end_with_the_gateway() {
    let Some((mut gateway, pid)) = start(FREEZING, "") else {
        return;
    };
    wait_frozen(&gateway);
    gateway.signal(Signal::TERM);
    assert!(gateway.wait().success());
    assert!(!fs::exists(format!("/proc/{pid}")).expect("can be asked"));
}

#[test]
fn when_memory_is_short_idle_instances_give_it_back_and_go() {
    let scaling = "idle-timeout = \"2h\"\nfreeze-after = \"1h\"";
    // It is always short.
    let lines = "[freeze]\navailable-percentage = 100\ninterval = \"20ms\"";
    let Some((gateway, _)) = start(scaling, lines) else {
        return;
    };
    wait_until("it is told to go", || gateway.workers().is_empty());
    let told = gateway.wait_for_error(0, &["f: memory is short", "1 idle instances were frozen"]);
    assert!(told.contains("% of it is available"), "{told}");
    gateway.wait_for_error(0, &["f: memory is short", "1 that had done so before"]);
    let again = gateway.get("/function/f/pid").good();
    assert_eq!(again.header("stoker-start"), Some("cold"));
}

#[test]
fn what_cannot_be_frozen_runs_on_and_that_is_said() {
    let function = Function::fixture("inherit").scaling(1, 1, FREEZING);
    let lines = "[cgroups]\nenabled = \"false\"";
    let gateway = Site::new(lines).function("f", &function).start();
    gateway.get("/function/f/pid").good();
    gateway.wait_for_error(0, &["f: idle instances are not frozen", "cgroups.enabled"]);
    assert_eq!(states(&gateway), ["ready"]);
    let warm = gateway.get("/function/f/pid").good();
    assert_eq!(warm.header("stoker-start"), Some("warm"));
}
