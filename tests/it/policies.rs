//! Policies and their knobs change while instances run, and what they remember outlives a gateway.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};
use crate::overload::admin;

/// Open at all times.
const ALWAYS: &str = "[[scaling.schedule]]\nfrom = \"* * * * *\"\nto = \"* * * * *\"\n\
    time-zone = \"Europe/Berlin\"\n";

/// One request per instance.
fn function(max_scale: u32, scaling: &str, tables: &str) -> Function {
    Function::fixture("inherit")
        .scaling(1, max_scale, scaling)
        .with(tables)
}

fn workers(gateway: &Gateway) -> BTreeSet<u32> {
    gateway.workers().into_iter().collect()
}

fn detail(gateway: &Gateway) -> Value {
    admin(gateway, "/v1/functions/f").json()
}

/// Waits until so many instances are up. Those that inherit their socket are ready before their
/// process runs.
fn wait_ready(gateway: &Gateway, count: u32) {
    wait_until("the instances are up", || {
        let ready = detail(gateway)["states"]["ready"] == count;
        ready && workers(gateway).len() == count as usize
    });
}

/// Changes the manifest and waits until it is in force; its largest scale tells it from others.
fn change(gateway: &Gateway, max_scale: u32, scaling: &str, tables: &str) {
    rewrite(gateway, max_scale, &function(max_scale, scaling, tables));
}

/// The same with a function of any kind.
fn rewrite(gateway: &Gateway, max_scale: u32, function: &Function) {
    let text = function.manifest();
    fs::write(gateway.site().manifest("f"), text).expect("can be written");
    wait_until("the manifest is in force", || {
        detail(gateway)["max_scale"] == max_scale
    });
}

/// Why the function has the instances that it has.
fn why(gateway: &Gateway) -> String {
    let text = gateway.try_admin(&["explain", "f", "--json"]);
    let told: Value = serde_json::from_str(&text.expect("an explanation")).expect("JSON");
    told["decision"]["why"].as_str().unwrap_or("").to_owned()
}

#[test]
fn every_policy_and_knob_changes_without_a_new_instance() {
    let start = function(4, "min-scale = 2\nidle-timeout = \"10m\"", "");
    let gateway = Site::new("").function("f", &start).start();
    wait_ready(&gateway, 2);
    let first = workers(&gateway);
    let knobs = "stable-window = \"6s\"\npanic-window-percentage = 20\n\
        panic-threshold-percentage = 300\nmax-scale-up-rate = 10\nmax-scale-down-rate = 3\n\
        scale-to-zero-grace-period = \"1s\"\nscale-to-zero-retention = \"1s\"\n\
        tick-interval = \"100ms\"\nmetric-aggregation-algorithm = \"weighted-exponential\"\n\
        target-utilization-percentage = 90\nactivation-scale = 2\n\
        scale-down-delay = \"1s\"";
    let changes = [
        ("kpa", "", ""),
        ("kpa", knobs, ""),
        ("histogram", "", ""),
        ("histogram", "histogram-range = \"1m\"", ""),
        ("goal", "", ""),
        ("fixed", "idle-timeout = \"5m\"\nfreeze-after = \"1m\"", ""),
        (
            "on-arrival",
            "idle-timeout = \"10m\"\nslow-start = \"1s\"",
            "",
        ),
        (
            "on-arrival",
            "",
            "[queue]\nmax-waiters = 5\nadmission = \"off\"",
        ),
        ("kpa", "", ALWAYS_TWO),
    ];
    for (number, (policy, knobs, tables)) in (5..).zip(changes) {
        let scaling = format!("policy = \"{policy}\"\nmin-scale = 2\n{knobs}");
        change(&gateway, number, &scaling, tables);
        let shown = if policy == "fixed" {
            "on-arrival"
        } else {
            policy
        };
        assert_eq!(detail(&gateway)["policy"], shown);
        gateway.get("/function/f/work").good();
        assert_eq!(workers(&gateway), first, "{policy} {knobs}");
    }
}

/// The same as `min-scale = 2`.
const ALWAYS_TWO: &str = "[[scaling.schedule]]\nfrom = \"0 0 * * *\"\nto = \"0 0 * * *\"\n\
    min-scale = 2\n";

#[test]
fn a_schedule_raises_the_lower_bound_of_every_policy() {
    for (number, policy) in (6..)
        .step_by(2)
        .zip(["on-arrival", "kpa", "histogram", "goal"])
    {
        let brief = format!("policy = \"{policy}\"\nidle-timeout = \"20ms\"");
        let gateway = Site::new("")
            .function("f", &function(5, &brief, ""))
            .start();
        change(&gateway, number, &brief, &format!("{ALWAYS}min-scale = 3"));
        wait_ready(&gateway, 3);
        let decision = &detail(&gateway)["decision"];
        assert_eq!(decision["clamp"], "the schedule", "{decision}");
        let held = workers(&gateway);
        gateway.get("/function/f/work").good();
        assert_eq!(workers(&gateway), held, "{policy}");
        if policy != "kpa" {
            // Which would wait for a minute and a half.
            change(&gateway, number + 1, &brief, "");
            wait_until("the instances are gone", || workers(&gateway).is_empty());
        }
    }
}

#[test]
fn the_heir_goes_on_with_what_the_policy_remembers() {
    let start = function(4, "policy = \"kpa\"", &format!("{ALWAYS}min-scale = 2"));
    let mut gateway = Site::new("").function("f", &start).start();
    wait_ready(&gateway, 2);
    let first = workers(&gateway);
    let mode = |gateway: &Gateway| detail(gateway)["decision"]["mode"].clone();
    assert_eq!(mode(&gateway), "stable");
    for _ in 0..2 {
        gateway.upgrade();
        gateway.wait_for_former();
        // Found by a gateway that remembers nothing, two instances would be a panic.
        assert_eq!(mode(&gateway), "stable");
        assert_eq!(workers(&gateway), first);
    }
}

#[test]
fn goal_starts_on_arrival_learns_and_goes_on_with_that() {
    let goal = |max_scale, more: &str| {
        let scaling = format!("policy = \"goal\"\n{more}");
        Function::fixture("port")
            .env("FIXTURE_START_MS", "100")
            .scaling(1, max_scale, &scaling)
    };
    let first = goal(4, "wait-p99 = \"20ms\"");
    let mut gateway = Site::new("").function("f", &first).start();
    assert!(workers(&gateway).is_empty());
    gateway.get("/function/f/work").good();
    assert_eq!(detail(&gateway)["policy"], "goal");
    let learned =
        |text: &str| text.contains(", a start takes ") && text.contains("an idle one stays");
    wait_until("the start was learned", || learned(&why(&gateway)));
    let text = why(&gateway);
    // The one request there was had to wait for the start.
    assert!(text.contains("100.00 % wait longer than 20ms"), "{text}");

    rewrite(&gateway, 5, &goal(5, "min-scale = 2\nwait-p99 = \"20ms\""));
    wait_ready(&gateway, 2);
    let kept = workers(&gateway);
    rewrite(&gateway, 6, &goal(6, "min-scale = 2\nwait-p99 = \"1s\""));
    let text = why(&gateway);
    assert!(
        text.contains("wait longer than 1s") && learned(&text),
        "{text}"
    );
    gateway.get("/function/f/work").good();
    assert_eq!(workers(&gateway), kept);

    gateway.upgrade();
    gateway.wait_for_former();
    // Nothing has started there, so that it can know this from the former gateway only.
    assert!(learned(&why(&gateway)), "{}", why(&gateway));
    assert_eq!(workers(&gateway), kept);
}
