use std::fs::{create_dir_all, write};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};

use notify::event::{DataChange, MetadataKind, RenameMode};

use super::*;

static COUNT: AtomicU32 = AtomicU32::new(0);

const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
const MOVED: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));
const MADE: EventKind = EventKind::Create(CreateKind::Folder);

/// `stoker.toml`, `functions/a` with a manifest and `functions/b` without one.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("stki-{}-{number}", std::process::id()));
        create_dir_all(root.join("functions/a/data")).unwrap();
        create_dir_all(root.join("functions/b")).unwrap();
        let tree = Tree(fs::canonicalize(root).unwrap());
        for file in ["stoker.toml", "functions/a/function.toml"] {
            write(tree.path(file), "").unwrap();
        }
        tree
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    fn watched(&self) -> Vec<PathBuf> {
        let below = [
            "stoker.toml",
            "functions",
            "functions/a",
            "functions/a/function.toml",
            "functions/b",
        ];
        below.map(|below| self.path(below)).to_vec()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn event(kind: EventKind, path: PathBuf) -> Event {
    Event::new(kind).add_path(path)
}

#[test]
fn manifests_and_the_gateway_file_matter() {
    let tree = Tree::new();
    let mut interest = Interest::of(&tree.watched());
    let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let removed = EventKind::Remove(RemoveKind::File);
    for file in [
        "stoker.toml",
        "functions/a/function.toml",
        "functions/b/function.toml",
    ] {
        for kind in [WRITTEN, MOVED, closed, removed] {
            assert!(
                interest.concerns(&event(kind, tree.path(file))),
                "{file} {kind:?}"
            );
        }
        assert!(!interest.concerns(&event(read, tree.path(file))), "{file}");
    }
    let directories: HashSet<_> = ["", "functions", "functions/a", "functions/b"]
        .map(|below| tree.0.join(below))
        .into();
    let real: HashSet<_> = interest
        .directories
        .iter()
        .map(|path| path.join(""))
        .collect();
    let wanted: HashSet<_> = directories.iter().map(|path| path.join("")).collect();
    assert_eq!(real, wanted);
}

#[test]
fn what_functions_write_does_not_matter() {
    let tree = Tree::new();
    let mut interest = Interest::of(&tree.watched());
    for kind in [WRITTEN, MOVED, MADE] {
        assert!(
            !interest.concerns(&event(kind, tree.path("functions/a/data"))),
            "{kind:?}"
        );
        assert!(
            !interest.concerns(&event(kind, tree.path("functions/a/x.log"))),
            "{kind:?}"
        );
        assert!(
            !interest.concerns(&event(kind, tree.path("other"))),
            "{kind:?}"
        );
    }
    let metadata = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
    assert!(!interest.concerns(&event(metadata, tree.path("functions/a/data"))));
}

#[test]
fn new_and_removed_directories_matter() {
    let tree = Tree::new();
    let mut interest = Interest::of(&tree.watched());
    create_dir_all(tree.path("functions/c")).unwrap();
    assert!(interest.concerns(&event(MADE, tree.path("functions/c"))));
    assert!(interest.concerns(&event(MOVED, tree.path("functions/c"))));
    write(tree.path("functions/file"), "").unwrap();
    assert!(!interest.concerns(&event(MOVED, tree.path("functions/file"))));
    assert!(interest.void.is_empty());
    let removed = EventKind::Remove(RemoveKind::Folder);
    assert!(interest.concerns(&event(removed, tree.path("functions/a"))));
    assert!(interest.void.contains(&tree.path("functions/a")));
}

#[test]
fn a_lost_event_matters() {
    let mut interest = Interest::default();
    let rescan = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    assert!(interest.concerns(&rescan));
}

#[test]
fn every_link_on_the_way_matters() {
    let tree = Tree::new();
    // As Kubernetes mounts a ConfigMap.
    create_dir_all(tree.path("mount/..1")).unwrap();
    write(tree.path("mount/..1/stoker.toml"), "").unwrap();
    symlink("..1", tree.path("mount/..data")).unwrap();
    symlink("..data/stoker.toml", tree.path("mount/stoker.toml")).unwrap();
    // As a deployment switches between releases.
    symlink("mount", tree.path("current")).unwrap();
    let mut interest = Interest::of(&[tree.path("current/stoker.toml")]);
    for path in [
        "current",
        "mount/stoker.toml",
        "mount/..data",
        "mount/..1/stoker.toml",
    ] {
        assert!(interest.concerns(&event(MOVED, tree.path(path))), "{path}");
    }
    for path in ["", "mount", "mount/..1"] {
        assert!(interest.directories.contains(&tree.path(path)), "{path}");
    }
}

#[test]
fn a_circle_of_links_ends() {
    let tree = Tree::new();
    symlink("y", tree.path("x")).unwrap();
    symlink("x", tree.path("y")).unwrap();
    let mut interest = Interest::of(&[tree.path("x")]);
    assert!(interest.concerns(&event(MOVED, tree.path("y"))));
}
