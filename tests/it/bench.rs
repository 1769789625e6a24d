//! `stoker bench` against the binary itself, and against a server that knows nothing of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Function, Gateway, Site};

fn gateway() -> Gateway {
    let function = Function::fixture("inherit").scaling(1, 4, "");
    Site::new("").function("f", &function).start()
}

/// Runs `stoker bench` with these words, quietly, and a report in this file.
fn bench(words: &[&str], report: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("bench")
        .args(words)
        .args(["--quiet", "--json"])
        .arg(report)
        .output()
        .expect("the binary can be executed")
}

/// The report of a bench of the function `f` that ends well.
fn measured(gateway: &Gateway, words: &[&str]) -> Value {
    let report = gateway.site().directory().join("report.json");
    let admin = admin(gateway);
    let words = [words, &["--admin", &admin]].concat();
    let output = bench(&words, &report);
    assert!(output.status.success(), "{words:?} ended with {output:?}");
    read(&report)
}

fn admin(gateway: &Gateway) -> String {
    let socket = gateway.site().directory().join("state/admin.sock");
    socket.display().to_string()
}

fn read(report: &Path) -> Value {
    let text = std::fs::read(report).expect("there is a report");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// The repetitions of a series; none if there is no such series.
fn repetitions<'r>(report: &'r Value, name: &str) -> &'r [Value] {
    let series = report["series"].as_array().expect("a list");
    let found = series.iter().find(|series| series["name"] == name);
    found.map_or(&[], |series| {
        series["repetitions"].as_array().expect("a list")
    })
}

/// How many samples a histogram has.
fn samples(histogram: &Value) -> u64 {
    let buckets = histogram.as_array().map_or(&[][..], Vec::as_slice);
    buckets.iter().filter_map(|bucket| bucket[1].as_u64()).sum()
}

fn is_empty(object: &Value) -> bool {
    object.as_object().is_some_and(serde_json::Map::is_empty)
}

#[test]
fn cold_samples_are_cold_and_have_phases() {
    let gateway = gateway();
    let words = ["cold", "f", "--count", "10", "--repetitions", "2"];
    let report = measured(&gateway, &words);
    assert_eq!(
        (&report["format"], &report["mode"]),
        (&1.into(), &"cold".into())
    );
    assert_eq!(report["settings"]["count"], "10");
    let cold = repetitions(&report, "cold");
    assert_eq!(cold.len(), 2);
    for one in cold {
        assert_eq!(one["answered"], 10);
        assert!(
            is_empty(&one["failed"]) && is_empty(&one["discarded"]),
            "{one}"
        );
        assert_eq!(
            one["figures"]["starts"], 10.0,
            "each has a start of its own"
        );
        assert_eq!(samples(&one["first_byte"]), 10);
        for phase in ["queue", "start", "connect", "first-byte", "total"] {
            assert_eq!(samples(&one["phases"][phase]), 10, "{phase}");
        }
    }
    for one in repetitions(&report, "warm") {
        assert_eq!(one["answered"], 10);
        assert!(
            one["phases"].get("start").is_none(),
            "none of them started anything"
        );
    }
}

#[test]
fn warm_samples_are_warm() {
    let gateway = gateway();
    let words = [
        "warm",
        "f",
        "--rate",
        "50",
        "--warm-up",
        "0s",
        "--duration",
        "1s",
        "--repetitions",
        "1",
    ];
    let report = measured(&gateway, &words);
    let [one] = repetitions(&report, "warm") else {
        panic!("{report}");
    };
    let cold = one["discarded"]["cold"]
        .as_u64()
        .expect("the first one was cold");
    assert!(cold >= 1);
    assert_eq!(one["answered"].as_u64(), Some(50 - cold));
    assert!(
        one["phases"].get("start").is_none(),
        "no cold sample is among them"
    );
    assert!(is_empty(&one["failed"]), "{one}");
}

/// Instances do nothing but wait, so that no schedule is shorter than the ideal one.
#[test]
fn a_burst_is_compared_with_the_ideal_schedule() {
    let gateway = gateway();
    let words = [
        "burst",
        "20",
        "f",
        "--path",
        "work?ms=20",
        "--work",
        "20ms",
        "--instances",
        "4",
        "--repetitions",
        "2",
    ];
    let report = measured(&gateway, &words);
    let bursts = repetitions(&report, "burst");
    assert_eq!(bursts.len(), 2);
    for (index, burst) in bursts.iter().enumerate() {
        assert_eq!(burst["answered"], 20);
        assert!(is_empty(&burst["failed"]), "{burst}");
        assert_eq!(burst["figures"]["ideal_s"], 0.1);
        assert!(burst["figures"]["ratio"].as_f64().expect("a number") >= 1.0);
        assert_eq!(samples(&burst["total"]), 1, "a burst is one sample");
        let single = ["burst-cold", "burst-rest"].map(|name| repetitions(&report, name).get(index));
        let single = single.into_iter().flatten();
        let single: u64 = single.filter_map(|one| one["answered"].as_u64()).sum();
        assert_eq!(single, 20);
    }
}

#[test]
fn nothing_fails_while_instances_go() {
    let gateway = gateway();
    let words = [
        "drain",
        "f",
        "--rate",
        "100",
        "--duration",
        "2s",
        "--repetitions",
        "1",
        "--every",
        "200ms",
        "--action",
        "evict,scale",
    ];
    let report = measured(&gateway, &words);
    let [one] = repetitions(&report, "drain") else {
        panic!("{report}");
    };
    let cold = repetitions(&report, "drain-cold").iter();
    let answered = cold.chain([one]).filter_map(|one| one["answered"].as_u64());
    assert_eq!(answered.sum::<u64>(), 200, "{}", report["notes"]);
    assert!(is_empty(&one["failed"]), "{}", report["notes"]);
    for action in ["evict", "scale"] {
        assert!(one["figures"][action].as_f64() >= Some(1.0), "{one}");
    }
    let after = gateway.try_admin(&["ls", "--json"]).expect("it lists");
    let after: Value = serde_json::from_str(&after).expect("it is JSON");
    assert!(
        after[0]["scale_override"].is_null(),
        "the policy has it back"
    );
}

#[test]
fn a_soak_has_windows_and_the_gateways_memory() {
    let gateway = gateway();
    let words = [
        "soak",
        "f",
        "--rate",
        "50",
        "--duration",
        "2s",
        "--windows",
        "8",
    ];
    let report = measured(&gateway, &words);
    let windows = repetitions(&report, "soak");
    assert_eq!(windows.len(), 8);
    for window in windows {
        assert!(
            window["figures"]["rss_bytes"].as_f64() > Some(1e6),
            "{window}"
        );
    }
}

#[test]
fn steps_rise() {
    let gateway = gateway();
    let words = [
        "step",
        "f",
        "--from",
        "20",
        "--to",
        "40",
        "--steps",
        "2",
        "--duration",
        "500ms",
        "--warm-up",
        "100ms",
        "--beyond",
        "9",
    ];
    let report = measured(&gateway, &words);
    for (name, rate) in [("step-1", 20.0), ("step-2", 40.0)] {
        let [step] = repetitions(&report, name) else {
            panic!("{report}");
        };
        assert_eq!(step["offered_per_s"], rate);
        assert!(step["figures"].get("sustained").is_some());
    }
}

#[test]
fn a_trace_is_replayed_call_by_call() {
    let gateway = gateway();
    let trace = gateway.site().directory().join("trace.csv");
    let calls = "at_s,function,duration_ms\n0,a,1\n0.1,b,2\n0.2,a,1\n10,c,1\n";
    std::fs::write(&trace, calls).expect("it can be written");
    let trace = trace.display().to_string();
    let words = [
        "replay",
        &trace,
        "f",
        "--path",
        "work?ms={duration_ms}",
        "--length",
        "1s",
        "--speed",
        "2",
    ];
    let report = measured(&gateway, &words);
    let answered = ["replay", "replay-cold"].map(|name| repetitions(&report, name));
    let answered = answered.into_iter().flatten();
    let answered = answered.filter_map(|one| one["answered"].as_u64());
    assert_eq!(
        answered.sum::<u64>(),
        3,
        "the fourth call is outside of the part"
    );
    assert!(
        report["url"]
            .as_str()
            .expect("a text")
            .ends_with("/function/f/work?ms=1")
    );
}

#[test]
fn results_are_written_and_compared() {
    let scratch = Scratch::new("results");
    let path = |name: &str| scratch.0.join(name).display().to_string();
    let url = format!("http://{}/", plain_server());
    let stoker = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
            .args(words)
            .output()
            .expect("the binary can be executed");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (json, csv, html) = (path("a.json"), path("a.csv"), path("a.html"));
    let table = stoker(&[
        "bench",
        "warm",
        &url,
        "--duration",
        "200ms",
        "--repetitions",
        "3",
        "--warm-up",
        "0s",
        "--json",
        &json,
        "--csv",
        &csv,
        "--html",
        &html,
    ]);
    assert!(table.contains("warm"), "{table}");
    assert!(read(Path::new(&json))["machine"]["cpus"].as_u64() >= Some(1));
    for file in [&csv, &path("a.cdf.csv"), &html] {
        let text = std::fs::read_to_string(file).expect("it was written");
        assert!(text.contains("warm"), "{file}");
    }
    let compared = stoker(&["bench", "compare", &json, &json, "--json"]);
    let compared: Value = serde_json::from_str(&compared).expect("it is JSON");
    let figures = compared["figures"].as_array().expect("a list");
    let differ = |figure: &&Value| figure["verdict"] == "faster" || figure["verdict"] == "slower";
    assert!(!figures.is_empty());
    assert_eq!(figures.iter().find(differ), None, "it is the same run");
    assert!(stoker(&["bench", "compare", &json, &json]).contains(&json));
}

/// Answers every request with nothing, for as long as the tests run.
fn plain_server() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let directory = PathBuf::from(format!("/tmp/st-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("/tmp can be written to");
        Scratch(directory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_command_makes_any_server_cold() {
    let scratch = Scratch::new("command");
    let (log, file) = (scratch.0.join("log"), scratch.0.join("report.json"));
    let url = format!("http://{}/", plain_server());
    let command = format!("echo cold >> {}", log.display());
    let words = [
        "cold",
        &url,
        "--cold-command",
        &command,
        "--count",
        "5",
        "--repetitions",
        "2",
        "--warm-up",
        "1",
        "--connection",
        "new",
    ];
    let output = bench(&words, &file);
    assert!(output.status.success(), "{output:?}");
    let report = read(&file);
    for name in ["cold", "warm"] {
        let all = repetitions(&report, name);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|one| one["answered"] == 5), "{report}");
    }
    let forced = std::fs::read_to_string(log).expect("the command was run");
    assert_eq!(forced.lines().count(), 11, "before each cold request");
}

#[test]
fn exit_codes_tell_what_became_of_it() {
    let scratch = Scratch::new("codes");
    let file = scratch.0.join("report.json");
    let url = format!("http://{}/", plain_server());
    let code = |words: &[&str]| {
        let output = bench(words, &file);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let warm = [
        "warm",
        &url,
        "--duration",
        "200ms",
        "--repetitions",
        "1",
        "--warm-up",
        "0s",
    ];
    let warm_unless = |condition| code(&[&warm[..], &["--fail-if", condition]].concat());
    assert_eq!(warm_unless("warm.failed > 0").0, Some(0));
    let (failed, said) = warm_unless("warm.p50 > 1ns and warm.count == 20");
    assert_eq!(failed, Some(1), "{said}");
    assert_eq!(warm_unless("warm.p50 >").0, Some(2));
    let (none, said) = warm_unless("hot.p50 > 1ms");
    assert_eq!(none, Some(2), "{said}");
    // Nobody listens on port 1, and it takes a gateway to evict.
    let (nobody, said) = code(&["warm", "http://127.0.0.1:1/"]);
    assert!(nobody == Some(2) && said.contains("127.0.0.1:1"), "{said}");
    let (no_gateway, said) = code(&["cold", &url]);
    assert!(
        no_gateway == Some(2) && said.contains("--function"),
        "{said}"
    );
    let wrong = [
        "cold",
        &url,
        "--cold-after",
        "0s",
        "--cold-header",
        "x=cold",
        "--function",
        "f",
    ];
    assert_eq!(code(&wrong).0, Some(2));
}

#[test]
fn an_interrupted_run_reports_what_it_has() {
    let scratch = Scratch::new("interrupt");
    let file = scratch.0.join("report.json");
    let url = format!("http://{}/", plain_server());
    let mut child = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args([
            "bench",
            "warm",
            &url,
            "--duration",
            "1h",
            "--warm-up",
            "0s",
            "--json",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be executed");
    let mut errors = BufReader::new(child.stderr.take().expect("is piped"));
    let mut line = String::new();
    while !line.starts_with("warm 1/5") {
        line.clear();
        let count = errors.read_line(&mut line).expect("it can be read");
        assert!(count > 0, "it ended before it began");
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).expect("it runs");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    let report = read(&file);
    assert_eq!(repetitions(&report, "warm").len(), 1);
    assert!(
        report["notes"]
            .to_string()
            .contains("stopped before its time"),
        "{report}"
    );
}
