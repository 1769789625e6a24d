//! Against a server that knows nothing of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{bench, read, repetitions};
use crate::harness::PATIENCE;

/// What is said if Ctrl-C comes too early.
const NOTHING: &str = "nothing was measured before it was stopped";

#[test]
fn results_are_written_and_compared() {
    let scratch = Scratch::new("results");
    let path = |name: &str| scratch.0.join(name).display().to_string();
    let url = format!("http://{}/", plain_server().0);
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

/// Answers every request, for as long as the tests run, and tells of each.
fn plain_server() -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (told, requests) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    // Few want to know.
                    told.send(()).ok();
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, requests)
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
    let url = format!("http://{}/", plain_server().0);
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
    let url = format!("http://{}/", plain_server().0);
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
    // Nobody listens on port 1, and it takes a gateway to evict, which is looked for and is not this
    // server's, if there is one.
    let (nobody, said) = code(&["warm", "http://127.0.0.1:1/"]);
    assert!(nobody == Some(2) && said.contains("127.0.0.1:1"), "{said}");
    let (no_gateway, said) = code(&["cold", &url]);
    assert!(no_gateway == Some(2) && said.contains("--admin"), "{said}");
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
    let (address, requests) = plain_server();
    let url = format!("http://{address}/");
    let words = ["warm", &url, "--duration", "1h", "--warm-up", "0s"];
    let child = begin(&[&words[..], &["--connections", "1"]].concat(), &file);
    // On one connection, the second request comes after the first answer was noted.
    for _ in 0..2 {
        requests.recv_timeout(PATIENCE).expect("it sends requests");
    }
    let output = interrupt(child);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = read(&file);
    assert_eq!(repetitions(&report, "warm").len(), 1);
    assert!(
        report["notes"]
            .to_string()
            .contains("stopped before its time"),
        "{report}"
    );
}

/// The handshake of TLS, which nobody answers here, is before the first request.
#[test]
fn a_run_is_interrupted_before_it_begins() {
    let scratch = Scratch::new("early");
    let file = scratch.0.join("report.json");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let url = format!("https://{address}/");
    let child = begin(&["warm", &url, "--insecure"], &file);
    let connection = listener.accept().expect("it connects");
    let output = interrupt(child);
    drop(connection);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(NOTHING), "{said}");
    assert!(!file.exists());
}

/// Commands that do not end hold up nobody who wants to stop.
#[test]
fn a_run_is_interrupted_while_its_target_is_made_cold() {
    let scratch = Scratch::new("forcing");
    let url = format!("http://{}/", plain_server().0);
    for measured in [0, 3] {
        let (log, file) = (scratch.0.join("log"), scratch.0.join("report.json"));
        std::fs::write(&log, "").expect("it can be written");
        let path = log.display();
        let command = format!(
            "echo cold >> {path}; test $(wc -l < {path}) -le {measured} || exec sleep 1000"
        );
        let words = ["cold", &url, "--warm-up", "0", "--count", "10"];
        let child = begin(&[&words[..], &["--cold-command", &command]].concat(), &file);
        let forced = || std::fs::read_to_string(&log).expect("it is there");
        let begun = Instant::now();
        while forced().lines().count() <= measured {
            assert!(begun.elapsed() < PATIENCE, "the last command is not run");
            thread::sleep(Duration::from_millis(5));
        }
        let output = interrupt(child);
        let said = String::from_utf8_lossy(&output.stderr);
        if measured == 0 {
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(NOTHING), "{said}");
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{said}");
        let report = read(&file);
        assert_eq!(repetitions(&report, "cold")[0]["answered"], measured);
    }
}

/// Begins a bench that writes its report here.
fn begin(words: &[&str], report: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("bench")
        .args(words)
        .arg("--json")
        .arg(report)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be executed")
}

/// Sends a SIGINT and waits until it has ended.
fn interrupt(child: Child) -> Output {
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    child.wait_with_output().expect("it ends")
}
