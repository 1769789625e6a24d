//! Handlers that a runner runs, made of processes that were prepared.

use std::fs;

use serde_json::Value;

use crate::harness::process::Handle;
use crate::harness::{Function, Gateway, PATIENCE, Site, wait_until};

const PYTHON: &str = "
import os, time
LOADED_BY = os.getpid()

def handler(request):
    time.sleep(float(request.query.get('ms', '0')) / 1000)
    return {'pid': os.getpid(), 'loaded_by': LOADED_BY, 'greeting': 'hello ' + request.method}
";

const NODE: &str = "
export default (request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ pid: process.pid, greeting: 'hello ' + request.method }));
};
";

/// What a command prints as JSON.
fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let text = gateway.try_admin(arguments).expect("it succeeds");
    serde_json::from_str(&text).expect("JSON")
}

/// The processes that are kept ready, by kind.
fn kept(gateway: &Gateway, kind: &str) -> Vec<u32> {
    let all = json(gateway, &["ps", "--all", "--json"]);
    let prepared = all["prepared"].as_array().expect("a list").iter();
    prepared
        .filter(|process| process["kind"] == kind)
        .filter_map(|process| process["pid"].as_u64())
        .map(|pid| pid as u32)
        .collect()
}

/// How the instance of the only function came to be.
fn start_kinds(gateway: &Gateway) -> Vec<String> {
    let instances = json(gateway, &["ps", "--json"]);
    let instances = instances.as_array().expect("a list").iter();
    instances
        .filter_map(|it| it["start_kind"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_python_handler_answers_from_a_spare() {
    let function = Function::handler("python", PYTHON)
        .with("[preload]\nat = \"start\"")
        .scaling(1, 4, "");
    let gateway = Site::new("").function("f", &function).start();
    wait_until("a spare waits", || kept(&gateway, "spare").len() == 1);
    let spare = kept(&gateway, "spare")[0];
    let parent = kept(&gateway, "parent")[0];
    let used = json(&gateway, &["usage", "--json"]);
    let rows = used["rows"].as_array().expect("rows").iter();
    let cpu = rows.filter_map(|row| row["spare_cpu_ms"].as_f64());
    assert!(cpu.sum::<f64>() > 0.0, "loading takes time: {used}");
    assert!(
        gateway
            .try_admin(&["ls"])
            .expect("ls")
            .contains("0, 1 spare")
    );

    let answer = gateway.get("/function/f").good();
    assert_eq!(answer.header("stoker-start"), Some("cold"));
    assert_eq!(answer.number("pid"), u64::from(spare));
    assert_eq!(answer.number("loaded_by"), u64::from(parent));
    assert_eq!(start_kinds(&gateway), ["spare"]);
    wait_until("it is replaced", || {
        let spares = kept(&gateway, "spare");
        spares.len() == 1 && spares[0] != spare
    });
    let again = gateway.get("/function/f").good();
    assert_eq!(again.header("stoker-start"), Some("warm"));

    // More at once than there are spares.
    let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client
            .request("GET /function/f?ms=300", "", b"")
            .expect("can be sent");
    }
    for client in &mut clients {
        let answer = client.receive().expect("an answer").good();
        assert_eq!(answer.number("loaded_by"), u64::from(parent));
    }
    let kinds = start_kinds(&gateway);
    assert_eq!(kinds.len(), 4);
    assert!(kinds.contains(&"fork".to_owned()), "{kinds:?}");
}

#[test]
fn a_node_handler_answers_from_a_cell() {
    let function = Function::handler("node", NODE)
        .with("[preload]\nat = \"start\"")
        .scaling(1, 2, "");
    let gateway = Site::new("").function("f", &function).start();
    wait_until("a cell waits", || kept(&gateway, "cell").len() == 1);
    let cell = kept(&gateway, "cell")[0];
    let answer = gateway.get("/function/f").good();
    assert_eq!(answer.number("pid"), u64::from(cell));
    assert_eq!(answer.json()["greeting"], "hello GET");
    assert_eq!(start_kinds(&gateway), ["cell"]);
    let posted = gateway
        .connect()
        .post("/function/f", b"x")
        .expect("an answer");
    assert_eq!(posted.good().json()["greeting"], "hello POST");
}

#[test]
fn nothing_is_kept_before_the_first_request_nor_long_after_the_last() {
    let function = Function::handler("python", PYTHON)
        .with("[preload]\nidle-timeout = \"8s\"")
        .scaling(1, 2, "idle-timeout = \"5s\"");
    let gateway = Site::new("").function("f", &function).start();
    assert_eq!(gateway.workers(), [0_u32; 0]);
    let first = gateway.get("/function/f").good();
    let parent = first.number("loaded_by") as u32;
    assert_eq!(start_kinds(&gateway), ["fork"]);
    wait_until("a spare waits", || kept(&gateway, "spare").len() == 1);
    assert!(Handle::of(parent).wait(PATIENCE), "it goes for lack of use");
    wait_until("nothing is kept", || {
        kept(&gateway, "parent").is_empty() && kept(&gateway, "spare").is_empty()
    });
    let next = gateway.get("/function/f").good();
    assert_ne!(next.number("loaded_by") as u32, parent);
}

#[test]
fn a_new_revision_has_a_parent_of_its_own() {
    let function = Function::handler("python", PYTHON)
        .with("[preload]\nat = \"start\"")
        .scaling(1, 2, "");
    let gateway = Site::new("").function("f", &function).start();
    let before = gateway.get("/function/f").good().number("loaded_by") as u32;
    let manifest = function.env("NEW", "yes").manifest();
    fs::write(gateway.site().manifest("f"), manifest).expect("can be written");
    gateway.try_admin(&["reload"]).expect("it is valid");
    let after = gateway.get("/function/f").good().number("loaded_by") as u32;
    assert_ne!(before, after);
    assert!(Handle::of(before).wait(PATIENCE), "the former parent goes");
}

#[test]
fn what_does_not_load_is_told_to_the_caller_and_in_the_log() {
    let function = Function::handler("python", "import does_not_exist\n");
    let gateway = Site::new("").function("f", &function).start();
    let words = "No module named 'does_not_exist'";
    let refused = (0..20)
        .map(|_| gateway.get("/function/f"))
        .find(|answer| answer.text().contains(words));
    let refused = refused.expect("the cause is told");
    assert!((500..600).contains(&refused.status), "{}", refused.status);
    wait_until("the traceback is in the log", || {
        let log = gateway.try_admin(&["logs", "f"]).unwrap_or_default();
        log.contains("Traceback") && log.contains(words)
    });
}

#[test]
fn an_upgrade_keeps_parents_spares_and_instances() {
    let function = Function::handler("python", PYTHON)
        .with("[preload]\nat = \"start\"")
        .scaling(1, 4, "");
    let mut gateway = Site::new("").function("f", &function).start();
    let first = gateway.get("/function/f").good();
    let parent = first.number("loaded_by");
    let mut running = gateway.connect();
    running
        .request("GET /function/f?ms=1000", "", b"")
        .expect("can be sent");
    wait_until("a spare waits", || kept(&gateway, "spare").len() == 1);
    gateway.upgrade();
    let answer = running.receive().expect("an answer").good();
    assert_eq!(answer.number("pid"), first.number("pid"));
    wait_until("the heir knows them", || {
        kept(&gateway, "parent") == [parent as u32] && kept(&gateway, "spare").len() == 1
    });
    gateway.try_admin(&["evict", "f"]).expect("it is evicted");
    let second = gateway.get("/function/f").good();
    assert_eq!(second.number("loaded_by"), parent);
    assert_eq!(start_kinds(&gateway), ["spare"]);
    gateway.wait_for_former();
}

#[test]
fn instances_and_their_parent_outlive_a_gateway_that_is_killed() {
    let function = Function::handler("python", PYTHON)
        .with("[preload]\nat = \"start\"")
        .scaling(1, 4, "");
    let mut gateway = Site::new("").function("f", &function).start();
    let first = gateway.get("/function/f").good();
    gateway.kill();
    gateway.restart();
    let again = gateway.get("/function/f").good();
    assert_eq!(again.number("pid"), first.number("pid"));
    let parent = first.number("loaded_by") as u32;
    wait_until("the parent is found", || {
        kept(&gateway, "parent") == [parent]
    });
}
