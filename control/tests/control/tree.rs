//! A directory of files for one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Of the role `admin`.
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Removed when dropped.
pub(crate) struct Tree(PathBuf);

impl Tree {
    /// With `stoker.toml` and an empty `functions` directory.
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Short, for sockets are in it.
        let root = std::env::temp_dir().join(format!("stkc-{}-{number}", std::process::id()));
        std::fs::create_dir_all(root.join("functions")).unwrap();
        let tree = Tree(std::fs::canonicalize(root).unwrap());
        tree.write(
            "stoker.toml",
            &format!(
                "functions = [\"functions/*\"]\nlisten = [\"127.0.0.1:0\"]\n\
                 [admin]\nsocket = \"a.sock\"\nlisten = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"\n"
            ),
        );
        tree
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn append(&self, below: &str, text: &str) {
        let before = std::fs::read_to_string(self.path(below)).unwrap();
        self.write(below, &(before + text));
    }

    /// A manifest in `functions/<name>`, with more lines after the least.
    pub(crate) fn function(&self, name: &str, more: &str) -> PathBuf {
        let path = format!("functions/{name}/function.toml");
        self.write(&path, &manifest(name, more))
    }
}

pub(crate) fn manifest(name: &str, more: &str) -> String {
    format!("name = \"{name}\"\ncommand = [\"./server\"]\n{more}\n")
}

impl Drop for Tree {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
