//! How zip pushes went is known after the gateway's end, too.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{BASIC, ask, gateway, zip};
use crate::harness::{Function, Gateway, wait_until};

fn look(address: SocketAddr, path: &str) -> Value {
    ask(address, &format!("GET {path}"), (BASIC, b"")).json()
}

/// Pushes without waiting for the end; where to look for it.
fn begin(address: SocketAddr, archive: &[u8]) -> String {
    let line = "POST /api/zipdeploy?isAsync=true&message=m";
    let begun = ask(address, line, (BASIC, archive));
    assert_eq!(begun.status, 202, "{begun}");
    begun.header("location").expect("where to look").to_owned()
}

/// A function whose build ends when there is a file `go` beside the gateway's.
fn slow(gateway: &Gateway) -> Vec<u8> {
    let directory = gateway.site().directory();
    let wait = format!(
        "until test -e {}/go; do sleep 0.02; done",
        directory.display()
    );
    let build = format!("[build]\ncommand = [\"sh\", \"-c\", {wait:?}]");
    let manifest = Function::fixture("inherit").with(&build).manifest();
    std::fs::write(directory.join("function.toml"), manifest).expect("can be written");
    let made = Command::new("python3")
        .current_dir(directory)
        .args(["-m", "zipfile", "-c", "slow.zip", "function.toml"])
        .status();
    assert!(made.expect("python can be run").success());
    std::fs::read(directory.join("slow.zip")).expect("was made")
}

/// Waits until the build of a push runs.
fn wait_for_build(gateway: &Gateway, address: SocketAddr, place: &str) {
    let home = gateway.site().directory().join("state/build/tmp");
    wait_until("it is being built", || {
        home.exists() && look(address, place)["status"] == 2
    });
}

#[test]
fn a_push_that_is_over_is_told_the_same_after_a_crash() {
    let (mut gateway, address) = gateway();
    let pushed = ask(address, "POST /api/zipdeploy", (BASIC, &zip(&gateway, 1)));
    assert_eq!(pushed.status, 200, "{pushed}");
    let broken = ask(address, "POST /api/zipdeploy", (BASIC, b"PK, but no zip"));
    assert_eq!(broken.status, 422, "{broken}");
    let all = look(address, "/api/deployments");
    let places = all.as_array().expect("a list").iter();
    let places: Vec<String> = places
        .flat_map(|it| [it["url"].clone(), it["log_url"].clone()])
        .map(|it| it.as_str().expect("an address").to_owned())
        .collect();
    assert_eq!(places.len(), 4);
    let tell = || -> Vec<Value> { places.iter().map(|it| look(address, it)).collect() };
    let before = tell();
    gateway.kill();
    gateway.restart();
    assert_eq!(tell(), before);
    gateway.upgrade();
    assert_eq!(tell(), before);
    assert_eq!(look(address, "/api/deployments"), all);
}

#[test]
fn a_push_during_which_the_gateway_is_killed_has_failed() {
    let (mut gateway, address) = gateway();
    let place = begin(address, &slow(&gateway));
    wait_for_build(&gateway, address, &place);
    gateway.kill();
    gateway.restart();
    let told = look(address, &place);
    assert_eq!(
        (&told["status"], &told["complete"]),
        (&3.into(), &true.into())
    );
    let text = told["status_text"].as_str().expect("a text");
    assert!(
        text.contains("ended before") && text.contains("push it again"),
        "{text}"
    );
    let log = look(address, &format!("{place}/log")).to_string();
    assert!(log.contains("push it again"), "{log}");
    assert_eq!(look(address, &place), told, "it stays so");
    let again = ask(address, "POST /api/zipdeploy", (BASIC, &zip(&gateway, 2)));
    assert_eq!((again.status, again.number("status")), (200, 4), "{again}");
    assert_eq!(look(address, &place), told);
}

#[test]
fn a_push_during_an_upgrade_comes_to_an_end() {
    let (mut gateway, address) = gateway();
    let place = begin(address, &slow(&gateway));
    wait_for_build(&gateway, address, &place);
    gateway.upgrade();
    assert!(matches!(
        look(address, &place)["status"].as_u64(),
        Some(2 | 3)
    ));
    let go = gateway.site().directory().join("go");
    std::fs::write(go, "").expect("can be written");
    wait_until("it is over", || look(address, &place)["complete"] == true);
    check(&gateway, address);
}

#[test]
fn what_pushes_are_said_to_have_published_is_there_whenever_the_gateway_is_killed() {
    let (mut gateway, address) = gateway();
    for round in 1..=6 {
        let place = begin(address, &zip(&gateway, round));
        // From before it is unpacked until after it serves.
        std::thread::sleep(Duration::from_millis(u64::from(round - 1) * 60));
        gateway.kill();
        gateway.restart();
        assert_eq!(look(address, &place)["complete"], true);
        check(&gateway, address);
    }
}

/// Every revision is of a push that succeeded, and every such push made one.
fn check(gateway: &Gateway, address: SocketAddr) {
    let all = look(address, "/api/deployments");
    let said = all.as_array().expect("a list").iter();
    let said: BTreeSet<u64> = said.filter_map(|it| it["revision"].as_u64()).collect();
    let there = crate::overload::admin(gateway, "/v1/functions/pushed/revisions");
    let there: BTreeSet<u64> = match there.status {
        404 => BTreeSet::new(),
        _ => {
            let list = there.json();
            let list = list.as_array().expect("a list").iter();
            list.filter_map(|it| it["number"].as_u64()).collect()
        }
    };
    assert_eq!(said, there, "{all}");
}
