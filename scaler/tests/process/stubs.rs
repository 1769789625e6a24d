//! Processes that wait to become the next instance of a program.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, LaunchSpec, Namespace, Resources, Rlimit, SocketKind, Stop};
use stoker_scaler::spawner::CgroupUse;

use crate::limiting::has_groups;
use crate::support::*;

/// Says everything about itself that does not depend on which instance it is, and serves.
const REPORT: &str = "
import os, socket
def status():
    wanted = ('Uid', 'Gid', 'Groups', 'SigBlk', 'SigIgn', 'SigCgt', 'NoNewPrivs', 'Seccomp')
    return [line.strip() for line in open('/proc/self/status') if line.split(':')[0] in wanted]
own = ('STOKER_INSTANCE', 'LISTEN_PID')
variables = open('/proc/self/environ').read().split('\\0')
descriptors = []
for number in os.listdir('/proc/self/fd'):
    try:
        descriptors.append((int(number), os.readlink('/proc/self/fd/' + number).split(':')[0]))
    except OSError:
        pass
mounts = [line.split(' ')[4:6] for line in open('/proc/self/mountinfo')]
print([v for v in variables if v.split('=')[0] not in own], os.environ['STOKER_INSTANCE'][:1],
    os.environ['LISTEN_PID'] == str(os.getpid()), sorted(descriptors)[:4], len(descriptors),
    os.getcwd(), os.getpgrp() == os.getpid(), socket.gethostname(), status(),
    open('/proc/self/limits').read().split('\\n'), sorted(mounts),
    [name for _, name in socket.if_nameindex()], flush=True)
s = socket.socket(fileno=3)
";

fn report() -> LaunchSpec {
    python(SocketKind::Inherit, &format!("{REPORT}{SERVE}"))
}

fn sleeper() -> LaunchSpec {
    spec(SocketKind::Inherit, &["sleep", "1000"])
}

/// The children of the spawner that have not executed anything: they look like it.
fn stubs(bench: &Bench) -> Vec<u32> {
    let spawner = bench.driver.spawner_pid().expect("there is one");
    let line = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let children = fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children")).unwrap();
    let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
    children
        .filter(|&pid| line(pid) == line(spawner) && runs(pid))
        .collect()
}

/// Waits for the stub of a program that was started, the only one.
async fn stub(bench: &Bench) -> u32 {
    let found = AtomicU32::new(0);
    eventually("one waits", || match stubs(bench)[..] {
        [pid] => {
            found.store(pid, Ordering::Relaxed);
            // It is at most about to give up its rights once it has closed all others.
            fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|open| open.count() == 5)
        }
        _ => false,
    })
    .await;
    found.into_inner()
}

/// Starts it twice: the usual way, and from a stub. What both say.
async fn both(spec: LaunchSpec) -> [String; 2] {
    let bench = Bench::new();
    let first = bench.start(1, spec.clone()).await.expect("it is executed");
    assert_eq!(ask(&first.endpoint), "hello");
    let waiting = stub(&bench).await;
    let second = bench.start(2, spec).await.expect("it is executed");
    assert_eq!(second.pid, Some(waiting));
    assert_eq!(ask(&second.endpoint), "hello");
    let said = [bench.outputs.line(1), bench.outputs.line(2)];
    for count in [1, 2] {
        bench.driver.stop(id(count), Stop::Kill);
        bench.exit().await;
    }
    bench.finish().await;
    said
}

#[tokio::test]
async fn an_instance_from_one_is_like_any_other() {
    let mut spec = report();
    spec.environment = vec![
        ("EMPTY".to_owned(), String::new()),
        ("B".to_owned(), "x y=z".to_owned()),
    ];
    spec.rlimits = vec![(Rlimit::OpenFiles, 77), (Rlimit::Core, 0)];
    spec.working_directory = "/usr".into();
    let [first, second] = both(spec).await;
    assert!(
        first.contains("'B=x y=z'") && first.contains("'EMPTY='"),
        "{first}"
    );
    assert!(
        first.contains(" True [(0, '/dev/null'), (1, 'pipe'), (2, 'pipe'), (3, 'socket')]"),
        "{first}"
    );
    assert_eq!(first, second);
}

#[tokio::test]
async fn one_that_is_kept_apart_is_like_any_other() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut spec = report();
    spec.user = Some("nobody".to_owned());
    spec.isolation.namespaces = vec![
        Namespace::Mount,
        Namespace::Pid,
        Namespace::Ipc,
        Namespace::Uts,
        Namespace::Net,
    ];
    spec.isolation.seccomp = true;
    spec.isolation.read_only = true;
    spec.isolation.tmp_bytes = Some(1 << 20);
    let [first, second] = both(spec).await;
    assert!(
        first.contains("greet") && first.contains("['lo']"),
        "{first}"
    );
    assert!(first.contains("Seccomp:\\t2"), "{first}");
    assert_eq!(first, second);
}

#[tokio::test]
async fn its_group_is_the_instances() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let mut spec = sleeper();
    spec.resources = Resources {
        memory_bytes: Some(64 << 20),
        ..Resources::default()
    };
    bench.start(1, spec.clone()).await.expect("it is executed");
    let waiting = stub(&bench).await;
    let groups = || fs::read_to_string(format!("/proc/{waiting}/cgroup")).unwrap();
    let before = groups();
    assert!(before.contains("/stoker-"), "{before}");
    let started = bench.start(2, spec).await.expect("it is executed");
    assert_eq!(started.pid, Some(waiting));
    assert_eq!(groups(), before);
    bench.finish().await;
}

#[tokio::test]
async fn one_that_was_killed_is_not_missed() {
    let bench = Bench::new();
    for count in 1..=3 {
        bench.start(count, sleeper()).await.expect("it is executed");
        let waiting = stub(&bench).await;
        let pid = rustix::process::Pid::from_raw(waiting.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let started = bench
            .start(count + 10, sleeper())
            .await
            .expect("it is executed");
        assert_ne!(started.pid, Some(waiting));
        gone(waiting).await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_as_ever() {
    let bench = Bench::new();
    let program = bench.settings.state_dir.join("program");
    fs::copy("/bin/sleep", &program).unwrap();
    let spec = spec(SocketKind::Inherit, &[program.to_str().unwrap(), "1000"]);
    bench.start(1, spec.clone()).await.expect("it is executed");
    let waiting = stub(&bench).await;
    fs::remove_file(&program).unwrap();
    let failure = bench.refusal(2, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    assert!(
        failure.detail.contains("no such file or directory"),
        "{}",
        failure.detail
    );
    gone(waiting).await;
    bench.finish().await;
}

#[tokio::test]
async fn another_program_does_not_get_it() {
    let bench = Bench::new();
    bench.start(1, sleeper()).await.expect("it is executed");
    let waiting = stub(&bench).await;
    let mut others = vec![sleeper(), sleeper(), sleeper(), sleeper(), sleeper()];
    others[0].revision = "r2".into();
    others[1].function = "other".into();
    others[2].command = vec!["sleep".to_owned(), "1001".to_owned()];
    others[3].environment = vec![("PATH".to_owned(), "/bin".to_owned())];
    others[4].rlimits = vec![(Rlimit::Core, 0)];
    for (count, spec) in (2..).zip(others) {
        let started = bench.start(count, spec).await.expect("it is executed");
        assert_ne!(started.pid, Some(waiting));
    }
    // More programs than stubs: the first one has lost its own.
    gone(waiting).await;
    eventually("as many as may be", || {
        stubs(&bench).len() == bench.settings.stubs
    })
    .await;
    bench.finish().await;
}

#[tokio::test]
async fn nothing_is_left_of_them() {
    let bench = Bench::new();
    bench.start(1, sleeper()).await.expect("it is executed");
    let waiting = stub(&bench).await;
    // The end of another is not the end of it, nor does it hold that up.
    bench.driver.stop(id(1), Stop::Kill);
    bench.exit().await;
    assert!(runs(waiting));
    bench.finish().await;
    assert!(!runs(waiting));
}

#[tokio::test]
async fn one_waits_without_a_group_too() {
    let mut bare = settings();
    bare.cgroups.enabled = CgroupUse::Never;
    let bench = Bench::with(bare, ports(5));
    bench.start(1, report()).await.expect("it is executed");
    let first = bench.outputs.line(1);
    for count in 2..=4 {
        let waiting = stub(&bench).await;
        let started = bench.start(count, report()).await.expect("it is executed");
        assert_eq!(started.pid, Some(waiting));
        assert_eq!(bench.outputs.line(count), first);
    }
    bench.finish().await;
}

#[tokio::test]
async fn none_is_kept_if_none_is_wanted() {
    let mut without = settings();
    without.stubs = 0;
    let bench = Bench::with(without, ports(5));
    for count in 1..=3 {
        bench.start(count, sleeper()).await.expect("it is executed");
    }
    bench.driver.stop(id(1), Stop::Kill);
    bench.exit().await;
    assert!(stubs(&bench).is_empty());
    bench.finish().await;
}
