//! A directory of files for one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use stoker_config::{Config, ConfigError, Errors, FunctionSpec, load};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Removed when dropped.
pub(crate) struct Tree(PathBuf);

impl Tree {
    /// With an empty `functions` directory.
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("stk-{}-{number}", std::process::id()));
        let tree = Self(root);
        std::fs::create_dir_all(tree.path("functions")).unwrap();
        tree
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    pub(crate) fn write(&self, below: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A manifest in `functions/<name>`.
    pub(crate) fn function(&self, name: &str, text: &str) -> PathBuf {
        self.write(&format!("functions/{name}/function.toml"), text)
    }

    pub(crate) fn load(&self, gateway: &str) -> Result<Config, Errors> {
        load(&self.write("stoker.toml", gateway))
    }

    /// All errors, with paths relative to the tree.
    pub(crate) fn errors(&self, gateway: &str) -> Vec<String> {
        let root = format!("{}/", self.0.display());
        let errors = self.load(gateway).expect_err("errors");
        errors
            .iter()
            .map(|error: &ConfigError| error.to_string().replace(&root, ""))
            .collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Nothing depends on it being gone.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The one function with this manifest.
pub(crate) fn one(text: &str) -> FunctionSpec {
    let tree = Tree::new();
    stoker_config::load_function(&tree.function("one", text)).unwrap()
}

/// All errors of the one function with this manifest, each without its file.
pub(crate) fn wrong(text: &str) -> Vec<String> {
    let tree = Tree::new();
    let file = tree.function("one", text);
    let errors = stoker_config::load_function(&file).expect_err("errors");
    let prefix = format!("{}:", file.display());
    errors
        .iter()
        .map(|error| error.to_string().replace(&prefix, ""))
        .collect()
}

/// The path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
