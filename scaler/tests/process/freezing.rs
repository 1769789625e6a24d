//! Frozen instances get no CPU, and run as soon as they are wanted.
//!
//! Where this machine lets nobody make control groups, only the refusal is tested.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stoker_scaler::driver::{Driver, Endpoint, LaunchSpec, SocketKind, Stop};
use stoker_scaler::process::OutputStream;
use stoker_scaler::spawner::CgroupUse;

use crate::adopting::{adopting, next};
use crate::limiting::has_groups;
use crate::support::*;

/// Never rests, serves beside that, and says goodbye when it is told to end.
const BUSY: &str = "
import os, signal, socket, sys, threading
def spin():
    while True: pass
def leave(*_):
    os.write(1, b'bye\\n')
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
threading.Thread(target=spin, daemon=True).start()
s = socket.socket(fileno=3)
os.write(1, b'up\\n')
";

/// Has a file in memory that nobody else has, and that need not be written any more.
const MAPPED: &str = "
import mmap, os, tempfile
file = tempfile.TemporaryFile()
file.write(b'x' * (4 << 20))
file.flush()
os.fsync(file.fileno())
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
read = sum(mapped[place] for place in range(0, len(mapped), 4096))
";

fn busy() -> LaunchSpec {
    python(SocketKind::Inherit, &format!("{BUSY}{SERVE}"))
}

/// The directory where a process is frozen.
fn group(pid: u32) -> PathBuf {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let find = |start: &str, kind: &dyn Fn(&str) -> bool| {
        let line = own.lines().find(|line| line.contains(start))?;
        let path = line.splitn(3, ':').nth(2)?;
        let mount = mounts.lines().find(|mount| kind(mount))?;
        let fields: Vec<&str> = mount.split(' ').collect();
        let below = path.strip_prefix(fields[3]).unwrap_or(path);
        let directory = Path::new(fields[4]).join(below.trim_start_matches('/'));
        path.contains("stoker-").then_some(directory)
    };
    find("0::", &|mount| mount.contains(" - cgroup2 "))
        .or_else(|| {
            find(":freezer:", &|mount| {
                mount.contains(" - cgroup ") && mount.ends_with("freezer")
            })
        })
        .expect("it has a group")
}

/// Whether all of its processes have stopped.
fn is_frozen(group: &Path) -> bool {
    let events = fs::read_to_string(group.join("cgroup.events")).unwrap_or_default();
    let state = fs::read_to_string(group.join("freezer.state")).unwrap_or_default();
    events.lines().any(|line| line == "frozen 1") || state.trim() == "FROZEN"
}

/// The time that a process has had of the processors, in ticks of the kernel.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

async fn freeze(bench: &Bench, pid: u32) {
    bench.driver.prepare_freeze(id(1)).await.unwrap();
    bench.driver.set_frozen(id(1), true).unwrap();
    let group = group(pid);
    eventually("it is frozen", || is_frozen(&group)).await;
}

/// One that runs and is frozen: its process and where it is reached.
async fn frozen(bench: &Bench) -> (u32, Endpoint) {
    frozen_of(bench, busy()).await
}

/// The same of a program that says "up".
async fn frozen_of(bench: &Bench, program: LaunchSpec) -> (u32, Endpoint) {
    let started = bench.start(1, program).await.unwrap();
    assert_eq!(bench.outputs.line(1), "up");
    let pid = started.pid.unwrap();
    freeze(bench, pid).await;
    (pid, started.endpoint)
}

async fn ask_apart(endpoint: &Endpoint) -> String {
    let endpoint = endpoint.clone();
    tokio::task::spawn_blocking(move || ask(&endpoint))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_frozen_program_gets_no_cpu_and_answers_when_it_runs() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let (pid, endpoint) = frozen(&bench).await;
    let before = cpu_ticks(pid);
    // One that never rests either, and is not frozen, has had some ticks of the kernel.
    let other = bench.start(2, busy()).await.unwrap().pid.unwrap();
    eventually("another gets CPU", || cpu_ticks(other) >= 10).await;
    assert_eq!(cpu_ticks(pid), before);
    bench.driver.stop(id(2), Stop::Kill);
    assert_eq!(bench.exit().await.id, id(2));

    // A request may be sent before: the kernel keeps it.
    let asked = endpoint.clone();
    let waiting = tokio::task::spawn_blocking(move || ask(&asked));
    bench.driver.set_frozen(id(1), false).unwrap();
    assert_eq!(waiting.await.unwrap(), "hello");
    eventually("it gets CPU again", || cpu_ticks(pid) > before).await;
    freeze(&bench, pid).await;
    bench.driver.set_frozen(id(1), false).unwrap();
    assert_eq!(ask_apart(&endpoint).await, "hello");
    bench.finish().await;
}

#[tokio::test]
async fn a_frozen_program_that_is_told_to_end_does_what_it_has_to() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    frozen(&bench).await;
    // The pool thaws it before, but nobody has to.
    bench.driver.stop(id(1), Stop::Terminate);
    let exit = bench.exit().await;
    assert_eq!(
        (exit.id, &*exit.failure.detail),
        (id(1), "exited with status 0")
    );
    let said = bench.outputs.read(1, OutputStream::Stdout, |_| false);
    assert_eq!(said, "bye\n");
    bench.finish().await;
}

/// In a thread that waits for the signal, if the first one blocks it.
#[tokio::test]
async fn every_process_of_a_frozen_program_is_told_to_end() {
    if !has_groups() {
        return;
    }
    let waits = "
import os, signal, socket, threading, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
def wait():
    signal.sigwait([signal.SIGTERM])
    os.write(1, b'bye\\n')
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
s = socket.socket(fileno=3)
os.write(1, b'up\\n')
";
    let forks = "
import os, signal, socket, threading, time
def leave(*_):
    os.write(1, b'bye\\n')
    os._exit(0)
ready = os.pipe()
child = os.fork()
signal.signal(signal.SIGTERM, leave)
for _ in range(4):
    threading.Thread(target=lambda: time.sleep(1000), daemon=True).start()
if child == 0:
    os.write(ready[1], b'.')
    while True: time.sleep(1000)
def gone(*_):
    os.waitpid(child, 0)
    leave()
signal.signal(signal.SIGTERM, gone)
os.read(ready[0], 1)
s = socket.socket(fileno=3)
os.write(1, b'up\\n')
";
    for (program, words) in [(waits, "bye\n"), (forks, "bye\nbye\n")] {
        let bench = Bench::new();
        frozen_of(
            &bench,
            python(SocketKind::Inherit, &format!("{program}{SERVE}")),
        )
        .await;
        bench.driver.stop(id(1), Stop::Terminate);
        let exit = bench.exit().await;
        assert_eq!(&*exit.failure.detail, "exited with status 0", "{words}");
        let said = bench.outputs.read(1, OutputStream::Stdout, |_| false);
        assert_eq!(said, words);
        bench.finish().await;
    }
}

/// The pool thaws an instance before it is told to end: its threads are just about to run then.
#[tokio::test]
async fn one_that_was_thawed_this_moment_does_what_it_has_to() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    frozen(&bench).await;
    bench.driver.set_frozen(id(1), false).unwrap();
    bench.driver.stop(id(1), Stop::Terminate);
    let exit = bench.exit().await;
    assert_eq!(&*exit.failure.detail, "exited with status 0");
    bench.finish().await;
}

#[tokio::test]
async fn frozen_programs_end_with_their_gateway() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let (pid, _) = frozen(&bench).await;
    bench.driver.shutdown().await.unwrap();
    let said = bench.outputs.read(1, OutputStream::Stdout, |_| false);
    assert_eq!(said, "bye\n");
    assert!(!runs(pid));
    let bench = Bench::new();
    frozen(&bench).await;
    bench.driver.stop(id(1), Stop::Kill);
    assert_eq!(bench.exit().await.id, id(1));
    bench.finish().await;
}

#[tokio::test]
async fn the_next_gateway_finds_it_running() {
    if !has_groups() {
        return;
    }
    let bench = Bench::with(adopting(), ports(3));
    let (pid, endpoint) = frozen(&bench).await;
    let group = group(pid);
    let bench = next(bench).await;
    assert!(is_frozen(&group), "nobody asked for it yet");
    assert_eq!(bench.driver.adopt().await.len(), 1);
    eventually("it runs", || !is_frozen(&group)).await;
    assert_eq!(ask_apart(&endpoint).await, "hello");
    freeze(&bench, pid).await;
    bench.driver.set_frozen(id(1), false).unwrap();
    assert_eq!(ask_apart(&endpoint).await, "hello");
    bench.finish().await;
}

#[tokio::test]
async fn what_gave_its_memory_back_still_answers() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let program = python(SocketKind::Inherit, &format!("{MAPPED}{BUSY}{SERVE}"));
    let (pid, endpoint) = frozen_of(&bench, program).await;
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("Rss:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib
    };
    let before = resident();
    bench.driver.reclaim(id(1));
    // At least pages of files that nobody else has: those of others stay for them.
    eventually("some memory is given back", || resident() < before).await;
    bench.driver.set_frozen(id(1), false).unwrap();
    assert_eq!(ask_apart(&endpoint).await, "hello");
    bench.finish().await;
}

#[tokio::test]
async fn without_control_groups_it_is_said_why_not() {
    let mut settings = settings();
    settings.cgroups.enabled = CgroupUse::Never;
    let bench = Bench::with(settings, ports(3));
    bench.start(1, busy()).await.unwrap();
    let expected = "it has no control group: cgroups.enabled is false";
    // The same each time.
    for _ in 0..2 {
        let refused = bench.driver.prepare_freeze(id(1)).await;
        assert_eq!(refused, Err(expected.to_owned()));
    }
    assert!(bench.driver.set_frozen(id(1), true).is_err());
    // Nothing is known of others.
    assert_eq!(bench.driver.prepare_freeze(id(9)).await, Ok(()));
    assert!(bench.driver.set_frozen(id(9), true).is_ok());
    bench.finish().await;
}

/// `cargo test --release -p stoker-scaler --test process freezing -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn what_a_thaw_costs() {
    let bench = Bench::new();
    let program = format!("import socket; s = socket.socket(fileno=3)\n{SERVE}");
    let spec = python(SocketKind::Inherit, &program);
    let started = bench.start(1, spec).await.unwrap();
    let group = group(started.pid.unwrap());
    bench.driver.prepare_freeze(id(1)).await.unwrap();
    let (mut warm, mut thawed, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..1000 {
        bench.driver.set_frozen(id(1), true).unwrap();
        while !is_frozen(&group) {
            std::thread::yield_now();
        }
        // Time is the subject: a frozen program has not just been running.
        std::thread::sleep(Duration::from_millis(1));
        let began = Instant::now();
        bench.driver.set_frozen(id(1), false).unwrap();
        writes.push(began.elapsed());
        ask(&started.endpoint);
        thawed.push(began.elapsed());
        // Time is the subject: the warm one is as idle as the frozen one was.
        std::thread::sleep(Duration::from_millis(1));
        let began = Instant::now();
        ask(&started.endpoint);
        warm.push(began.elapsed());
    }
    for (what, mut times) in [("warm", warm), ("thawed", thawed), ("the write", writes)] {
        times.sort_unstable();
        let at = |part: usize| times[times.len() * part / 100];
        println!("{what:<10} p50 {:>9.1?}  p99 {:>9.1?}", at(50), at(99));
    }
    bench.finish().await;
}
