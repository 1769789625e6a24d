//! Control groups of instances: what they may use together, and that nothing survives them.
//!
//! Where this machine lets nobody make groups, only the degraded way is tested.

use std::fs;
use std::path::{Path, PathBuf};

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, LaunchSpec, Resources, SocketKind, Stop};
use stoker_scaler::spawner::{CgroupUse, launch_or_join};

use crate::support::*;

/// Says where its groups are, and waits.
const SHOW: &str = "cat /proc/self/cgroup; echo; exec sleep 1000";

fn limited(mut spec: LaunchSpec, resources: Resources) -> LaunchSpec {
    spec.resources = resources;
    spec
}

fn memory(bytes: u64) -> Resources {
    Resources {
        memory_bytes: Some(bytes),
        ..Resources::default()
    }
}

/// False where no groups can be made.
pub(crate) fn has_groups() -> bool {
    let mut settings = settings();
    settings.cgroups.enabled = CgroupUse::Always;
    let possible = match launch_or_join(&settings) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("control groups"), "{error}");
            eprintln!("not tested: {error}");
            false
        }
    };
    fs::remove_dir_all(&settings.state_dir).ok();
    possible
}

/// The directories of an instance's own groups, from what [`SHOW`] prints.
fn directories(bench: &Bench, count: u32) -> Vec<PathBuf> {
    let shown = bench.outputs.read(
        count,
        stoker_scaler::process::OutputStream::Stdout,
        |text| text.contains("\n\n"),
    );
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let own = shown.lines().filter(|line| line.contains("/stoker-"));
    own.filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let mount = mounts.lines().find(|mount| match controllers {
            "" => mount.contains(" - cgroup2 "),
            name => mount.contains(" - cgroup ") && mount.rsplit(',').any(|option| option == name),
        })?;
        let fields: Vec<&str> = mount.split(' ').collect();
        let below = path.strip_prefix(fields[3]).unwrap_or(path);
        Some(Path::new(fields[4]).join(below.trim_start_matches('/')))
    })
    .collect()
}

/// The text of the one file of these that there is.
fn file(directories: &[PathBuf], names: &[&str]) -> String {
    let paths = directories
        .iter()
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)));
    let found = paths
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok());
    let found = found.unwrap_or_else(|| panic!("one of {names:?} is in {directories:?}"));
    found.trim().to_owned()
}

#[tokio::test]
async fn whoever_uses_too_much_memory_is_killed_and_it_is_said_why() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let greedy = "s = input; b = bytearray(200 << 20); print(len(b))";
    let spec = limited(python(SocketKind::Inherit, greedy), memory(64 << 20));
    bench.start(1, spec).await.expect("it is executed");
    assert_eq!(
        &*bench.exit().await.failure.detail,
        "was killed for its memory: it used more than resources.memory = 64MiB"
    );
    // Not every SIGKILL is the memory's.
    let spec = limited(shell(SocketKind::Inherit, SHOW), memory(64 << 20));
    bench.start(2, spec).await.expect("there is enough for it");
    bench.driver.stop(id(2), Stop::Kill);
    assert_eq!(&*bench.exit().await.failure.detail, "was killed by SIGKILL");
    bench.finish().await;
}

#[tokio::test]
async fn processes_are_counted() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let fork = "
import os, time
count = 0
try:
    while count < 50:
        if os.fork() == 0: time.sleep(1000)
        count += 1
except OSError as error: print(count, error.strerror, flush=True)
time.sleep(1000)";
    let resources = Resources {
        processes: Some(5),
        ..Resources::default()
    };
    let spec = limited(python(SocketKind::Inherit, fork), resources);
    bench.start(1, spec).await.expect("it is executed");
    let line = bench.outputs.line(1);
    assert_eq!(line, "4 Resource temporarily unavailable");
    bench.finish().await;
}

#[tokio::test]
async fn the_share_of_the_processor_is_written() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let resources = Resources {
        cpu_millis: Some(500),
        ..Resources::default()
    };
    let spec = limited(shell(SocketKind::Inherit, SHOW), resources);
    bench.start(1, spec).await.expect("it is executed");
    let found = directories(&bench, 1);
    let quota = file(&found, &["cpu.max", "cpu.cfs_quota_us"]);
    assert!(quota == "50000 100000" || quota == "50000", "{quota}");
    bench.finish().await;
}

#[tokio::test]
async fn who_left_group_and_name_behind_ends_with_the_instance() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let program = "(setsid env -i sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000";
    bench
        .start(1, shell(SocketKind::Inherit, program))
        .await
        .unwrap();
    let stray: u32 = bench.outputs.line(1).parse().unwrap();
    assert!(runs(stray));
    bench.driver.stop(id(1), Stop::Terminate);
    bench.exit().await;
    assert!(!runs(stray), "{stray} must be gone when the exit is told");
    bench.finish().await;
}

#[tokio::test]
async fn groups_are_used_again() {
    if !has_groups() {
        return;
    }
    // One would take the group before the next instance does.
    let mut without_stubs = settings();
    without_stubs.stubs = 0;
    let bench = Bench::with(without_stubs, ports(20));
    let mut found = Vec::new();
    for count in 1..=3 {
        let spec = limited(shell(SocketKind::Inherit, SHOW), memory(64 << 20));
        let started = bench.start(count, spec).await.expect("it is executed");
        let directories = directories(&bench, count);
        for directory in &directories {
            let inside = fs::read_to_string(directory.join("cgroup.procs")).unwrap();
            assert_eq!(inside.trim(), started.pid.unwrap().to_string());
        }
        let limit = file(&directories, &["memory.max", "memory.limit_in_bytes"]);
        assert_eq!(limit, "67108864");
        found.push(directories);
        bench.driver.stop(id(count), Stop::Kill);
        bench.exit().await;
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    bench.finish().await;
    let left: Vec<_> = found
        .iter()
        .flatten()
        .filter(|path| path.exists())
        .collect();
    assert_eq!(left, Vec::<&PathBuf>::new(), "they are removed in the end");
}

#[tokio::test]
async fn the_groups_of_a_dead_spawner_are_removed_by_the_next() {
    if !has_groups() {
        return;
    }
    let bench = Bench::new();
    let daemon = "cat /proc/self/cgroup; echo; (setsid env -i sleep 1000 &); exec sleep 1000";
    let spec = shell(SocketKind::Inherit, daemon);
    bench.start(1, spec).await.unwrap();
    let found = directories(&bench, 1);
    assert!(!found.is_empty());
    let spawner = bench.driver.spawner_pid().expect("there is one");
    let pid = rustix::process::Pid::from_raw(spawner.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    bench.exit().await;
    let again = async || bench.start(2, shell(SocketKind::Inherit, SHOW)).await;
    again().await.expect("there is another spawner");
    let processes = || {
        let lists = directories(&bench, 2).into_iter().chain(found.clone());
        lists.filter_map(|directory| fs::read_to_string(directory.join("cgroup.procs")).ok())
    };
    let pids: std::collections::BTreeSet<String> = processes()
        .flat_map(|list| list.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(pids.len(), 1, "only the new instance is left: {pids:?}");
    bench.finish().await;
    assert!(found.iter().all(|directory| !directory.exists()));
}

#[tokio::test]
async fn without_groups_only_demands_fail() {
    let mut settings = settings();
    settings.cgroups.enabled = CgroupUse::Never;
    let bench = Bench::with(settings, ports(1));
    bench
        .start(1, shell(SocketKind::Inherit, SHOW))
        .await
        .expect("it demands nothing");
    assert_eq!(directories(&bench, 1), Vec::<PathBuf>::new());
    let spec = limited(shell(SocketKind::Inherit, SHOW), memory(64 << 20));
    let failure = bench.refusal(2, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    assert_eq!(
        &*failure.detail,
        "cannot limit memory: cgroups.enabled is false"
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_user_without_rights_has_none_and_serves() {
    let Some(settings) = crate::unprivileged::as_nobody() else {
        return;
    };
    let bench = Bench::with(settings, ports(1));
    bench
        .start(1, shell(SocketKind::Inherit, SHOW))
        .await
        .expect("it demands nothing");
    let spec = limited(shell(SocketKind::Inherit, SHOW), memory(64 << 20));
    let detail = bench.refusal(2, spec).await.detail;
    assert!(
        detail.starts_with("cannot limit memory: cannot make the group "),
        "{detail}"
    );
    bench.finish().await;
}
