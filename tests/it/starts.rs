//! Cold starts: where their time goes, and what becomes of requests that were sent ahead of one
//! that fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::harness::{Client, Function, Gateway, Response, Site, wait_until};

/// The parts of a start, in order.
const PHASES: [&str; 7] = [
    "decide", "gate", "prepare", "spawn", "clone", "exec", "listen",
];

/// What `stoker ps --starts` prints with these arguments besides.
fn starts(gateway: &Gateway, arguments: &[&str]) -> String {
    let socket = gateway.site().directory().join("state/admin.sock");
    let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(["ps", "--starts"])
        .args(arguments)
        .arg("--admin")
        .arg(socket)
        .output()
        .expect("the binary can be executed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same as JSON.
fn listed(gateway: &Gateway, arguments: &[&str]) -> Vec<Value> {
    let text = starts(gateway, &[arguments, &["--json"]].concat());
    let list: Value = serde_json::from_str(&text).expect("JSON");
    list.as_array().expect("a list").clone()
}

fn number(value: &Value, key: &str) -> f64 {
    let number = value[key].as_f64();
    number.unwrap_or_else(|| panic!("no number {key} in {value}"))
}

#[test]
fn every_start_is_listed_with_parts_that_sum_up() {
    let site = Site::new("")
        .function("inherits", &Function::fixture("inherit"))
        .function("binds", &Function::fixture("port"))
        .function(
            "kept",
            &Function::fixture("inherit").with("[scaling]\nmin-scale = 1"),
        );
    let gateway = site.start();
    let cold = ["inherits", "binds"].map(|name| {
        let answer = gateway.get(&format!("/function/{name}/pid")).good();
        assert_eq!(answer.header("stoker-start"), Some("cold"));
        let warm = gateway.get(&format!("/function/{name}/pid")).good();
        for phase in PHASES.into_iter().chain(["start"]) {
            assert_eq!(
                warm.timing(phase),
                None,
                "{phase} is told of a warm request"
            );
        }
        let timing = |name| {
            answer
                .timing(name)
                .unwrap_or_else(|| panic!("{name}: {answer}"))
        };
        let sum: f64 = PHASES.map(timing).iter().sum();
        // Each is cut to a microsecond.
        assert!((timing("start") - sum).abs() < 0.01, "{answer}");
        assert!(timing("start") <= timing("total") + 0.01, "{answer}");
        assert!(timing("exec") > 0.0 && timing("clone") > 0.0, "{answer}");
        let binds = name == "binds";
        assert_eq!(timing("listen") > 0.0, binds, "{answer}");
        answer
    });
    wait_until("the third one has started", || {
        listed(&gateway, &[]).len() == 3
    });

    for (name, cause) in [
        ("inherits", "request"),
        ("binds", "request"),
        ("kept", "policy"),
    ] {
        let mine = listed(&gateway, &[name]);
        assert_eq!(mine.len(), 1, "{name}");
        let start = &mine[0];
        assert_eq!(
            (&start["function"], &start["cause"], &start["result"]),
            (&name.into(), &cause.into(), &"ready".into()),
            "{start}"
        );
        let phases = &start["phases"];
        let sum: f64 = PHASES
            .map(|phase| number(phases, &format!("{phase}_ms")))
            .iter()
            .sum();
        assert!((number(phases, "total_ms") - sum).abs() < 0.01, "{start}");
        let asked = cause == "request";
        assert_eq!(start["connect_ms"].is_number(), asked, "{start}");
        assert_eq!(start["first_byte_ms"].is_number(), asked, "{start}");
    }
    let start = &listed(&gateway, &["inherits"])[0];
    let told = cold[0].timing("first-byte").expect("it is told");
    assert!(
        (number(start, "first_byte_ms") - told).abs() < 0.01,
        "{start}"
    );
    assert_eq!(start["pid"].to_string(), cold[0].text().trim());

    check_table(&starts(&gateway, &[]));
}

/// A heading with every part, and three starts.
fn check_table(text: &str) {
    let heading = text.lines().next().expect("a heading");
    for phase in PHASES.into_iter().chain(["connect", "first-byte"]) {
        assert!(heading.contains(&phase.to_uppercase()), "{text}");
    }
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn parts_of_starts_are_histograms() {
    let gateway = Site::new("")
        .function("f", &Function::fixture("inherit"))
        .start();
    gateway.get("/function/f/pid").good();
    gateway.get("/function/f/pid").good();
    let socket = gateway.site().directory().join("state/admin.sock");
    let stream = std::os::unix::net::UnixStream::connect(socket).expect("it accepts");
    let text = Client::over(stream)
        .get("/metrics")
        .expect("an answer")
        .text();
    // Only starts that are held have the phase.
    let held = text.contains("phase=\"gate\"");
    assert!(!held, "nothing holds a lone start");
    let others = PHASES.into_iter().filter(|phase| *phase != "gate");
    for phase in others.chain(["connect", "first-byte"]) {
        let count = text.lines().find(|line| {
            line.starts_with("stoker_start_duration_seconds_count{")
                && line.contains(&format!("phase=\"{phase}\""))
        });
        let count = count.unwrap_or_else(|| panic!("no {phase} in {text}"));
        assert!(count.ends_with(" 1"), "only the cold one counts: {count}");
    }
}

#[test]
fn only_so_many_starts_are_remembered() {
    let gateway = Site::new("[metrics]\nstarts = 2")
        .function("a", &Function::fixture("inherit"))
        .function("b", &Function::fixture("inherit"))
        .function("c", &Function::fixture("inherit"))
        .start();
    for name in ["a", "b", "c"] {
        gateway.get(&format!("/function/{name}/pid")).good();
    }
    let names: Vec<Value> = listed(&gateway, &[])
        .into_iter()
        .map(|start| start["function"].clone())
        .collect();
    assert_eq!(names, ["c", "b"], "the newest comes first");
}

/// A request for each of these bodies, all at once.
fn at_once(gateway: &Gateway, bodies: &[Vec<u8>]) -> Vec<Response> {
    let send = |body: &Vec<u8>| {
        let mut client = gateway.connect();
        let headers = format!("Content-Length: {}\r\n", body.len());
        let sent = client.request("POST /function/f/echo", &headers, body);
        // The gateway may have answered a long one before it was all sent.
        sent.ok();
        client.receive().expect("an answer")
    };
    thread::scope(|scope| {
        let sending: Vec<_> = bodies
            .iter()
            .map(|body| scope.spawn(move || send(body)))
            .collect();
        let answers = sending.into_iter();
        answers
            .map(|answer| answer.join().expect("no panic"))
            .collect()
    })
}

/// Short ones and one that is longer than what is kept.
fn bodies() -> Vec<Vec<u8>> {
    let lengths = [0, 1, 1000, 60_000, 300_000, 2, 3, 4];
    lengths
        .into_iter()
        .map(|length| vec![b'a' + (length % 26) as u8; length])
        .collect()
}

#[test]
fn requests_ahead_of_a_program_that_is_not_there_learn_why() {
    let function = Function::new("inherit", &["./nowhere"])
        .scaling(1, 50, "")
        .with("[timeouts]\nqueue = \"20s\"\n[backoff]\ninitial = \"20ms\"");
    let gateway = Site::new("").function("f", &function).start();
    for answer in at_once(&gateway, &bodies()) {
        let detail = answer.problem(502, "start-failed");
        assert!(detail.contains("no such file"), "{detail}");
    }
    let failed = listed(&gateway, &["f"]);
    assert!(!failed.is_empty());
    for start in failed {
        assert_eq!(start["result"], "not-executable", "{start}");
        let detail = start["detail"].as_str().expect("a cause");
        assert!(detail.contains("no such file"), "{start}");
        assert!(number(&start, "total_ms") > 0.0 && start["phases"].is_null());
    }
    assert!(starts(&gateway, &[]).contains("not-executable: cannot execute"));
}

#[test]
fn requests_ahead_of_a_program_that_cannot_run_yet_are_served_later() {
    let function = Function::new("inherit", &["./program"])
        .scaling(1, 50, "")
        .with("[timeouts]\nqueue = \"20s\"\n[backoff]\ninitial = \"20ms\"\nreject-after = 100");
    let gateway = Site::new("").function("f", &function).start();
    let fixture =
        std::path::Path::new(env!("CARGO_BIN_EXE_stoker")).with_file_name("stoker-fixture");
    let program = gateway.site().directory().join("functions/f/program");
    fs::copy(fixture, &program).expect("it can be copied");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    // The kernel executes nothing that is open for writing.
    let busy = fs::File::options()
        .append(true)
        .open(&program)
        .expect("it is ours");
    let bodies = bodies();
    thread::scope(|scope| {
        let answers = scope.spawn(|| at_once(&gateway, &bodies));
        wait_until("a start has failed", || {
            let starts = listed(&gateway, &[]);
            starts.iter().any(|start| start["result"] == "resources")
        });
        drop(busy);
        let answers = answers.join().expect("no panic");
        for (answer, body) in answers.into_iter().zip(&bodies) {
            assert!(answer.good().body == *body, "{} bytes", body.len());
        }
    });
}
