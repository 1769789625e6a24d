//! A secret is nowhere in what the binary writes, says or answers.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::{ask, fixture, publish, published, socket, variable};
use crate::harness::{Gateway, Site, wait_until};
use crate::overload::admin;

/// A part of every secret here, so that half of one would be found, too.
const MARK: &str = "zyzzogeton";

/// All that was seen, and where.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn note(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Every file below a directory but the functions' own.
    fn files(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).expect("can be read").flatten() {
            let kind = entry.file_type().expect("has a kind");
            if kind.is_dir() {
                self.files(&entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                self.note(entry.path().display().to_string(), bytes);
            }
        }
    }

    fn check(&self) {
        let mark = MARK.as_bytes();
        // Base64 of it, at each of the three places where it may begin.
        let coded = ["enl6em9nZXRv", "p5enpvZ2V0b2", "6eXp6b2dldG9u"];
        for (place, bytes) in &self.0 {
            let found = |part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
            let leaked = found(mark) || coded.iter().any(|it| found(it.as_bytes()));
            assert!(!leaked, "{place}: {}", String::from_utf8_lossy(bytes));
        }
        assert!(self.0.len() > 60, "{} places were looked at", self.0.len());
    }
}

/// A command of the binary: what it says, and whether it fails.
fn command(gateway: &Gateway, words: &[&str], input: &str, seen: &mut Seen) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(words)
        .arg("--admin")
        .arg(socket(gateway))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("can be executed");
    let mut stdin = child.stdin.take().expect("is a pipe");
    // Those that read nothing may have ended.
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    seen.note(format!("stoker {}", words.join(" ")), said);
}

fn set_all(gateway: &Gateway, seen: &mut Seen) {
    let secret = format!("the {MARK} of f");
    for words in [
        &["secrets", "f", "set", "TOKEN"][..],
        &["secrets", "f", "set", "CERT", "--file"],
        // These are refused.
        &["secrets", "f", "set", "BAD-NAME"],
        &["secrets", "Bad", "set", "TOKEN"],
    ] {
        command(gateway, words, &secret, seen);
    }
    let long = MARK.repeat(8000);
    command(gateway, &["secrets", "f", "set", "LONG"], &long, seen);
    for body in [
        json!({ "value": format!("{MARK}\0") }),
        json!({ "value": MARK, "as": MARK }),
        json!({ "valu": MARK }),
        json!(MARK),
        json!({ "value": [MARK] }),
        json!({ "value": long.repeat(8) }),
    ] {
        let answer = ask(&socket(gateway), "PUT /v1/functions/f/secrets/K", &body);
        // One that is too long may be cut off.
        if let Ok(answer) = answer {
            assert!((400..500).contains(&answer.status), "{}", answer.status);
            seen.note("a refusal", answer.to_string());
        }
    }
    wait_until("instances have both", || {
        variable(gateway, "f", "TOKEN") == secret.as_str()
            && variable(gateway, "f", "CERT_FILE").is_string()
    });
}

/// Starts that fail have the secrets, too.
fn fail(gateway: &Gateway, seen: &mut Seen) {
    for broken in [
        fixture("x").env("FIXTURE_EXIT", "3"),
        fixture("x").env("FIXTURE_GARBAGE", "1"),
        fixture("x").with("[build]\ncommand = [\"sh\", \"-c\", \"env; exit 1\"]"),
    ] {
        let refused = publish(&socket(gateway), &broken.manifest(), &json!({}));
        let refused = refused.expect("an answer");
        assert_eq!(refused.status, 422, "{refused}");
        seen.note("a refusal", refused.to_string());
    }
    for path in [
        "/function/f/no-such-path",
        "/function/f:nope/",
        "/function/f/%zz",
    ] {
        seen.note(path, gateway.get(path).to_string());
    }
}

fn look(gateway: &Gateway, seen: &mut Seen) {
    for words in [
        "ls",
        "ps",
        "ps f",
        "logs f",
        "explain f",
        "revisions f",
        "settings f",
        "secrets f",
        "audit",
        "traffic f",
        "alias f",
        "diff f 1 2",
        "record",
        "usage",
        "starts",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        command(gateway, &words, "", seen);
        command(gateway, &[&words[..], &["--json"]].concat(), "", seen);
    }
    let function = "/v1/functions/f";
    for path in [
        "/metrics",
        "/v1/functions",
        "/v1/audit",
        "/v1/gateway",
        "/v1/instances",
        "/v1/usage",
        "/api/deployments",
        function,
        "/v1/openapi.json",
    ] {
        seen.note(path, admin(gateway, path).to_string());
    }
    for below in [
        "revisions",
        "revisions/1",
        "secrets",
        "settings",
        "traffic",
        "aliases",
        "instances",
        "starts",
        "stats",
        "explain",
        "logs",
        "policy",
        "record",
        "budget",
        "diff?from=1&to=2",
    ] {
        let path = format!("{function}/{below}");
        seen.note(path.clone(), admin(gateway, &path).to_string());
    }
}

fn look_at_processes(gateway: &Gateway, seen: &mut Seen) {
    seen.note("standard error", gateway.errors());
    for process in gateway.processes() {
        for file in ["cmdline", "comm", "status"] {
            let place = PathBuf::from(format!("/proc/{}/{file}", process.pid));
            seen.note(
                place.display().to_string(),
                fs::read(place).unwrap_or_default(),
            );
        }
    }
    let main = gateway.pids_of_gateways();
    for pid in main.into_iter().chain([gateway.spawner()]) {
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("it lives");
        seen.note("the gateway's environment", environment);
    }
    seen.files(gateway.site().directory());
}

#[test]
fn a_secret_is_nowhere_in_what_is_written_or_said() {
    let lines = "[access-log]\npath = \"access.log\"\n[metrics]\n[record]\nfile = true";
    let mut gateway = Site::new(lines).start();
    published(&gateway, &fixture("one"));
    let mut seen = Seen::default();
    set_all(&gateway, &mut seen);
    published(&gateway, &fixture("two"));
    fail(&gateway, &mut seen);
    look(&gateway, &mut seen);
    look_at_processes(&gateway, &mut seen);
    seen.check();
    gateway.upgrade();
    variable(&gateway, "f", "TOKEN");
    look(&gateway, &mut seen);
    look_at_processes(&gateway, &mut seen);
    gateway.kill();
    gateway.restart();
    variable(&gateway, "f", "TOKEN");
    look(&gateway, &mut seen);
    look_at_processes(&gateway, &mut seen);
    seen.check();
}
