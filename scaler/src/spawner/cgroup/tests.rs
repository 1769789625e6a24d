//! The whole of it in trees that look like the kernel's, for what this machine may not have.

use std::fs;
use std::path::{Path, PathBuf};

use super::group::Cgroup;
use super::group::freezer::command;
use super::hierarchy::{Controller, Hierarchies, Hierarchy};
use super::home::Home;
use super::leftovers;
use super::limits::Version;
use super::testing::{Tree, read};
use super::*;

const NAME: &str = "stoker-0";

/// v2 with our own group `own`, and these controllers in it and in the groups below.
fn unified(tree: &Tree, own: &str, controllers: &str) -> Hierarchies {
    for group in [own, &format!("{own}/{NAME}")] {
        tree.put(&format!("{group}/cgroup.controllers"), controllers);
        tree.put(&format!("{group}/cgroup.subtree_control"), "");
    }
    Hierarchies {
        unified: Some(Hierarchy {
            mount: tree.path().to_owned(),
            own: tree.path().join(own),
        }),
        legacy: Vec::new(),
    }
}

fn group(tree: &Tree) -> Cgroup {
    Cgroup::new(Some(tree.path().to_owned()), Vec::new())
}

#[test]
fn controllers_of_v2_are_handed_on() {
    let tree = Tree::new(&[]);
    let found = unified(&tree, "a", "cpuset cpu io memory pids\n");
    Home::make(&found, (None, NAME), 1);
    for group in ["a", "a/stoker-0"] {
        let file = format!("{group}/cgroup.subtree_control");
        assert_eq!(read(tree.path(), &file), "+memory +cpu +pids");
    }
}

#[test]
fn what_v2_has_is_known_and_the_rest_is_lacking() {
    let tree = Tree::new(&[]);
    let found = unified(&tree, "a", "memory\n");
    tree.put("a/cgroup.subtree_control", "memory");
    tree.put("a/stoker-0/cgroup.subtree_control", "memory");
    let home = Home::make(&found, (None, NAME), 1);
    assert_eq!(home.unified, Some(tree.path().join("a/stoker-0")));
    assert_eq!(home.controllers, [Controller::Memory]);
    assert!(home.is_usable());
    assert_eq!(home.lack(Controller::Freezer), None);
    assert_eq!(
        home.lack(Controller::Cpu),
        Some("the kernel offers no controller \"cpu\" here")
    );
}

#[test]
fn a_parent_is_below_the_mount() {
    let tree = Tree::new(&[]);
    let found = unified(&tree, "a", "");
    tree.put("x/y/cgroup.controllers", "");
    tree.put("x/y/cgroup.subtree_control", "");
    let home = Home::make(&found, (Some(Path::new("x/y")), NAME), 1);
    assert_eq!(home.unified, Some(tree.path().join("x/y/stoker-0")));
}

#[test]
fn the_group_that_systemd_made_for_the_gateway_is_left_aside() {
    let tree = Tree::new(&[]);
    let mut found = unified(&tree, "service", "");
    let own = tree.path().join("service/stoker-gateway");
    found.unified.as_mut().expect("just made").own = own;
    let home = Home::make(&found, (None, NAME), 1);
    assert_eq!(home.unified, Some(tree.path().join("service/stoker-0")));
}

#[test]
fn without_a_place_there_is_a_reason() {
    let tree = Tree::new(&["file"]);
    let hierarchy = Hierarchy {
        mount: tree.path().join("file"),
        own: tree.path().join("file"),
    };
    let found = Hierarchies {
        unified: Some(hierarchy.clone()),
        legacy: vec![(Controller::Memory, hierarchy)],
    };
    let home = Home::make(&found, (None, NAME), 1);
    assert!(!home.is_usable());
    let path = tree.path().join("file/stoker-0");
    let why = format!(
        "cannot make the group {}: Not a directory (os error 20)",
        path.display()
    );
    assert_eq!(home.lack(Controller::Memory), Some(&*why));
    assert_eq!(home.lack(Controller::Freezer), Some(&*why));
}

#[test]
fn v2_is_frozen_and_thawed_and_its_file_handed_out() {
    let tree = Tree::new(&["cgroup.freeze"]);
    let mut group = group(&tree);
    group.freeze().expect("it can");
    assert_eq!(read(tree.path(), "cgroup.freeze"), "1");
    group.thaw().expect("it can");
    assert_eq!(read(tree.path(), "cgroup.freeze"), "0");
    tree.put("cgroup.events", "populated 0\nfrozen 0\n");
    assert!(group.is_reusable());
    let freezer = group.freezer().expect("it can");
    assert_eq!(freezer.version, Version::Unified);
    assert_eq!(command(freezer.version, true), "1");
    rustix::io::write(&freezer.file, b"1").expect("a file");
    assert_eq!(read(tree.path(), "cgroup.freeze"), "1");
    assert!(!group.is_reusable(), "somebody may still write to it");
}

#[test]
fn v1_is_frozen_by_words() {
    let tree = Tree::new(&["freezer.state"]);
    let mut group = Cgroup::new(None, vec![(Controller::Freezer, tree.path().to_owned())]);
    group.assign(&Resources::default()).expect("no limits");
    group.freeze().expect("it can");
    assert_eq!(read(tree.path(), "freezer.state"), "FROZEN");
    group.thaw().expect("it can");
    assert_eq!(read(tree.path(), "freezer.state"), "THAWED");
}

#[test]
fn v2_says_what_it_holds() {
    let tree = Tree::new(&["cgroup.kill"]);
    tree.put("cgroup.events", "populated 1\nfrozen 0\n");
    let mut group = group(&tree);
    assert!(!group.is_empty());
    tree.put("cpu.stat", "usage_usec 500\n");
    group.close_account();
    tree.put("cpu.stat", "usage_usec 750\n");
    assert_eq!(group.cpu_micros(), Some(250), "what the next instance uses");
    group.kill();
    assert_eq!(read(tree.path(), "cgroup.kill"), "1");
    tree.put("cgroup.events", "populated 0\nfrozen 0\n");
    assert!(!group.is_reusable(), "the next one would be killed, too");
}

#[test]
fn kills_for_memory_are_those_since_it_was_assigned() {
    let tree = Tree::new(&["memory.max"]);
    tree.put("memory.events", "low 0\noom 1\noom_kill 1\n");
    let mut group = group(&tree);
    let limits = Resources {
        memory_bytes: Some(1 << 20),
        ..Resources::default()
    };
    group.assign(&limits).expect("a file");
    assert_eq!(group.exceeded_memory(), None);
    tree.put("memory.events", "low 0\noom 2\noom_kill 2\n");
    assert_eq!(group.exceeded_memory(), Some(1 << 20));
}

#[test]
fn only_what_differs_is_written() {
    let tree = Tree::new(&["memory.max", "pids.max"]);
    let mut group = group(&tree);
    let limits = |processes| Resources {
        memory_bytes: Some(1 << 20),
        processes,
        cpu_millis: None,
    };
    group.assign(&limits(Some(5))).expect("files");
    tree.put("memory.max", "untouched");
    group.assign(&limits(None)).expect("files");
    assert_eq!(read(tree.path(), "memory.max"), "untouched");
    assert_eq!(read(tree.path(), "pids.max"), "max");
}

#[test]
fn a_process_is_moved_by_its_number() {
    let tree = Tree::new(&["cgroup.procs"]);
    let pid = rustix::process::Pid::from_raw(77).expect("not zero");
    group(&tree).attach(pid).expect("a file");
    assert_eq!(read(tree.path(), "cgroup.procs"), "77");
}

#[test]
fn leftovers_are_found_where_they_were_noted() {
    let tree = Tree::new(&[]);
    let state = tree.path().join("state");
    let (ours, other) = (tree.path().join("x/stoker-1"), tree.path().join("x/else"));
    for directory in [&state, &ours.join("0"), &ours.join("1"), &other] {
        fs::create_dir_all(directory).expect("a directory");
    }
    let noted: [&PathBuf; 2] = [&ours, &other];
    leftovers::note(&state, noted.into_iter().map(PathBuf::as_path));
    leftovers::collect(&state, "stoker-1");
    assert!(!ours.exists());
    assert!(other.exists(), "it is not called as ours are");
    leftovers::collect(&state, "stoker-1");
}

#[test]
fn limits_that_cannot_be_are_refused_with_their_reason() {
    let tree = Tree::new(&[]);
    let mut groups = Cgroups::new(tree.path());
    let settings = CgroupSettings {
        enabled: CgroupUse::Never,
        ..CgroupSettings::default()
    };
    groups.configure(&settings, 1).expect("nothing is demanded");
    assert!(
        groups
            .take(&Resources::default())
            .expect("no limits")
            .is_none()
    );
    let limits = Resources {
        memory_bytes: Some(1 << 20),
        ..Resources::default()
    };
    let fault = groups.take(&limits).expect_err("there are no groups");
    assert_eq!(
        fault,
        Fault::lasting("cannot limit memory: cgroups.enabled is false".to_owned())
    );
}
