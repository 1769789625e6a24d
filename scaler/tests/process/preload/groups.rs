//! The control groups of what is made of other processes.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;

use stoker_scaler::driver::{Endpoint, Started};

use super::{PYTHON, python_with, tell};
use crate::support::*;

/// The control groups of a process that are Stoker's.
fn groups(pid: u32) -> Vec<String> {
    let list = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let names = list
        .lines()
        .filter_map(|line| line.split("/stoker-").nth(1));
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn an_instance_with_limits_has_its_control_group_before_it_is_assigned() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new();
    let mut spec = python_with(PYTHON);
    spec.resources.memory_bytes = Some(512 << 20);
    bench.prepare(&spec, Some(2));
    let before = bench.spares(2).await;
    if groups(before.spares[0]).is_empty() {
        // Not on a machine without rights for them.
        return bench.finish().await;
    }
    let parent = groups(before.parent.unwrap().0);
    let spares = before.spares.iter().map(|pid| groups(*pid));
    let mut all: Vec<_> = spares.chain([parent]).collect();
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    assert!(all.contains(&groups(started.pid.unwrap())));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 3, "{all:?}");
    bench.prepare(&spec, None);
    bench.nothing_kept().await;
    assert_eq!(tell(&started)["instance"], "1-1");
    bench.finish().await;
}

#[tokio::test]
async fn an_instance_that_was_forked_is_born_into_a_control_group_of_its_own() {
    // Of v2 it needs machine code of the runner's.
    if !cfg!(target_arch = "x86_64") || !crate::limiting::has_groups() {
        return;
    }
    let bench = Bench::new();
    let one = bench
        .start(1, python_with(PYTHON))
        .await
        .expect("it starts");
    let two = bench
        .start(2, python_with(PYTHON))
        .await
        .expect("it starts");
    let of = |started: &Started| groups(started.pid.unwrap());
    assert!(!of(&one).is_empty() && !of(&two).is_empty());
    assert_ne!(of(&one), of(&two));
    assert_eq!(tell(&one)["instance"], "1-1");
    bench.finish().await;
}

#[tokio::test]
async fn an_instance_that_was_forked_is_killed_for_its_memory() {
    let greedy = "
hoard = []
def handler(request):
    while True:
        hoard.append(bytearray(1 << 20))
";
    let bench = Bench::new();
    let mut spec = python_with(greedy);
    spec.resources.memory_bytes = Some(64 << 20);
    let started = match bench.start(1, spec).await {
        Ok(started) => started,
        // Not on a machine without rights for it.
        Err(failure) if failure.detail.contains("cannot limit memory") => {
            return bench.finish().await;
        }
        Err(failure) => panic!("{failure:?}"),
    };
    let Endpoint::Unix(path) = &started.endpoint else {
        panic!("a path");
    };
    let mut stream = UnixStream::connect(path).expect("can connect");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("can write");
    let exit = bench.exit().await;
    assert!(
        exit.failure
            .detail
            .contains("it used more than resources.memory"),
        "{}",
        exit.failure.detail
    );
    bench.finish().await;
}
