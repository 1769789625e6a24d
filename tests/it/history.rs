//! What functions did of late, as the portal draws it.

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};
use crate::revisions::admin;

fn gateway() -> Gateway {
    Site::new("[history]\ninterval = \"1s\"\n")
        .function("busy", &Function::fixture("inherit"))
        .function("idle", &Function::fixture("inherit"))
        .start()
}

fn history(gateway: &Gateway, query: &str) -> Value {
    let answer = admin(gateway, &format!("GET /v1/history{query}"), None);
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()
}

/// The times of the looks at which the function answered something.
fn busy(gateway: &Gateway) -> Vec<u64> {
    let history = history(gateway, "?names=busy");
    let times = &history["looks_ms"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let function = &history["functions"][0];
    let looks = list(&function["looks"])
        .into_iter()
        .zip(list(&function["rate"]));
    let answered = looks.filter(|(_, rate)| rate.as_f64() > Some(0.0));
    let at = |look: Value| times[look.as_u64()? as usize].as_u64();
    answered.filter_map(|(look, _)| at(look)).collect()
}

#[test]
fn a_function_has_points_where_it_did_something() {
    let gateway = gateway();
    for _ in 0..5 {
        gateway.get("/function/busy/work").good();
    }
    wait_until("the calls were seen", || !busy(&gateway).is_empty());
    let all = history(&gateway, "");
    assert_eq!(
        (all["enabled"].as_bool(), all["interval_ms"].as_u64()),
        (Some(true), Some(1000))
    );
    let functions = all["functions"].as_array().expect("a list");
    assert_eq!(functions.len(), 1, "idle ones have none: {all}");
    let function = &functions[0];
    assert_eq!(function["function"], "busy");
    let length = function["looks"].as_array().map(Vec::len);
    for list in [
        "rate",
        "errors",
        "cold",
        "p50_ms",
        "p99_ms",
        "instances",
        "waiting",
        "in_flight",
    ] {
        assert_eq!(
            function[list].as_array().map(Vec::len),
            length,
            "{list}: {function}"
        );
    }
    assert_eq!(function["instances"][0], 1);
    let last = all["looks_ms"]
        .as_array()
        .and_then(|looks| looks.last()?.as_u64());
    let since = format!("?since={}", last.expect("it was looked"));
    let later = history(&gateway, &since);
    assert!(
        later["looks_ms"][0]
            .as_u64()
            .is_none_or(|at| Some(at) > last),
        "{later}"
    );
    assert_eq!(
        history(&gateway, "?last=1")["looks_ms"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let refused = admin(&gateway, "GET /v1/history?since=x", None);
    assert_eq!(refused.status, 400, "{refused}");
}

#[test]
fn it_goes_on_after_an_upgrade_and_a_restart() {
    let mut gateway = gateway();
    gateway.get("/function/busy/work").good();
    wait_until("the call was seen", || !busy(&gateway).is_empty());
    let before = busy(&gateway);
    gateway.upgrade();
    wait_until("the heir has it", || busy(&gateway).starts_with(&before));
    gateway.signal(Signal::TERM);
    gateway.is_killed();
    gateway.restart();
    wait_until("the next one has it", || {
        busy(&gateway).starts_with(&before)
    });
}
