//! What is kept of what was published, and what goes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{ask, fixture, number, publish, published, socket, variable};
use crate::harness::{Function, Gateway, Response, Site, wait_until};
use crate::overload::admin;

fn entries(gateway: &Gateway, name: &str) -> usize {
    let place = gateway.site().directory().join("state/registry").join(name);
    fs::read_dir(place).expect("is there").count()
}

fn with_file(gateway: &Gateway, version: &str) -> Response {
    let files = json!({ "more": version.repeat(100_000) });
    publish(&socket(gateway), &fixture(version).manifest(), &files).expect("an answer")
}

#[test]
fn packages_and_code_together_are_bounded() {
    let gateway = Site::new("[registry]\nmax-bytes = \"256KiB\"").start();
    for version in ["1", "2"] {
        let answer = with_file(&gateway, version);
        assert_eq!(answer.status, 201, "{answer}");
    }
    // The archives are short, for the files are: it is the code that is too much.
    let refused = with_file(&gateway, "3");
    assert_eq!(refused.json()["type"], "urn:stoker:problem:registry-full");
    assert!(refused.text().contains("registry.max-bytes"), "{refused}");
    let program = Function::new("inherit", &["./run"]);
    let build = "[build]\ncommand = [\"sh\", \"-c\", \"head -c 200000 /dev/zero > run\"]\n";
    let built = publish(
        &socket(&gateway),
        &program.with(build).manifest(),
        &json!({}),
    );
    let built = built.expect("an answer");
    assert_eq!(built.json()["type"], "urn:stoker:problem:registry-full");
    assert_eq!(variable(&gateway, "f", "VERSION"), "2");
    wait_until("what was refused is gone", || {
        (entries(&gateway, "packages"), entries(&gateway, "code")) == (2, 2)
    });
    let again = with_file(&gateway, "1");
    assert_eq!(
        (again.status, number(&again)),
        (201, 3),
        "its code is there"
    );
}

/// Numbers of revisions that were given up.
fn collected(gateway: &Gateway) -> BTreeSet<u64> {
    let list = admin(gateway, "/v1/functions/f/revisions").json();
    let list = list.as_array().expect("a list").iter();
    let gone = list.filter(|it| it["collected"] == true);
    gone.filter_map(|it| it["number"].as_u64()).collect()
}

/// The package and the code of a revision.
fn files(gateway: &Gateway, number: u64) -> [PathBuf; 2] {
    let detail = admin(gateway, &format!("/v1/functions/f/revisions/{number}")).json();
    let digest = detail["digest"].as_str().expect("a digest").to_owned();
    let registry = gateway.site().directory().join("state/registry");
    [
        registry.join(format!("packages/{digest}.zip")),
        registry.join("code").join(digest),
    ]
}

/// Calls without a pause, each with the answers that are right.
fn call(gateway: &Gateway, over: &AtomicBool, (path, right): (&str, &[&str])) -> Vec<String> {
    let mut client = gateway.connect();
    let mut wrong = Vec::new();
    while !over.load(Ordering::Relaxed) && wrong.is_empty() {
        match client.get(path) {
            Ok(answer) if answer.is_good() => {
                let version = answer.json()["VERSION"].clone();
                if !right.iter().any(|it| version == *it) {
                    wrong.push(format!("{path} is answered by {version}"));
                }
            }
            other => wrong.push(format!("{path}: {other:?}")),
        }
    }
    wrong
}

#[test]
fn what_nobody_uses_goes_and_no_request_fails_meanwhile() {
    let keep = "[registry]\nkeep-revisions = 2\ncollect-interval = \"1s\"\naddressable = 1";
    let mut gateway = Site::new(keep).start();
    published(&gateway, &fixture("1"));
    published(&gateway, &fixture("2"));
    let alias = json!({ "revision": 2 });
    let aliased = ask(
        &socket(&gateway),
        "PUT /v1/functions/f/aliases/stable",
        &alias,
    );
    assert_eq!(aliased.expect("an answer").status, 200);
    let (over, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let (gateway, over, wrong) = (&gateway, &over, &wrong);
        for target in [
            ("/function/f/env", &["2", "3", "4"][..]),
            ("/function/f/env", &["2", "3", "4"]),
            ("/function/f:stable/env", &["2"]),
        ] {
            scope.spawn(move || {
                let found = call(gateway, over, target);
                wrong.lock().expect("nobody panics with it").extend(found);
            });
        }
        let end = End(over);
        publish_more(gateway);
        wait_until("what nobody uses is given up", || {
            collected(gateway) == BTreeSet::from([1, 5])
        });
        see_files_go(gateway);
        drop(end);
    });
    let wrong = wrong.into_inner().expect("nobody panicked with it");
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (address, version) in [
        ("f:stable", "2"),
        ("f:r3", "3"),
        ("f:r4", "4"),
        ("f:r7", "7"),
    ] {
        assert_eq!(variable(&gateway, address, "VERSION"), version, "{address}");
    }
    for gone in ["f:r1", "f:r5"] {
        assert_eq!(gateway.get(&format!("/function/{gone}/env")).status, 404);
    }
    gateway.kill();
    gateway.restart();
    assert_eq!(variable(&gateway, "f:stable", "VERSION"), "2");
}

/// Ends the callers, also when an assertion fails.
struct End<'o>(&'o AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Revisions 3 and 4, which share the requests, and 5 to 7, which get none.
fn publish_more(gateway: &Gateway) {
    for (version, traffic) in [
        ("3", "all"),
        ("4", "50"),
        ("5", "none"),
        ("6", "none"),
        ("7", "none"),
    ] {
        let body = json!({ "manifest": fixture(version).manifest(), "files": {} });
        let line = format!("PUT /v1/functions/f?traffic={traffic}");
        let answer = ask(&socket(gateway), &line, &body).expect("an answer");
        assert_eq!(
            (answer.status, &*number(&answer).to_string()),
            (201, version)
        );
    }
    let traffic = admin(gateway, "/v1/functions/f/traffic").json();
    let weights = traffic["weights"].as_array().map(Vec::len);
    assert_eq!(weights, Some(2), "{traffic}");
}

/// What was given up has no files any more when it is old enough, and all else has them.
fn see_files_go(gateway: &Gateway) {
    let all: Vec<[PathBuf; 2]> = (1..=7).map(|it| files(gateway, it)).collect();
    let there = |it: &[PathBuf; 2]| it.iter().all(|path| path.exists());
    assert!(all.iter().all(there), "they are young: {all:?}");
    let old = SystemTime::now() - Duration::from_secs(2 * 3600);
    for path in all.iter().flatten() {
        let file = File::open(path).expect("it is there");
        file.set_modified(old).expect("its time can be set");
    }
    for gone in [&all[0], &all[4]] {
        wait_until("its files go", || gone.iter().all(|path| !path.exists()));
    }
    for number in [2, 3, 4, 6, 7] {
        assert!(there(&all[number - 1]), "revision {number}");
    }
}
