//! The freezer of this machine, of either version, and one in a tree that looks like it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::group::freezer::command;
use super::group::{Cgroup, Freezer};
use super::hierarchy::{Controller, Hierarchies};
use super::limits::Version;
use super::testing::{Tree, read};

/// A process of its own, which is killed when the test is over.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Sleeper {
        let child = Command::new("sleep").arg("1000").spawn();
        Sleeper(child.expect("there is a sleep"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn write(freezer: &Freezer, frozen: bool) {
    let mut file = File::from(freezer.file.try_clone().expect("descriptors are left"));
    let word = command(freezer.version, frozen);
    file.write_all(word.as_bytes()).expect("it can be written");
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Freezes and thaws a process in a new group below `parent`; nothing where none may be made.
fn freeze_in(parent: &Path, version: Version) {
    let directory = parent.join(format!("stoker-test-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&directory) {
        eprintln!("not tested: cannot make {}: {error}", directory.display());
        return;
    }
    let mut group = match version {
        Version::Unified => Cgroup::new(Some(directory.clone()), Vec::new()),
        Version::Legacy => {
            let legacy = vec![(Controller::Freezer, directory.clone())];
            Cgroup::new(None, legacy)
        }
    };
    let sleeper = Sleeper::new();
    let pid = sleeper.0.id().cast_signed();
    fs::write(directory.join("cgroup.procs"), pid.to_string()).expect("it can be entered");
    assert!(!group.is_shared());
    let freezer = group.freezer().expect("it can be frozen");
    assert!(group.is_shared() && freezer.version == version);
    let is_frozen = || match version {
        Version::Unified => read(&directory, "cgroup.events").contains("frozen 1"),
        Version::Legacy => read(&directory, "freezer.state").trim() == "FROZEN",
    };
    for _ in 0..3 {
        write(&freezer, true);
        wait("it is frozen", is_frozen);
        write(&freezer, false);
        wait("it runs", || !is_frozen());
    }
    let (list, in_group) = group.memory_file().expect("there is one");
    if !in_group {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut File::from(list), &mut text).expect("a list");
        assert_eq!(
            text.trim().parse().ok().and_then(Pid::from_raw),
            Pid::from_raw(pid)
        );
    }
    drop(sleeper);
    wait("it is empty", || fs::remove_dir(&directory).is_ok());
    assert!(freezer_is_gone(&freezer), "a late write reaches nobody");
}

fn freezer_is_gone(freezer: &Freezer) -> bool {
    let file = File::from(freezer.file.try_clone().expect("descriptors are left"));
    let word = command(freezer.version, true);
    let error = (&file).write_all(word.as_bytes()).err();
    error.and_then(|error| error.raw_os_error()) == Some(libc::ENODEV)
}

fn hierarchies() -> Hierarchies {
    Hierarchies::discover().expect("there is a /proc")
}

#[test]
fn the_freezer_of_v2() {
    if let Some(hierarchy) = hierarchies().unified {
        freeze_in(&hierarchy.own, Version::Unified);
    }
}

#[test]
fn the_freezer_of_v1() {
    let legacy = hierarchies().legacy.into_iter();
    let mut freezers = legacy.filter(|(controller, _)| *controller == Controller::Freezer);
    if let Some((_, hierarchy)) = freezers.next() {
        freeze_in(&hierarchy.own, Version::Legacy);
    }
}

#[test]
fn memory_goes_by_the_group_where_the_controller_is() {
    let tree = Tree::new(&["cgroup.procs"]);
    let group = Cgroup::new(Some(PathBuf::from(tree.path())), Vec::new());
    assert!(!group.memory_file().expect("a list of processes").1);
    tree.put("memory.reclaim", "");
    let (file, in_group) = group.memory_file().expect("a file to write to");
    assert!(in_group);
    File::from(file).write_all(b"16M").expect("it can be");
    assert_eq!(read(tree.path(), "memory.reclaim"), "16M");
}
