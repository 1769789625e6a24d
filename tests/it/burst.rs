//! A crowd at the door of a function that is at zero.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::client::Stream;
use crate::harness::{Client, Function, Gateway, Site, at_once, in_line, process};

/// 500 requests at once, 8 instances of one slot each, 20 ms of work.
fn five_hundred_at_once(listen: &'static str) {
    let function = Function::fixture(listen).scaling(1, 8, "");
    let gateway = Site::new("").function("f", &function).start();
    let answers = at_once(&gateway, 500, "/function/f/work?ms=20");
    let pids: BTreeSet<u64> = answers.iter().map(|answer| answer.number("pid")).collect();
    assert!(
        pids.len() <= 8,
        "{} processes served, not at most 8",
        pids.len()
    );
    let workers: BTreeSet<u64> = gateway.workers().into_iter().map(u64::from).collect();
    assert!(
        pids.is_subset(&workers),
        "{pids:?} are not all among {workers:?}"
    );
    for worker in gateway.workers() {
        assert_eq!(
            most_at_once(&gateway, worker),
            1,
            "requests at once in process {worker}"
        );
    }
    let mut sequences: Vec<(u64, u64)> = answers
        .iter()
        .map(|answer| (answer.number("pid"), answer.number("sequence")))
        .collect();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), 500, "each answer is of another request");
}

/// Asks an instance itself, past the gateway, how many requests it had at once.
fn most_at_once(gateway: &Gateway, pid: u32) -> u64 {
    let variable = |name| process::variable(pid, name);
    if let Some(port) = variable("PORT") {
        let port = port.parse().expect("a port is a number");
        return ask(TcpStream::connect(("127.0.0.1", port)).expect("it accepts"));
    }
    let inherited = || {
        let list = gateway.try_admin(&["ps", "--json"]).expect("it is told");
        let list: Vec<Value> = serde_json::from_str(&list).expect("JSON");
        let mine = list.iter().find(|one| one["pid"] == pid);
        let endpoint = mine
            .and_then(|one| one["endpoint"].as_str())
            .expect("it is listed");
        PathBuf::from(endpoint.trim_start_matches("unix:"))
    };
    let path = variable("STOKER_SOCKET").map_or_else(inherited, Into::into);
    ask(UnixStream::connect(path).expect("it accepts"))
}

fn ask(stream: impl Stream) -> u64 {
    Client::over(stream)
        .get("/max")
        .expect("it answers")
        .number("max")
}

#[test]
fn five_hundred_at_once_with_ports() {
    five_hundred_at_once("port");
}

#[test]
fn five_hundred_at_once_with_unix_sockets() {
    five_hundred_at_once("unix");
}

#[test]
fn five_hundred_at_once_with_inherited_sockets() {
    five_hundred_at_once("inherit");
}

/// Each request is known to be in the queue before the next one is sent, and a single slot serves
/// them: so they are served in the order in which they came.
#[test]
fn the_oldest_waiter_is_first() {
    let function = Function::fixture("inherit")
        .env("FIXTURE_START_MS", "300")
        .scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    let mut clients = in_line(&gateway, 100, "/function/f/work?ms=1");
    let mut waited = 0.0;
    for (index, client) in clients.iter_mut().enumerate() {
        let answer = client.receive().expect("there is an answer").good();
        assert_eq!(
            answer.number("sequence"),
            index as u64 + 1,
            "the place of request {index}"
        );
        waited = f64::max(waited, answer.timing("queue").expect("the wait is told"));
    }
    assert!(waited > 0.0, "somebody waited");
}
