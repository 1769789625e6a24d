//! `stoker bench` against the gateway, and against a server that knows nothing of it.

mod behind;
mod http2;
mod plain;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Authority, Function, Gateway, Site};

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
fn tls_is_measured_too() {
    let tls = "[[listeners]]\naddress = \"127.0.0.1:0\"\ntls = true\n\
               [[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
    let site = Site::new(tls).function("f", &Function::fixture("inherit"));
    let authority = Authority::new(site.directory(), "ca");
    authority.issue(site.directory(), "a", ("localhost", &["localhost"]));
    let gateway = site.start();
    let url = format!(
        "https://localhost:{}/function/f",
        gateway.listener(1).port()
    );
    let ca = gateway
        .site()
        .directory()
        .join("ca.pem")
        .display()
        .to_string();
    let words = ["warm", &url, "--duration", "200ms", "--repetitions", "1"];
    for trust in [&["--ca", &ca][..], &["--insecure"]] {
        let report = measured(&gateway, &[&words, trust].concat());
        assert_eq!(repetitions(&report, "warm")[0]["answered"], 20);
    }
    let output = bench(&words, &gateway.site().directory().join("none.json"));
    assert_eq!(output.status.code(), Some(2), "nobody knows that authority");
}
