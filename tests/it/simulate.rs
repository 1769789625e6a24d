//! `stoker simulate`, as people call it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn simulate(words: &[&str]) -> Output {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/tests/traces/azure2021.csv");
    Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("simulate")
        .arg(trace)
        .args(words)
        .output()
        .expect("the binary can be executed")
}

#[test]
fn policies_are_compared_side_by_side() {
    let output = simulate(&["--policy", "kpa", "--policy", "on-arrival,idle-timeout=10s"]);
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8_lossy(&output.stdout);
    let mut lines = table.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("POLICY ")));
    assert!(lines.next().is_some_and(|line| line.starts_with("kpa")));
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("on-arrival,idle-timeout=10s"))
    );
    assert!(
        table.contains("concurrency 1 (Knative's container-concurrency)"),
        "{table}"
    );
}

#[test]
fn the_same_question_has_the_same_answer() {
    let words = ["--policy", "kpa", "--sweep", "idle=1s..1m", "--json", "-"];
    let first = simulate(&words);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(first.stdout, simulate(&words).stdout);
    let outcome: Value = serde_json::from_slice(&first.stdout).expect("it is JSON");
    let policies = outcome["policies"].as_array().expect("a list");
    assert!(policies.iter().any(|entry| entry["pareto"] == true));
    assert!(policies.iter().all(|entry| entry["report"]["calls"] == 5));
}

#[test]
fn exit_codes_tell_what_became_of_it() {
    for (words, code) in [
        (["--goal", "wait.p99<=1h"], 0),
        (["--goal", "starts<1"], 1),
        (["--policy", "best"], 2),
        (["--goal", "fast"], 2),
    ] {
        let output = simulate(&words);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    let met = simulate(&["--goal", "wait.p99<=1h"]);
    let shown = String::from_utf8_lossy(&met.stdout);
    assert!(
        shown.contains("+++ function.toml\n [scaling]\n+idle-timeout = "),
        "{shown}"
    );
}

/// What is no trace, or too much of one, is refused within seconds and with its place.
#[test]
fn hostile_traces_are_refused() {
    let directory = std::env::temp_dir().join(format!("stoker-hostile-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let counts = "HashOwner,HashApp,HashFunction,Trigger,1\no,a,f,http,100000000\n";
    let cases = [
        ("", ": there is no line of headings"),
        ("\u{0}\u{fffd},\n", ", line 1: "),
        (
            "function,arrival\nf,nan\n",
            ", line 2, column arrival: \"nan\" is no number",
        ),
        (
            "function,arrival\nf,1\nf\n",
            ", line 3, column arrival: the line ends before it",
        ),
        ("function,arrival,duration\nf,1,-1\n", "it is negative"),
        (
            "function,arrival,duration\nf,1,1e99\n",
            ", line 2, column duration: ",
        ),
        (counts, ", column 1: more than 4000000 calls"),
    ];
    for (text, wanted) in cases {
        let path = directory.join("trace.csv");
        std::fs::write(&path, text).expect("can be written");
        refused(&path, wanted);
    }
    refused(&directory, ": is no regular file");
    refused(Path::new("/dev/zero"), ": is no regular file");
    std::fs::remove_dir_all(&directory).expect("can be removed");
}

fn refused(trace: &Path, wanted: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(["simulate", "--quiet"])
        .arg(trace)
        .output()
        .expect("the binary can be executed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.starts_with(&format!("error: {}", trace.display())),
        "{told}"
    );
    assert!(told.contains(wanted), "{told}");
    assert!(output.stdout.is_empty());
}
