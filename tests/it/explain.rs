//! Why a function has the instances that it has, and what other settings would give.

use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};

fn explain(gateway: &Gateway, arguments: &[&str]) -> Result<String, String> {
    gateway.try_admin(&[&["explain", "f"], arguments].concat())
}

fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let text = explain(gateway, &[arguments, &["--json"]].concat()).expect("an explanation");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_present_the_past_and_what_would_have_been() {
    let function = Function::fixture("port").scaling(1, 4, "idle-timeout = \"300s\"");
    let gateway = Site::new("").function("f", &function).start();
    let requests = 5;
    for _ in 0..requests {
        gateway.get("/function/f/pid").good();
    }
    wait_until("the last lease has ended", || {
        json(&gateway, &[])["instances"][0]["sentence"]
            .as_str()
            .is_some_and(|sentence| sentence.contains("is idle for"))
    });
    let text = explain(&gateway, &[]).expect("an explanation");
    let said = |part: &str| assert!(text.contains(part), "{part} in\n{text}");
    said("f has 1 instance, 0 requests in flight and 0 waiting.");
    said("at 1 per instance");
    said("after 5m00s of that; it was started ");
    said(" because requests waited, when 1 instance was wanted.");

    let then = json(&gateway, &["--at", "0s"]);
    assert_eq!(
        then["instances"].as_array().map(Vec::len),
        Some(1),
        "{then}"
    );
    assert!(then["decision"]["why"].is_string(), "{then}");
    let long_ago = explain(&gateway, &["--at", "1h"]).expect("an explanation");
    assert!(long_ago.contains("does not go back so far"), "{long_ago}");
    let wrong = explain(&gateway, &["--at", "noon"]).expect_err("no time");
    assert!(wrong.contains("2026-11-21T19:30:00Z"), "{wrong}");
    let future = explain(&gateway, &["--at", "2999-01-01T00:00:00Z"]).expect_err("not yet");
    assert!(future.contains("has passed"), "{future}");

    // Every request would have had an instance of its own if none stayed.
    let told = json(&gateway, &["--counterfactual", "idle-timeout=0s"]);
    let replayed = &told["counterfactual"];
    assert_eq!(replayed["recorded"]["requests"], requests);
    assert_eq!(replayed["recorded"]["starts"], 1, "{replayed}");
    assert_eq!(replayed["actual"]["starts"], 1, "{replayed}");
    assert_eq!(replayed["changed"]["delayed"], requests, "{replayed}");
    let wrong = explain(&gateway, &["--counterfactual", "idle=1"]).expect_err("no duration");
    assert!(wrong.contains("idle-timeout"), "{wrong}");
    // Nothing has changed.
    assert_eq!(gateway.workers().len(), 1);
}

/// Callers who each wait for their answer need one instance each, however quick the machine is; so
/// does the replay of what they did.
#[test]
fn a_replay_under_the_same_settings_starts_as_many_instances() {
    const CALLERS: usize = 3;
    let function = Function::fixture("port")
        .env("FIXTURE_START_MS", "100")
        .scaling(1, 8, "idle-timeout = \"300s\"");
    let gateway = Site::new("").function("f", &function).start();
    let together = std::sync::Barrier::new(CALLERS);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut client = gateway.connect();
                together.wait();
                for _ in 0..5 {
                    let answer = client.get("/function/f/work?ms=400");
                    answer.expect("an answer").good();
                }
            });
        }
    });
    wait_until("all leases have ended", || {
        let told = json(&gateway, &["--counterfactual", "policy=on-arrival"]);
        told["counterfactual"]["recorded"]["requests"] == 5 * CALLERS
    });
    let told = json(&gateway, &["--counterfactual", "policy=on-arrival"]);
    let replayed = &told["counterfactual"];
    assert_eq!(replayed["recorded"]["starts"], CALLERS, "{replayed}");
    assert_eq!(replayed["actual"], replayed["changed"], "{replayed}");
    // Callers do not wait for their answers in a replay: where starts began late, on a machine that
    // is busy, one may call before another is done.
    for figure in ["starts", "delayed"] {
        let count = replayed["actual"][figure].as_u64().expect("a count");
        assert!(
            (CALLERS as u64..=CALLERS as u64 + 1).contains(&count),
            "{replayed}"
        );
    }
}
