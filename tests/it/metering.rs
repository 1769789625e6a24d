//! What is counted of usage, against counts of our own: whatever ends the gateway.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Client, Function, Gateway, Record, Site, wait_until};

/// What the books say of all revisions of a function since it was first called.
fn usage(gateway: &Gateway, function: &str) -> BTreeMap<String, f64> {
    let arguments = ["usage", "--by", "day", "--json", "--function", function];
    let said = gateway.try_admin(&arguments).expect("there are books");
    let usage: Value = serde_json::from_str(&said).expect("it is JSON");
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for row in usage["rows"].as_array().expect("there are rows") {
        for (key, value) in row.as_object().expect("a row is an object") {
            *sums.entry(key.clone()).or_default() += value.as_f64().unwrap_or(0.0);
        }
    }
    sums
}

fn admin(gateway: &Gateway) -> Client<UnixStream> {
    let socket = gateway.site().directory().join("state/admin.sock");
    Client::over(UnixStream::connect(socket).expect("the admin API accepts"))
}

/// Forty answers of 200, six of 503 and four echoes of 1000 bytes.
fn fifty(gateway: &Gateway) {
    let mut client = gateway.connect();
    for _ in 0..40 {
        client
            .get("/function/f/work?ms=1")
            .expect("an answer")
            .good();
    }
    for _ in 0..6 {
        client
            .get("/function/f/status?code=503")
            .expect("an answer");
    }
    for _ in 0..4 {
        let echo = client.post("/function/f/echo", &[b'x'; 1000]);
        echo.expect("an answer").good();
    }
}

#[test]
fn counts_agree_exactly_across_a_kill_and_an_upgrade() {
    let function = Function::fixture("inherit").scaling(2, 2, "");
    let mut gateway = Site::new("").function("f", &function).start();
    fifty(&gateway);
    // Nothing is in flight: all of it must be there.
    gateway.kill();
    gateway.restart();
    fifty(&gateway);
    assert_eq!(usage(&gateway, "f")["invocations"], 100.0);
    gateway.upgrade();
    fifty(&gateway);
    gateway.wait_for_former();
    let used = usage(&gateway, "f");
    let count = |key: &str| used[key];
    assert_eq!(count("invocations"), 150.0, "{used:?}");
    assert_eq!(count("failures"), 18.0, "{used:?}");
    assert_eq!(count("bytes_in"), 12_000.0, "{used:?}");
    assert!(count("bytes_out") >= 12_000.0, "{used:?}");
    assert!(
        count("wall_ms") >= 120.0,
        "each took a millisecond: {used:?}"
    );
    assert!((1.0..=2.0).contains(&count("starts")), "{used:?}");
    // An end that is asked for enters everything, and the next gateway counts on.
    gateway.signal(Signal::TERM);
    assert!(gateway.wait().success());
    gateway.is_killed();
    gateway.restart();
    fifty(&gateway);
    assert_eq!(usage(&gateway, "f")["invocations"], 200.0);
}

#[test]
fn a_kill_under_load_loses_nothing_that_a_caller_has() {
    let record = Record::new("metering-kill");
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(2, 3, "");
    let mut gateway = Site::new("").function("f", &function).start();
    let answered = AtomicU64::new(0);
    let address = gateway.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(address).expect("the gateway accepts");
                while let Ok(answer) = client.get("/function/f/work?ms=3") {
                    answer.good();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_until("there is load", || answered.load(Ordering::Relaxed) >= 300);
        gateway.kill();
    });
    let answered = answered.into_inner();
    gateway.restart();
    let counted = usage(&gateway, "f")["invocations"] as u64;
    // Those in flight at the kill were sent, and perhaps answered to nobody.
    let sent = record.count("GET /work?ms=3") as u64;
    assert!(
        answered <= counted && counted <= sent && sent <= answered + 8,
        "{answered} answered, {counted} counted, {sent} sent"
    );
    for _ in 0..25 {
        gateway.get("/function/f/work?ms=3").good();
    }
    assert_eq!(usage(&gateway, "f")["invocations"] as u64, counted + 25);
}

/// Bounds that hold whatever the machine does meanwhile: what a caller saw from outside is at least
/// what was counted, and what the function took for certain is at most that.
#[test]
fn time_and_memory_are_within_a_hundredth_across_a_kill_and_an_upgrade() {
    let function = Function::fixture("inherit")
        .scaling(1, 1, "min-scale = 1\nidle-timeout = \"1h\"")
        .with("[resources]\nmemory = \"64MiB\"");
    let site = Site::new("[metering]\ninterval = \"1s\"");
    let before = Instant::now();
    let mut gateway = site.function("f", &function).start();
    let first = gateway.get("/function/f/work?ms=1");
    if !first.is_good() {
        let why = first.text();
        assert!(why.contains("cannot limit memory"), "{why}");
        return eprintln!("not tested: {why}");
    }
    let there = Instant::now();
    let mut seen = there - before;
    let mut slept = 0;
    for round in 0..3 {
        let mut client = gateway.connect();
        for _ in 0..4 {
            let begun = Instant::now();
            client
                .get("/function/f/work?ms=250")
                .expect("an answer")
                .good();
            seen += begun.elapsed();
            slept += 250;
        }
        match round {
            0 => {
                gateway.kill();
                gateway.restart();
            }
            1 => drop(gateway.upgrade()),
            _ => {}
        }
    }
    gateway.wait_for_former();
    let least = there.elapsed().as_secs_f64() * 1000.0;
    let used = usage(&gateway, "f");
    let most = before.elapsed().as_secs_f64() * 1000.0;
    let wall = used["wall_ms"];
    let slept = f64::from(slept);
    assert!(
        slept * 0.99 <= wall && wall <= seen.as_secs_f64() * 1000.0,
        "{used:?}"
    );
    let alive = used["busy_ms"] + used["idle_ms"] + used["frozen_ms"];
    eprintln!("wall {wall:.1} ms of {slept}, alive {alive:.1} ms between {least:.1} and {most:.1}");
    assert!(
        least * 0.99 <= alive && alive <= most * 1.01,
        "{least} {most} {used:?}"
    );
    assert!(used["busy_ms"] >= slept * 0.99 && used["busy_ms"] <= seen.as_secs_f64() * 1010.0);
    let reserved = alive / 1000.0 / 16.0;
    let gb_seconds = used["gb_seconds_reserved"];
    assert!(
        (gb_seconds - reserved).abs() <= reserved * 0.01,
        "{reserved} {used:?}"
    );
    assert!(used["gb_seconds_used"] > 0.0, "{used:?}");
}

/// However long it is until usage is measured again.
#[test]
fn a_budget_stops_by_what_is_counted() {
    let function = Function::fixture("inherit")
        .scaling(1, 1, "")
        .with("[budget]\ninvocations = 5");
    let site = Site::new("[metering]\ninterval = \"10m\"");
    let gateway = site.function("f", &function).start();
    for _ in 0..5 {
        gateway.get("/function/f/pid").good();
    }
    wait_until("it is stopped", || {
        !gateway.get("/function/f/pid").is_good()
    });
    let refused = gateway.get("/function/f/pid");
    refused.problem(429, "budget-spent");
}

#[test]
fn starts_that_fail_are_counted_apart() {
    let script = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; exit 3";
    let function = Function::new("port", &["/bin/sh", "-c", script]).scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    assert!(!gateway.get("/function/f/pid").is_good());
    let used = usage(&gateway, "f");
    assert!(used["failed_starts"] >= 1.0, "{used:?}");
    assert!(used["failed_cpu_ms"] > 0.0, "{used:?}");
    let none = ["invocations", "starts"].map(|key| used[key]);
    assert_eq!(none, [0.0, 0.0], "{used:?}");
}

#[test]
fn a_budget_that_is_used_up_stops_the_function_until_it_is_raised() {
    let function = Function::fixture("inherit")
        .scaling(1, 1, "")
        .with("[budget]\ninvocations = 5");
    let site = Site::new(
        "[metering]\ninterval = \"1s\"\n[prices]\nper-million-invocations = 1000000.0\ncurrency = \"EUR\"",
    );
    let gateway = site.function("f", &function).start();
    for _ in 0..5 {
        gateway.get("/function/f/pid").good();
    }
    wait_until("it is stopped", || {
        !gateway.get("/function/f/pid").is_good()
    });
    let refused = gateway.get("/function/f/pid");
    let detail = refused.problem(429, "budget-spent");
    assert!(detail.contains("of 5 invocations"), "{detail}");
    let after: u64 = refused
        .header("retry-after")
        .expect("says when")
        .parse()
        .expect("a number");
    assert!((1..=31 * 86_400).contains(&after), "{after}");
    gateway.wait_for_error(0, &["f has used", "of its budget"]);
    let metrics = admin(&gateway).get("/metrics").expect("an answer").text();
    assert!(
        metrics.contains("stoker_budget_stopped{function=\"f\"} 1"),
        "{metrics}"
    );
    let shown = admin(&gateway)
        .get("/v1/functions/f/budget")
        .expect("an answer")
        .json();
    assert_eq!(shown["source"], "manifest");
    assert!(shown["used_ratio"].as_f64() >= Some(1.0), "{shown}");

    let raise = |body: &str| {
        let head = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let mut client = admin(&gateway);
        client
            .request("PUT /v1/functions/f/budget", &head, body.as_bytes())
            .expect("can be sent");
        client.receive().expect("an answer")
    };
    let refused = raise("{\"budget\":{\"invocations\":0}}").text();
    assert!(refused.contains("problem:invalid-budget"), "{refused}");
    let raised = raise("{\"budget\":{\"money\":1000000}}").json();
    assert_eq!(raised["source"], "api");
    gateway.get("/function/f/pid").good();
    // A call costs one euro by these prices.
    let csv = gateway
        .try_admin(&["usage", "--csv"])
        .expect("there are books");
    let line = csv.lines().nth(1).expect("a row");
    assert!(line.ends_with(",EUR"), "{csv}");
    assert!(raise("{\"budget\":null}").json()["source"] == "manifest");
    gateway.get("/function/f/pid").problem(429, "budget-spent");
}
