//! Very many functions.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::process::Memory;
use crate::harness::{Function, Gateway, Site};

const COUNT: usize = 10_000;
const STARTUP: Duration = Duration::from_secs(2);
const MEMORY: u64 = 100_000_000;
/// While files are read again, the old and the new configuration are both there.
const MEMORY_TWICE: u64 = 160_000_000;
/// Pages of a release's program; a debug build's are several times as many, for which nobody's
/// functions are to blame.
const PROGRAM: u64 = 20_000_000;

/// A gateway with one function that works and very many that nobody calls.
fn gateway() -> Gateway {
    let idle = Function::new("port", &["/bin/true"]);
    let mut site = Site::new("").function("f", &Function::fixture("inherit"));
    for n in 1..COUNT {
        site = site.function(&format!("idle-{n}"), &idle);
    }
    site.start()
}

#[test]
fn ten_thousand_functions_are_small_and_start_fast() {
    let gateway = gateway();
    let (startup, memory) = (gateway.startup(), gateway.memory());
    let resident = without_debug(memory.resident, &memory);
    println!(
        "{COUNT} functions: start-up {startup:?}, {} KiB resident",
        resident >> 10
    );
    assert!(gateway.workers().is_empty(), "none of them runs");
    assert!(resident < MEMORY, "too much is resident: {memory:?}");
    if cfg!(debug_assertions) {
        println!("start-up is not asserted in a debug build");
    } else {
        assert!(startup < STARTUP, "start-up took {startup:?}");
    }
    gateway.get("/function/f/work").good();
    assert!(!has_huge_pages(gateway.pids_of_gateways()[0]));
    assert!(has_huge_pages(gateway.workers()[0]), "functions may");
    let missing = gateway.get("/function/idle-0/work");
    missing.problem(404, "not-found");
}

/// What it would be with a release's program, from above.
fn without_debug(bytes: u64, memory: &Memory) -> u64 {
    match cfg!(debug_assertions) {
        true => bytes - memory.files + PROGRAM,
        false => bytes,
    }
}

fn has_huge_pages(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("THP_enabled:"));
    allowed.expect("the kernel tells").trim() == "1"
}

#[test]
fn ten_thousand_functions_are_small_after_a_reload() {
    let gateway = gateway();
    gateway.get("/function/f/work").good();
    gateway.signal(Signal::HUP);
    gateway.wait_for_error(0, &["nothing changed"]);
    let memory = gateway.memory();
    println!(
        "{COUNT} functions after a reload: {} KiB resident, at most {} KiB",
        memory.resident >> 10,
        memory.peak >> 10
    );
    let peak = without_debug(memory.peak, &memory);
    assert!(peak < MEMORY_TWICE, "too much is resident: {memory:?}");
}
