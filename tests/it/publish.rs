//! Functions are published while the gateway serves, and whatever is acknowledged outlives it.

mod keep;
mod leaks;
mod secrets;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::harness::{Client, Function, Gateway, Response, Site, wait_until};
use crate::overload::admin;

/// In place of how many kills there are otherwise.
const KILLS: &str = "STOKER_KILLS";

fn socket(gateway: &Gateway) -> PathBuf {
    gateway.site().directory().join("state/admin.sock")
}

/// One request to the admin API.
fn ask(socket: &Path, line: &str, body: &Value) -> io::Result<Response> {
    let mut client = Client::over(UnixStream::connect(socket)?);
    let body = body.to_string();
    let headers = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    client.request(line, &headers, body.as_bytes())?;
    client.receive()
}

fn publish(socket: &Path, manifest: &str, files: &Value) -> io::Result<Response> {
    let body = json!({ "manifest": manifest, "files": files });
    ask(socket, "PUT /v1/functions/f", &body)
}

/// Publishes what must be accepted; the number of the revision.
fn published(gateway: &Gateway, function: &Function) -> u64 {
    let answer = publish(&socket(gateway), &function.manifest(), &json!({}));
    let answer = answer.expect("there is an answer");
    assert_eq!(answer.status, 201, "{answer}");
    number(&answer)
}

fn number(answer: &Response) -> u64 {
    answer.json()["number"].as_u64().expect("a number")
}

fn fixture(version: &str) -> Function {
    Function::fixture("inherit").env("VERSION", version)
}

/// What a variable of the function is.
fn variable(gateway: &Gateway, address: &str, name: &str) -> Value {
    let answer = gateway.get(&format!("/function/{address}/env"));
    answer.good().json()[name].clone()
}

#[test]
fn what_is_published_serves_at_once_and_after_a_crash() {
    let mut gateway = Site::new("").start();
    assert_eq!(gateway.get("/function/f/env").status, 404);
    assert_eq!(published(&gateway, &fixture("one")), 1);
    assert_eq!(variable(&gateway, "f", "VERSION"), "one");
    assert_eq!(published(&gateway, &fixture("two")), 2);
    assert_eq!(variable(&gateway, "f", "VERSION"), "two");
    assert_eq!(variable(&gateway, "f:r1", "VERSION"), "one");
    gateway.kill();
    gateway.restart();
    assert_eq!(variable(&gateway, "f", "VERSION"), "two");
    gateway.upgrade();
    assert_eq!(variable(&gateway, "f", "VERSION"), "two");
    assert_eq!(published(&gateway, &fixture("three")), 3);
    assert_eq!(variable(&gateway, "f", "VERSION"), "three");
}

#[test]
fn a_broken_package_leaves_the_old_one_serving() {
    let filed = Function::fixture("inherit").with("[[routes]]\npath = \"/filed\"");
    let gateway = Site::new("").function("filed", &filed).start();
    published(&gateway, &fixture("one"));
    let refused = |manifest: &str, files: &Value, status: u16, said: &[&str]| {
        let answer = publish(&socket(&gateway), manifest, files).expect("an answer");
        let text = answer.text();
        assert_eq!(answer.status, status, "{text}");
        for part in said {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        assert_eq!(variable(&gateway, "f", "VERSION"), "one");
    };
    let none = json!({});
    let wrong = "command = [\"true\"]\n[scaling]\nconcurrency = 0\nmax-scales = 3\n";
    let said = ["function.toml:3", "scaling.concurrency", "max-scale"];
    refused(wrong, &none, 422, &said);
    let taken = fixture("x")
        .with("[[routes]]\npath = \"/filed\"")
        .manifest();
    refused(&taken, &none, 422, &["/filed", "filed"]);
    let absent = Function::new("inherit", &["/no/such/program"]).manifest();
    refused(&absent, &none, 422, &["/no/such/program"]);
    let exits = fixture("x").env("FIXTURE_EXIT", "3").manifest();
    refused(&exits, &none, 422, &["3"]);
    let garbage = fixture("x").env("FIXTURE_GARBAGE", "1").manifest();
    refused(&garbage, &none, 422, &[]);
    let named = format!("name = \"g\"\n{}", fixture("x").manifest());
    refused(&named, &none, 422, &["name"]);
    let other = json!({ "manifest": fixture("x").manifest(), "files": {} });
    let answer = ask(&socket(&gateway), "PUT /v1/functions/filed", &other);
    assert_eq!(answer.expect("an answer").status, 409);
    let revisions = admin(&gateway, "/v1/functions/f/revisions").json();
    let listed = revisions.to_string();
    assert!(!listed.contains("\"number\":2"), "{listed}");
    // What was tried and refused is not left on the disk.
    let packages = gateway.site().directory().join("state/registry/packages");
    let count = || std::fs::read_dir(&packages).expect("is there").count();
    wait_until("only one package is left", || count() == 1);
}

/// Who publishes and never stops, and what it was told.
struct Publisher {
    socket: PathBuf,
    /// Numbers with the versions that were acknowledged under them.
    acknowledged: Mutex<BTreeMap<u64, String>>,
    ends: AtomicBool,
}

impl Publisher {
    fn run(&self, first: u32) {
        for version in first.. {
            if self.ends.load(Ordering::Relaxed) {
                return;
            }
            let version = version.to_string();
            let files = json!({ "version": version, "more": "x".repeat(5000) });
            let body = json!({ "manifest": fixture(&version).manifest(), "files": files });
            let line = "PUT /v1/functions/f?prove=false";
            let Ok(answer) = ask(&self.socket, line, &body) else {
                // The gateway was killed.
                continue;
            };
            // One that ends says so.
            if answer.status == 503 {
                continue;
            }
            assert_eq!(answer.status, 201, "{answer}");
            let mut acknowledged = self.acknowledged.lock().expect("nobody panicked");
            acknowledged.insert(number(&answer), version);
        }
    }
}

fn chance(below: u32) -> u32 {
    let mut bytes = [0; 4];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.expect("there is randomness");
    u32::from_le_bytes(bytes) % below
}

#[test]
fn a_gateway_that_is_killed_while_it_publishes_loses_nothing() {
    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok());
    let kills: u32 = kills.unwrap_or(8);
    // Everything is kept, and can be called by its number.
    let mut gateway = Site::new("[registry]\nkeep-revisions = 1000\naddressable = 100").start();
    let publisher = Publisher {
        socket: socket(&gateway),
        acknowledged: Mutex::default(),
        ends: AtomicBool::new(false),
    };
    let publisher = &publisher;
    for round in 0..kills {
        std::thread::scope(|scope| {
            publisher.ends.store(false, Ordering::Relaxed);
            let first = 1 + round * 1_000_000;
            let before = publisher.acknowledged.lock().expect("whole").len();
            let task = scope.spawn(move || publisher.run(first));
            // Some are killed while they publish for the first time.
            let acknowledged = || publisher.acknowledged.lock().expect("whole").len() - before;
            let least = chance(3) as usize;
            wait_until("some are acknowledged", || {
                acknowledged() >= least || task.is_finished()
            });
            std::thread::sleep(Duration::from_micros(chance(30_000).into()));
            gateway.kill();
            publisher.ends.store(true, Ordering::Relaxed);
            task.join().expect("nothing was refused");
        });
        gateway.restart();
        examine(&gateway, &publisher.acknowledged.lock().expect("whole"));
    }
    let acknowledged = publisher.acknowledged.lock().expect("whole").len();
    assert!(acknowledged > 0, "no publish ever ended");
}

#[test]
fn what_is_published_during_an_upgrade_is_served_after_it() {
    let mut gateway = Site::new("[registry]\nkeep-revisions = 1000\naddressable = 100").start();
    published(&gateway, &fixture("0"));
    let publisher = Publisher {
        socket: socket(&gateway),
        acknowledged: Mutex::default(),
        ends: AtomicBool::new(false),
    };
    let count = || publisher.acknowledged.lock().expect("whole").len();
    std::thread::scope(|scope| {
        let task = scope.spawn(|| publisher.run(1));
        for _ in 0..2 {
            let before = count();
            wait_until("more is published", || count() > before + 2);
            gateway.upgrade();
        }
        let before = count();
        wait_until("the last one publishes", || count() > before + 2);
        publisher.ends.store(true, Ordering::Relaxed);
        task.join().expect("nothing was refused");
    });
    let acknowledged = publisher.acknowledged.lock().expect("whole");
    let (_, newest) = acknowledged.last_key_value().expect("one at least");
    wait_until("the newest serves", || {
        variable(&gateway, "f", "VERSION") == **newest
    });
    examine(&gateway, &acknowledged);
}

/// Every acknowledged revision is there with its code, and the newest serves.
fn examine(gateway: &Gateway, acknowledged: &BTreeMap<u64, String>) {
    let Some((newest, _)) = acknowledged.last_key_value() else {
        return;
    };
    let code = gateway.site().directory().join("state/registry/code");
    for (number, version) in acknowledged {
        let revision = admin(gateway, &format!("/v1/functions/f/revisions/{number}"));
        assert_eq!(revision.status, 200, "revision {number}: {revision}");
        let digest = revision.json()["digest"].as_str().expect("one").to_owned();
        let file = code.join(digest).join("version");
        let content = std::fs::read_to_string(file).expect("its code is there");
        assert_eq!(&content, version, "revision {number}");
    }
    // One that was not acknowledged may have come after it.
    let serving = variable(gateway, "f", "VERSION");
    let number = admin(gateway, "/v1/functions/f/traffic").json();
    let number = number["weights"][0]["revision"].as_u64().expect("a number");
    assert!(number >= *newest, "{number} serves, {newest} was published");
    if let Some(version) = acknowledged.get(&number) {
        assert_eq!(serving, *version);
    }
}
