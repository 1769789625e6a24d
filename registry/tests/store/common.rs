//! What the tests of the store share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use stoker_registry::{
    ArchiveKind, Author, Digest, NewRevision, Package, Shift, Sqlite, Store as _,
};

/// A directory that is removed at the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stoker-registry-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory for the test");
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn store(&self) -> Sqlite {
        let (file, key) = (self.0.join("registry.db"), self.0.join("secrets.key"));
        Sqlite::open(&file, &key, 100).expect("a store")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn package(seed: u8) -> Package {
    Package {
        digest: Digest([seed; 32]),
        kind: ArchiveKind::Zip,
        bytes: 100,
    }
}

pub(crate) fn new_revision(function: &str, seed: u8, shift: Shift) -> NewRevision {
    NewRevision {
        function: function.to_owned(),
        package: package(seed),
        settings: None,
        manifest: format!("# {seed}"),
        author: Author::named("test"),
        shift,
    }
}

/// Publishes and tells the number.
pub(crate) fn publish(store: &Sqlite, function: &str, seed: u8) -> u32 {
    let new = new_revision(function, seed, Shift::All);
    store.publish(new).expect("a revision").number
}
