//! What is remembered of starts goes over with an upgrade.

use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};

/// What `stoker ps --starts` lists, newest first.
fn listed(gateway: &Gateway) -> Vec<Value> {
    let text = gateway.try_admin(&["ps", "--starts", "--json"]);
    let list: Value = serde_json::from_str(&text.expect("it lists")).expect("JSON");
    list.as_array().expect("a list").clone()
}

/// Three that start on request, one that fails to; the last three are remembered.
#[test]
fn starts_of_late_are_remembered() {
    let mut site = Site::new("[metrics]\nstarts = 3").function(
        "broken",
        &Function::new("inherit", &["sh", "-c", "echo no; exit 3"]),
    );
    for name in ["a", "b", "c"] {
        site = site.function(name, &Function::fixture("inherit").scaling(1, 1, ""));
    }
    let mut gateway = site.start();
    // Perhaps it is tried more than once.
    assert!(gateway.get("/function/broken").status >= 500);
    gateway.get("/function/a").good();
    gateway.get("/function/b").good();
    // With the first answers, which are told after they were given.
    let mut before = Vec::new();
    wait_until("two are complete", || {
        before = listed(&gateway);
        let complete = before.iter().filter(|one| one["first_byte_ms"].is_number());
        complete.count() == 2
    });
    let names: Vec<_> = before.iter().map(|one| one["function"].clone()).collect();
    assert_eq!(names, ["b", "a", "broken"]);
    gateway.upgrade();
    // They come aside, after the former gateway has departed.
    wait_until("they went over", || listed(&gateway).len() == 3);
    assert_eq!(listed(&gateway), before);

    // One more takes the place of the oldest, and goes over itself.
    gateway.get("/function/c").good();
    let mut then = Vec::new();
    wait_until("it is told, and its answer", || {
        then = listed(&gateway);
        then[0]["function"] == "c" && then[0]["first_byte_ms"].is_number()
    });
    assert_eq!(then[1..], before[..2]);
    gateway.upgrade();
    wait_until("they went over again", || listed(&gateway).len() == 3);
    assert_eq!(listed(&gateway), then);
}
