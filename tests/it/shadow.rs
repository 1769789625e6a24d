//! A policy is tried in the shadow, promoted and rolled back, and no instance notices.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};

const SHADOW: &str = "idle-timeout = \"300s\"\n[scaling.shadow]\npolicy = \"kpa\"";

fn site() -> Site {
    let function = Function::fixture("port").scaling(1, 4, SHADOW);
    Site::new("").function("f", &function)
}

fn admin(gateway: &Gateway, arguments: &[&str]) -> Value {
    let text = gateway
        .try_admin(&[arguments, &["--json"]].concat())
        .expect("the gateway answers");
    serde_json::from_str(&text).expect("JSON")
}

/// The policy in force.
fn policy(gateway: &Gateway) -> String {
    let list = admin(gateway, &["ls"]);
    list[0]["policy"].as_str().expect("a policy").to_owned()
}

#[test]
fn a_policy_is_promoted_and_rolled_back_while_instances_stay() {
    let mut gateway = site().start();
    let pid = gateway.get("/function/f/pid").good().text();
    assert_eq!(policy(&gateway), "on-arrival");
    let history = admin(&gateway, &["policy", "promote", "f"]);
    assert_eq!(history["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(policy(&gateway), "kpa");
    assert_eq!(gateway.get("/function/f/pid").good().text(), pid);
    let twice = gateway.try_admin(&["policy", "promote", "f"]);
    assert!(twice.expect_err("it is in force").contains("already"));

    // It outlives the gateway, and another one takes over with it.
    gateway.signal(Signal::TERM);
    gateway.is_killed();
    gateway.restart();
    assert_eq!(policy(&gateway), "kpa");
    let pid = gateway.get("/function/f/pid").good().text();
    gateway.upgrade();
    assert_eq!(policy(&gateway), "kpa");

    admin(&gateway, &["policy", "rollback", "f"]);
    assert_eq!(policy(&gateway), "on-arrival");
    assert_eq!(gateway.get("/function/f/pid").good().text(), pid);
    let history = admin(&gateway, &["policy", "history", "f"]);
    assert_eq!(history["versions"][2]["source"], "rolled-back");
    let nothing = gateway.try_admin(&["policy", "rollback", "f"]);
    assert!(
        nothing
            .expect_err("none before")
            .contains("no policy before")
    );
}

#[test]
fn the_shadow_gets_the_same_requests_and_starts_nothing() {
    let gateway = site().start();
    let requests = 6;
    let pid = gateway.get("/function/f/pid").good().text();
    let fare = |side: &str| admin(&gateway, &["explain", "f"])["shadow"][side].clone();
    wait_until("the trial has begun", || fare("live").is_object());
    for _ in 0..requests {
        assert_eq!(gateway.get("/function/f/pid").good().text(), pid);
    }
    wait_until("the shadow has had the requests", || {
        fare("shadow")["requests"].as_u64() >= Some(requests)
    });
    let (live, shadow) = (fare("live"), fare("shadow"));
    assert_eq!(live["requests"], shadow["requests"]);
    assert!(shadow["starts"].as_u64() >= Some(1), "{shadow}");
    assert_eq!(gateway.workers().len(), 1);
}

#[test]
fn knobs_and_shadows_change_under_running_instances() {
    let gateway = site().start();
    let pid = gateway.get("/function/f/pid").good().text();
    let file = gateway.site().manifest("f");
    let manifest = fs::read_to_string(&file).expect("a manifest");
    for (from, to) in [
        ("policy = \"kpa\"", "policy = \"on-arrival\"\nmax-scale = 2"),
        (
            "idle-timeout = \"300s\"",
            "idle-timeout = \"200s\"\nmax-scale-up-rate = 10",
        ),
        ("[scaling.shadow]\npolicy = \"kpa\"", ""),
    ] {
        fs::write(&file, manifest.replace(from, to)).expect("the manifest can be written");
        gateway.try_admin(&["reload"]).expect("it is valid");
        assert_eq!(gateway.get("/function/f/pid").good().text(), pid, "{to}");
    }
    let nothing = gateway.try_admin(&["policy", "promote", "f"]);
    assert!(
        nothing
            .expect_err("nothing is tried")
            .contains("[scaling.shadow]")
    );
}
