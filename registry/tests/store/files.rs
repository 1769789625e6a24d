//! Packages, code, and what becomes of them.

use std::fs;
use std::time::Duration;

use stoker_registry::{Registry, Rule, Shift};

use crate::common::{Directory, new_revision, package};

const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

fn open(directory: &Directory) -> Registry {
    Registry::open(&directory.path().join("registry"), None, 10).expect("a registry")
}

/// Publishes as a gateway does: files first, then the row.
fn publish(registry: &Registry, seed: u8, shift: Shift) -> u32 {
    put(registry, seed);
    let new = new_revision("f", seed, shift);
    registry.store().publish(new).expect("a revision").number
}

fn put(registry: &Registry, seed: u8) {
    let incoming = registry.files().incoming().expect("a place");
    fs::write(incoming.archive(), [seed; 100]).expect("a file");
    fs::create_dir(incoming.tree()).expect("a directory");
    fs::write(incoming.tree().join("main"), [seed]).expect("a file");
    let files = registry.files();
    files
        .keep_package(&incoming, &package(seed))
        .expect("a package");
    files
        .keep_code(&incoming, package(seed).digest)
        .expect("code");
}

fn kept(registry: &Registry, seed: u8) -> bool {
    let (files, package) = (registry.files(), package(seed));
    let code = files.code(package.digest).join("main").exists();
    let archive = files.package(package.digest, package.kind).exists();
    assert_eq!(code, archive);
    code
}

#[test]
fn what_nothing_names_is_removed_at_the_start() {
    let directory = Directory::new();
    let registry = open(&directory);
    publish(&registry, 1, Shift::All);
    put(&registry, 2);
    let incoming = registry.files().incoming().unwrap();
    fs::write(incoming.archive(), "half").unwrap();
    let left = incoming.directory().to_owned();
    // As a crash does.
    std::mem::forget(incoming);
    drop(registry);
    let registry = open(&directory);
    let swept = registry.clean_up().unwrap();
    assert_eq!((swept.items, swept.package_bytes), (2, 100));
    assert_eq!((kept(&registry, 1), kept(&registry, 2)), (true, false));
    assert!(!left.exists());
    assert_eq!(registry.files().bytes().unwrap(), 101);
}

#[test]
fn what_is_about_to_be_published_stays() {
    let directory = Directory::new();
    let registry = open(&directory);
    let files = registry.files();
    let (first, second) = (files.pin(package(1).digest), files.pin(package(1).digest));
    put(&registry, 1);
    registry.clean_up().unwrap();
    drop(first);
    registry.clean_up().unwrap();
    assert!(kept(&registry, 1));
    drop(second);
    registry.clean_up().unwrap();
    assert!(!kept(&registry, 1));
}

#[test]
fn the_same_package_is_kept_once() {
    let directory = Directory::new();
    let registry = open(&directory);
    publish(&registry, 1, Shift::All);
    publish(&registry, 1, Shift::All);
    assert_eq!(registry.files().bytes().unwrap(), 101);
    registry.store().collect("f", 1).unwrap();
    registry.clean_up().unwrap();
    assert!(kept(&registry, 1), "the second revision has it too");
}

#[test]
fn packages_and_code_are_counted_until_they_go() {
    let directory = Directory::new();
    let registry = open(&directory);
    let files = registry.files();
    assert_eq!(files.bytes().unwrap(), 0);
    publish(&registry, 1, Shift::All);
    assert_eq!(files.bytes().unwrap(), 101);
    let incoming = files.incoming().unwrap();
    fs::create_dir_all(incoming.tree().join("deep/er")).unwrap();
    fs::write(incoming.tree().join("deep/er/built"), [0; 5000]).unwrap();
    std::os::unix::fs::symlink("built", incoming.tree().join("deep/er/link")).unwrap();
    assert_eq!(files.bytes().unwrap(), 101, "it is not kept yet");
    files.keep_code(&incoming, package(2).digest).unwrap();
    for _ in 0..2 {
        assert_eq!(files.bytes().unwrap(), 5101);
    }
    registry.clean_up().unwrap();
    assert_eq!(files.bytes().unwrap(), 101);
    put(&registry, 2);
    assert_eq!(files.bytes().unwrap(), 202, "it is other code of that name");
}

#[test]
fn only_what_nothing_names_is_discarded() {
    let directory = Directory::new();
    let registry = open(&directory);
    publish(&registry, 1, Shift::All);
    put(&registry, 2);
    for seed in [1, 2, 3] {
        registry.discard(&package(seed)).unwrap();
    }
    assert_eq!((kept(&registry, 1), kept(&registry, 2)), (true, false));
}

#[test]
fn incoming_goes_when_it_is_dropped() {
    let directory = Directory::new();
    let registry = open(&directory);
    let incoming = registry.files().incoming().unwrap();
    let place = incoming.directory().to_owned();
    fs::create_dir(incoming.tree()).unwrap();
    drop(incoming);
    assert!(!place.exists());
}

#[test]
fn the_rule_gives_up_what_is_not_in_use() {
    let directory = Directory::new();
    let registry = open(&directory);
    for seed in 1..=8 {
        publish(&registry, seed, Shift::All);
    }
    publish(&registry, 9, Shift::Nothing);
    registry.store().set_alias("f", "stable", 2).unwrap();
    let rule = Rule {
        revisions: 4,
        age: FOREVER,
    };
    let collected = registry.collect(rule).unwrap();
    let gone: Vec<u32> = collected.iter().map(|(_, it)| *it).collect();
    assert_eq!(gone, [5, 4, 3, 1]);
    // All in use: the newest, the one with traffic, the one before it, the one with a name.
    let rule = Rule {
        revisions: 9,
        age: Duration::ZERO,
    };
    let gone = registry.collect(rule).unwrap();
    assert_eq!(gone, [("f".to_owned(), 6)]);
    registry.clean_up().unwrap();
    let left: Vec<u8> = (1..=9).filter(|seed| kept(&registry, *seed)).collect();
    assert_eq!(left, [2, 7, 8, 9]);
    assert!(registry.collect(rule).unwrap().is_empty());
}
