//! A directory that looks like the kernel's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Removed when it is dropped.
pub(in crate::spawner) struct Tree(PathBuf);

impl Tree {
    /// With these files, all of them empty.
    pub(in crate::spawner) fn new(files: &[&str]) -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stoker-tree-{}-{count}", std::process::id());
        let tree = Tree(std::env::temp_dir().join(name));
        fs::create_dir_all(&tree.0).expect("a temporary directory");
        for file in files {
            tree.put(file, "");
        }
        tree
    }

    pub(in crate::spawner) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, with the directories that it is in.
    pub(in crate::spawner) fn put(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("it is below")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// What a file holds.
pub(in crate::spawner) fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).expect("it is there")
}
