//! The command line against a running gateway.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Function, Gateway, Site, wait_until};

fn stoker(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoker"));
    command
        .args(arguments)
        .env_remove("STOKER_ADMIN")
        .env_remove("XDG_RUNTIME_DIR");
    command.output().expect("the binary can be executed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command of the gateway prints, which must succeed.
fn run(gateway: &Gateway, arguments: &[&str]) -> String {
    let socket = gateway.site().directory().join("state/admin.sock");
    let socket = socket.to_str().expect("a path in UTF-8");
    let output = stoker(&[arguments, &["--admin", socket]].concat());
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// The ids of the instances as `ps` lists them.
fn instances(gateway: &Gateway) -> Vec<String> {
    let list: Value = serde_json::from_str(&run(gateway, &["ps", "--json"])).expect("JSON");
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn instances_appear_and_go_after_the_idle_time() {
    let function = Function::fixture("inherit").scaling(1, 2, "idle-timeout = \"500ms\"");
    let gateway = Site::new("").function("f", &function).start();
    assert!(run(&gateway, &["ls"]).contains("/function/f"));
    assert!(instances(&gateway).is_empty());

    let mut client = gateway.connect();
    client
        .enqueue("/function/f/work", b"x")
        .expect("it is asked for its body");
    wait_until("ps lists the instance", || instances(&gateway).len() == 1);
    client.send("x").expect("can be sent");
    client.receive().expect("an answer").good();
    wait_until("ps lists nothing again", || instances(&gateway).is_empty());
}

#[test]
fn an_operator_scales_evicts_and_reads_logs() {
    let gateway = Site::new("")
        .function("f", &Function::fixture("inherit").scaling(1, 4, ""))
        .start();
    run(&gateway, &["scale", "f", "3"]);
    wait_until("three instances", || instances(&gateway).len() == 3);
    run(&gateway, &["scale", "f", "auto"]);

    let before = instances(&gateway);
    assert!(
        run(&gateway, &["invoke", "f", "pid"])
            .trim()
            .parse::<u32>()
            .is_ok()
    );
    run(&gateway, &["evict", "f"]);
    assert!(instances(&gateway).is_empty());
    let next = gateway.get("/function/f/").good();
    assert_eq!(next.header("stoker-start"), Some("cold"));
    assert!(instances(&gateway).iter().all(|id| !before.contains(id)));
    wait_until("the log tells of the starts", || {
        run(&gateway, &["logs", "f"]).matches("started in").count() == 4
    });
}

#[test]
fn metrics_count_what_was_done() {
    let gateway = Site::new("")
        .function("f", &Function::fixture("inherit"))
        .start();
    for _ in 0..3 {
        gateway.get("/function/f/").good();
    }
    gateway.get("/nowhere");
    let socket = gateway.site().directory().join("state/admin.sock");
    let mut admin = crate::harness::Client::over(
        std::os::unix::net::UnixStream::connect(socket).expect("the admin API listens"),
    );
    let metrics = admin.get("/metrics").expect("an answer").text();
    let list: Value = serde_json::from_str(&run(&gateway, &["ls", "--json"])).expect("JSON");
    let revision = list[0]["revision"].as_str().expect("a text");
    // As the labels come in order, it is in the midst of them or at their end.
    let metrics = metrics.replace(&format!(",revision=\"{revision}\""), "");
    for line in [
        "stoker_requests_total{code=\"2xx\",function=\"f\",origin=\"function\"} 3",
        "stoker_request_duration_seconds_count{function=\"f\",start=\"cold\"} 1",
        "stoker_request_duration_seconds_count{function=\"f\",start=\"warm\"} 2",
        "stoker_request_duration_seconds_bucket{function=\"f\",start=\"warm\",le=\"0.00005\"}",
        "stoker_starts_total{function=\"f\",result=\"ready\"} 1",
        "stoker_instances{function=\"f\",state=\"ready\"} 1",
        "stoker_unrouted_requests_total{code=\"404\",problem=\"not-found\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[test]
fn check_names_every_mistake() {
    let site = Site::new("").function("f", &Function::fixture("inherit").scaling(0, 0, ""));
    let manifest = site.manifest("f");
    let mut lines = fs::read_to_string(&manifest).expect("the manifest is there");
    lines.push_str("\n[timeouts]\nqueue = \"soon\"\nquue = \"1s\"\n");
    fs::write(&manifest, lines).expect("can be written");
    let output = stoker(&["check", site.file().to_str().expect("a path in UTF-8")]);
    assert!(!output.status.success());
    let errors = text(&output.stderr);
    for part in [
        "scaling.concurrency: got 0",
        "scaling.max-scale: got 0",
        "timeouts.queue",
        "quue",
    ] {
        assert!(errors.contains(part), "{part} is missing in\n{errors}");
    }
    let located = errors.lines().all(|line| line.contains("function.toml:"));
    assert!(located, "{errors}");
}

#[test]
fn the_reference_is_the_documentation() {
    let output = stoker(&["config", "reference"]);
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    assert!(
        text(&output.stdout) == fs::read_to_string(kept).expect("it is there"),
        "run: stoker config reference > docs/configuration.md"
    );
}
