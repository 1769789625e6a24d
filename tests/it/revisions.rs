//! The life of a published function, while it is called without a pause.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Client, Function, Gateway, Response, Site, wait_until};

const CALLERS: usize = 4;

/// One request to the admin socket.
pub(crate) fn admin(gateway: &Gateway, line: &str, body: Option<&Value>) -> Response {
    let socket = gateway.site().directory().join("state/admin.sock");
    let stream = UnixStream::connect(socket).expect("the gateway administers");
    let mut client = Client::over(stream);
    let body = body.map_or(String::new(), Value::to_string);
    let headers = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let sent = client.request(line, &headers, body.as_bytes());
    sent.expect("can be sent");
    client.receive().expect("an answer")
}

/// The fixture, which knows its version.
fn manifest(version: u32) -> String {
    Function::fixture("inherit")
        .scaling(8, 4, "")
        .env("VERSION", &version.to_string())
        .manifest()
}

fn publish(gateway: &Gateway, query: &str, manifest: &str) -> Response {
    let body = json!({ "manifest": manifest, "message": "by a test" });
    admin(gateway, &format!("PUT /v1/functions/f{query}"), Some(&body))
}

fn done(answer: Response) -> Response {
    assert!((200..300).contains(&answer.status), "{answer}");
    answer
}

/// Callers without a pause, and which version answered how often.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    answers: Mutex<BTreeMap<String, u64>>,
    failures: Mutex<Vec<String>>,
}

impl Load {
    fn call(&self, gateway: &Gateway) {
        let mut client = gateway.connect();
        while !self.over.load(Ordering::Relaxed) {
            let answer = client.get("/function/f/env");
            match answer {
                Ok(answer) if answer.is_good() => {
                    let version = answer.json()["VERSION"].as_str().map(str::to_owned);
                    let mut answers = self.answers.lock().expect("nobody panics with it");
                    *answers.entry(version.unwrap_or_default()).or_default() += 1;
                }
                other => {
                    let mut failures = self.failures.lock().expect("nobody panics with it");
                    failures.push(format!("{other:?}"));
                    return;
                }
            }
        }
    }

    fn count(&self, version: &str) -> u64 {
        let answers = self.answers.lock().expect("nobody panics with it");
        answers.get(version).copied().unwrap_or_default()
    }

    fn total(&self) -> u64 {
        let answers = self.answers.lock().expect("nobody panics with it");
        answers.values().sum()
    }

    /// Forgets all and waits for so many answers.
    fn next(&self, count: u64) {
        self.answers.lock().expect("nobody panics with it").clear();
        wait_until("more answers", || {
            self.total() >= count || self.has_failed()
        });
        self.check();
    }

    fn has_failed(&self) -> bool {
        !self
            .failures
            .lock()
            .expect("nobody panics with it")
            .is_empty()
    }

    fn check(&self) {
        let failures = self.failures.lock().expect("nobody panics with it");
        assert!(failures.is_empty(), "{failures:#?}");
    }
}

/// Ends the load, also when an assertion fails.
struct End<'l>(&'l Load);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_request_fails_through_the_life_of_a_function() {
    let gateway = Site::new("").start();
    let first = done(publish(&gateway, "", &manifest(1)));
    assert_eq!((first.status, first.number("number")), (201, 1));
    let load = Load::default();
    thread::scope(|scope| {
        let end = End(&load);
        for _ in 0..CALLERS {
            scope.spawn(|| load.call(&gateway));
        }
        load.next(200);
        refuse_broken_ones(&gateway, &load);
        divide(&gateway, &load);
        configure(&gateway, &load);
        drop(end);
    });
    load.check();
    forget(&gateway);
}

/// A manifest that is wrong, and a program that is not there: the one that serves serves on.
fn refuse_broken_ones(gateway: &Gateway, load: &Load) {
    let wrong = publish(gateway, "", "command = [\"./run\"]\nlisten = \"wrong\"\n");
    assert_eq!(wrong.status, 422, "{wrong}");
    assert_eq!(wrong.json()["type"], "urn:stoker:problem:invalid-package");
    let errors = wrong.json()["errors"].to_string();
    assert!(errors.contains("listen"), "{wrong}");
    let missing = publish(gateway, "", "command = [\"./not-there\"]\n");
    assert_eq!(missing.status, 422, "{missing}");
    load.next(200);
    assert_eq!(load.count("1"), load.total());
    let revisions = admin(gateway, "GET /v1/functions/f/revisions", None).json();
    assert_eq!(revisions.as_array().map(Vec::len), Some(1), "{revisions}");
}

/// A second revision gets nothing, then a part, and then nothing again.
fn divide(gateway: &Gateway, load: &Load) {
    let second = done(publish(gateway, "?traffic=none", &manifest(2)));
    assert_eq!(second.number("number"), 2);
    load.next(200);
    assert_eq!(load.count("1"), load.total());
    let alias = json!({ "revision": 2 });
    done(admin(
        gateway,
        "PUT /v1/functions/f/aliases/next",
        Some(&alias),
    ));
    for address in ["/function/f:next/env", "/function/f:r2/env"] {
        let answer = gateway.get(address).good();
        assert_eq!(answer.json()["VERSION"], "2", "{address}");
    }

    let parts = json!({"weights": [
        {"revision": 1, "percent": 90.0}, {"revision": 2, "percent": 10.0}
    ]});
    done(admin(gateway, "PUT /v1/functions/f/traffic", Some(&parts)));
    load.next(10_000);
    let part = 100.0 * load.count("2") as f64 / load.total() as f64;
    assert!((8.0..=12.0).contains(&part), "{part} % of {}", load.total());

    done(admin(
        gateway,
        "POST /v1/functions/f/rollback",
        Some(&json!({"to": 1})),
    ));
    load.next(500);
    // Those that were under way.
    assert!(load.count("2") <= CALLERS as u64, "{}", load.count("2"));
}

/// Settings make a revision, secrets new instances.
fn configure(gateway: &Gateway, load: &Load) {
    let settings = json!({"GREETING": "hello"});
    done(admin(
        gateway,
        "PUT /v1/functions/f/settings",
        Some(&settings),
    ));
    let secret = json!({"value": "never to be told"});
    let set = done(admin(
        gateway,
        "PUT /v1/functions/f/secrets/TOKEN",
        Some(&secret),
    ));
    assert_eq!(
        (set.number("version"), set.json()["as"].as_str()),
        (1, Some("environment"))
    );
    let told = gateway.get("/function/f/env").good().json();
    assert_eq!(told["GREETING"], "hello");
    assert_eq!(told["TOKEN"], "never to be told");
    load.next(200);
    let diff = admin(gateway, "GET /v1/functions/f/diff?from=1&to=2", None).json();
    let manifest = diff["manifest"].as_str().expect("a text");
    assert!(
        manifest.contains("-VERSION = \"1\"\n+VERSION = \"2\"\n"),
        "{diff}"
    );
    let diff = admin(gateway, "GET /v1/functions/f/diff?from=1&to=3", None).json();
    assert_eq!(diff["settings"], "+GREETING=hello\n", "{diff}");
    for line in ["GET /v1/functions/f/secrets", "GET /v1/audit?limit=1000"] {
        let told = done(admin(gateway, line, None)).text();
        assert!(!told.contains("never to be told"), "{told}");
        assert!(told.contains("TOKEN"), "{told}");
    }
}

/// Nothing is left, but who did what is known.
fn forget(gateway: &Gateway) {
    let package = done(admin(
        gateway,
        "GET /v1/functions/f/revisions/1/package",
        None,
    ));
    assert!(package.body.starts_with(b"PK"), "{package}");
    let printed = gateway.try_admin(&["revisions", "f"]).expect("a table");
    assert!(printed.starts_with("REVISION  TRAFFIC"), "{printed}");
    gateway.try_admin(&["delete", "f", "--yes"]).expect("goes");
    assert_eq!(gateway.get("/function/f/").status, 404);
    let audit = done(admin(gateway, "GET /v1/audit?limit=1000", None)).json();
    let rows = audit.as_array().expect("a list");
    let who = |row: &Value| row["who"].as_str() == Some("socket");
    assert!(rows.iter().all(who), "{audit}");
    let statuses: Vec<_> = rows
        .iter()
        .rev()
        .filter_map(|row| row["status"].as_u64())
        .collect();
    // Three publishes that were refused or done, another one, alias, traffic, rollback, settings,
    // secret, and the end.
    assert_eq!(statuses, [201, 422, 422, 201, 200, 200, 200, 200, 200, 204]);
    assert!(
        Path::new(
            &gateway
                .site()
                .directory()
                .join("state/registry/registry.db")
        )
        .exists()
    );
}
