//! Instances that fail again and again.

use crate::harness::{Function, Gateway, Site, in_parallel, wait_until};

fn pid(gateway: &Gateway) -> String {
    gateway.get("/function/f/pid").good().text()
}

/// Two instances that are idle.
pub(crate) fn pair(tables: &str) -> Gateway {
    let function = Function::fixture("inherit").scaling(1, 2, "").with(tables);
    let gateway = Site::new("").function("f", &function).start();
    wait_until("two instances run", || {
        in_parallel(2, |_| gateway.get("/function/f/work?ms=100").good());
        gateway.workers().len() == 2
    });
    gateway
}

fn is_aside(gateway: &Gateway) -> bool {
    let list = crate::overload::admin(gateway, "/v1/functions").json();
    list[0]["states"]["aside"] == 1
}

#[test]
fn an_instance_that_breaks_off_is_set_aside_and_comes_back() {
    let gateway = pair("[health]\nfailures = 3\nejection = \"6s\"");
    let bad = pid(&gateway);
    for _ in 0..3 {
        assert_eq!(pid(&gateway), bad, "the one used last is used first");
        gateway
            .get("/function/f/close")
            .problem(502, "instance-lost");
        if is_aside(&gateway) {
            panic!("an answer in between did not count");
        }
    }
    for _ in 0..3 {
        gateway
            .get("/function/f/close")
            .problem(502, "instance-lost");
    }
    let good = pid(&gateway);
    assert_ne!(good, bad);
    assert!(is_aside(&gateway));
    // When its time is over one request tries it, while the good one is busy.
    wait_until("the trial", || {
        in_parallel(2, |_| gateway.get("/function/f/work?ms=50").good());
        !is_aside(&gateway)
    });
    assert_eq!(gateway.workers().len(), 2, "none was replaced");
}

#[test]
fn the_last_one_stays_and_statuses_count_only_if_that_is_wanted() {
    let gateway = pair("[health]\nfailures = 2");
    for _ in 0..4 {
        assert_eq!(gateway.get("/function/f/status?code=500").status, 500);
    }
    assert!(!is_aside(&gateway));

    let gateway = pair("[health]\nfailures = 2\nejection = \"5m\"\nserver-errors = true");
    for _ in 0..10 {
        assert_eq!(gateway.get("/function/f/status?code=500").status, 500);
    }
    assert!(is_aside(&gateway));
    let text = crate::overload::admin(&gateway, "/metrics").text();
    for (state, count) in [("ready", 1), ("aside", 1), ("trial", 0)] {
        let (start, end) = (
            "stoker_instances{function=\"f\"",
            format!("\"{state}\"}} {count}"),
        );
        let mut lines = text.lines();
        let shown = lines.any(|line| line.starts_with(start) && line.ends_with(&end));
        assert!(shown, "{count} {state}: {text}");
    }
    pid(&gateway);
}
