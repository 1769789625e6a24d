//! Canaries: forth, back, and over the end of the gateway that began them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::fixture;
use super::shop::Shop;
use crate::harness::process::Handle;
use crate::harness::{Function, wait_until};

/// A canary of revision 2, which has each of its shares for so long.
fn begin(shop: &Shop, interval_ms: u64) {
    let before = shop.registry.store().traffic("f").expect("traffic");
    let state = json!({
        "revision": 2, "state": "running", "why": "", "percent": 20.0, "step": 0,
        "steps": [20.0, 50.0, 100.0], "interval_ms": interval_ms, "began_ms": 1, "since_ms": 1,
        "bounds": {"requests": 20, "error_percentage": 1.0, "latency_ratio": 100.0},
        "before": before, "placed": false, "moves": [],
    });
    let store = shop.registry.store();
    let set = store.set_canary("f", Some(&state.to_string()));
    set.expect("it can begin");
}

fn state(shop: &Shop) -> Value {
    let text = shop.registry.store().canary("f");
    let text = text.expect("readable").expect("is there");
    serde_json::from_str(&text).expect("JSON")
}

/// Calls the function until the canary is as it is wanted.
fn call_until(shop: &Shop, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut client = shop.gateway.connect();
    let mut last = Value::Null;
    wait_until(what, || {
        for _ in 0..20 {
            client.get("/function/f/work").expect("an answer");
        }
        last = state(shop);
        wanted(&last)
    });
    last
}

fn call_to_the_end(shop: &Shop) -> Value {
    call_until(shop, "the canary has ended", |it| it["state"] != "running")
}

/// The shares that it was given, each once in what it remembers and once in the audit log.
fn shares(shop: &Shop, ended: &Value) -> Vec<f64> {
    let moves = ended["moves"].as_array().expect("a list").iter();
    let shares: Vec<f64> = moves.filter_map(|it| it["percent"].as_f64()).collect();
    let audit = shop.registry.store().audit_log(0, 100);
    let audit = audit.expect("readable").into_iter();
    let told = audit.filter(|it| it.entry.who == "canary").count();
    assert_eq!(told, shares.len(), "{ended}");
    shares
}

#[test]
fn it_goes_on_if_it_is_good_and_back_if_it_is_not() {
    let shop = Shop::new("", &[fixture(), fixture()]);
    begin(&shop, 500);
    let ended = call_to_the_end(&shop);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(shares(&shop, &ended), [50.0, 100.0, 100.0]);
    wait_until("it has all", || shop.count(10) == BTreeMap::from([(2, 10)]));

    let broken = Function::new("inherit", &["/bin/false"]);
    let shop = Shop::new("", &[fixture(), broken]);
    begin(&shop, 500);
    let ended = call_to_the_end(&shop);
    assert_eq!(ended["state"], "rolled-back", "{ended}");
    wait_until("all is as before", || {
        let traffic = shop.registry.store().traffic("f").expect("traffic");
        traffic.percent(1) == 100.0
    });
    shop.gateway
        .wait_for_error(0, &["canary: revision 2 is rolled back"]);
}

#[test]
fn an_upgrade_and_kills_in_the_middle_of_steps_leave_it_the_same_steps() {
    let mut shop = Shop::new("", &[fixture(), fixture()]);
    begin(&shop, 1000);
    call_until(&shop, "it has its first share", |it| it["placed"] == true);
    // The former gateway lives on with this, and has counted enough to move on by itself.
    let mut stuck = shop.gateway.connect();
    let asked = stuck.request("GET /function/f:r1/stall", "", b"");
    asked.expect("can be sent");
    shop.count(200);
    shop.gateway.upgrade();
    let step = |step: u64| move |it: &Value| it["step"] == step && it["placed"] == true;
    call_until(&shop, "it moves on after the upgrade", step(1));
    drop(stuck);
    shop.gateway.wait_for_former();
    shop.gateway.kill();
    shop.gateway.restart();
    call_until(&shop, "it moves on after a kill", step(2));
    shop.gateway.kill();
    shop.gateway.restart();
    let ended = call_to_the_end(&shop);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(shares(&shop, &ended), [50.0, 100.0, 100.0]);
    wait_until("it has all", || shop.count(10) == BTreeMap::from([(2, 10)]));
}

#[test]
fn what_fails_during_an_upgrade_is_rolled_back_once() {
    let fixture_path = Path::new(env!("CARGO_BIN_EXE_stoker")).with_file_name("stoker-fixture");
    let good = std::env::temp_dir().join(format!("st-canary-{}", std::process::id()));
    fs::write(&good, "").expect("can be written");
    let script = format!(
        "test -e {} && exec {}",
        good.display(),
        fixture_path.display()
    );
    let second = Function::new("inherit", &["/bin/sh", "-c", &script]).scaling(10, 2, "");
    let mut shop = Shop::new("", &[fixture(), second]);
    // Only a failure moves it.
    begin(&shop, 3_600_000);
    call_until(&shop, "it serves", |it| {
        it["placed"] == true && !shop.workers(2).is_empty()
    });
    let mut stuck = shop.gateway.connect();
    let asked = stuck.request("GET /function/f:r1/stall", "", b"");
    asked.expect("can be sent");
    fs::remove_file(&good).expect("it is there");
    for pid in shop.workers(2) {
        Handle::of(pid).kill();
    }
    shop.gateway.upgrade();
    let ended = call_to_the_end(&shop);
    assert_eq!(ended["state"], "rolled-back", "{ended}");
    assert_eq!(shares(&shop, &ended), [0.0]);
    wait_until("all is as before", || {
        shop.count(10) == BTreeMap::from([(1, 10)])
    });
    drop(stuck);
    shop.gateway.wait_for_former();
}
