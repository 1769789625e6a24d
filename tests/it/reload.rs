//! New configurations under load.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::harness::{Function, Gateway, PATIENCE, Record, Site};

/// The function of this revision.
fn function(record: &Record, revision: &str) -> Function {
    Function::fixture("inherit")
        .env("REVISION", revision)
        .env("FIXTURE_RECORD", record.path())
        .scaling(1, 3, "")
}

/// The revision that serves now.
fn revision(gateway: &Gateway) -> String {
    let environment = gateway.get("/function/f/env").good().json();
    environment["REVISION"]
        .as_str()
        .expect("it is set")
        .to_owned()
}

/// Asks until this revision serves.
fn wait_for_revision(gateway: &Gateway, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    while revision(gateway) != wanted {
        assert!(Instant::now() < deadline, "revision {wanted} never served");
    }
}

/// The steps; meanwhile others call.
fn change(gateway: &Gateway, record: &Record) {
    let manifest = gateway.site().manifest("f");
    let mut old = gateway.connect();
    old.request("GET /function/f/work?ms=1000", "", b"")
        .expect("can be sent");
    record.wait_for("GET /work?ms=1000", 1);

    // As editors do that write in place: a changed file is enough.
    fs::write(&manifest, function(record, "2").manifest()).expect("can be written");
    wait_for_revision(gateway, "2");
    old.receive().expect("the old request finishes").good();

    let text = function(record, "3")
        .manifest()
        .replace("concurrency = 1", "concurrency = 0");
    let line = text
        .lines()
        .position(|line| line == "concurrency = 0")
        .expect("is there")
        + 1;
    let said = gateway.error_count();
    fs::write(&manifest, text).expect("can be written");
    gateway.wait_for_error(
        said,
        &[&format!("f/function.toml:{line}: scaling.concurrency"), "0"],
    );
    assert_eq!(revision(gateway), "2", "the old one serves on");
    let said = gateway.error_count();
    gateway.signal(Signal::HUP);
    gateway.wait_for_error(said, &["function.toml", "scaling.concurrency"]);
    assert_eq!(revision(gateway), "2", "the old one serves on");

    // As editors do that replace the file.
    let new = manifest.with_extension("new");
    fs::write(&new, function(record, "4").manifest()).expect("can be written");
    fs::rename(&new, &manifest).expect("can be renamed");
    gateway.signal(Signal::HUP);
    wait_for_revision(gateway, "4");
}

#[test]
fn a_change_takes_effect_without_losing_a_request_and_an_invalid_one_is_refused() {
    let record = Record::new("reload");
    let gateway = Site::new("").function("f", &function(&record, "1")).start();
    assert_eq!(revision(&gateway), "1");
    let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                while !over.load(Ordering::Relaxed) {
                    client
                        .get("/function/f/work?ms=2")
                        .expect("there is an answer")
                        .good();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let changing = scope.spawn(|| change(&gateway, &record));
        let result = changing.join();
        over.store(true, Ordering::Relaxed);
        assert!(result.is_ok(), "see above");
    });
    println!("{} answers during three changes", count.into_inner());
}

#[test]
fn functions_come_and_go() {
    let record = Record::new("reload-functions");
    let gateway = Site::new("").function("f", &function(&record, "1")).start();
    gateway.get("/function/g/work").problem(404, "not-found");
    let f = gateway.site().manifest("f");
    let g = gateway.site().manifest("g");
    fs::create_dir(g.parent().expect("has one")).expect("can be made");
    fs::copy(&f, &g).expect("can be copied");
    gateway.signal(Signal::HUP);
    eventually(&gateway, "/function/g/work", 200);
    fs::remove_file(&f).expect("can be removed");
    gateway.signal(Signal::HUP);
    eventually(&gateway, "/function/f/work", 404);
    gateway.get("/function/g/work").good();
}

/// Asks until the answer has this status.
fn eventually(gateway: &Gateway, path: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = gateway.get(path);
        if answer.status == status {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{path} never answers with {status} but {answer}"
        );
    }
}
