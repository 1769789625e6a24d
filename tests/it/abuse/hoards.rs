//! Very many connections at once.

use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{gateway, under_attack};
use crate::harness::{Record, in_parallel};

/// Connections that do nothing.
const IDLE: usize = 10_000;
/// What one of them may cost the gateway, in bytes.
const EACH: u64 = 32 << 10;

/// As many descriptors as may be had, for us and for whom we start.
fn raise_descriptors() {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        maximum: limits.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to its maximum it may be raised");
    let enough = limits.maximum.is_none_or(|most| most > IDLE as u64 + 2000);
    assert!(enough, "the test needs more descriptors than {limits:?}");
}

#[test]
fn ten_thousand_idle_connections() {
    raise_descriptors();
    let record = Record::new("idle");
    let lines = format!(
        "[limits]\nconnections = {}\n[timeouts]\nheader = \"5m\"\nkeep-alive = \"5m\"",
        IDLE + 1000
    );
    let gateway = gateway(&lines, &record);
    let connect = |index: usize| -> Vec<TcpStream> {
        let mut connections = Vec::with_capacity(IDLE / 10);
        for count in 0..IDLE / 10 {
            let mut client = gateway.connect();
            // Some have asked something before they are idle.
            if count % 10 == index {
                client.get("/function/f/work").expect("it answers").good();
            }
            connections.push(client.stream());
        }
        connections
    };
    under_attack(&gateway, IDLE as u64 * EACH, || {
        let idle = in_parallel(10, connect);
        let fresh = gateway.connect().get("/function/f/work");
        fresh.expect("there is room for more").good();
        assert_eq!(idle.iter().map(Vec::len).sum::<usize>(), IDLE);
    });
}
