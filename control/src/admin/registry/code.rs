//! The files that a revision's code consists of.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ring::digest::{Context, Digest, SHA256};

use crate::wire::{CodeFile, FilesDiff};

/// More files than this are not told or compared.
const MOST_FILES: usize = 20_000;
/// Directories in directories.
const DEEPEST: usize = 64;

/// What the directory has, by path; whether there is more.
pub(super) fn list(directory: &Path) -> (Vec<CodeFile>, bool) {
    let mut tree = Tree::default();
    tree.walk(directory, "", 0);
    let files = tree.files.into_iter().map(|(path, file)| CodeFile {
        path,
        bytes: file.bytes,
    });
    (files.collect(), tree.cut)
}

/// What differs between two directories.
pub(super) fn diff(from: &Path, to: &Path) -> FilesDiff {
    let (mut old, mut new) = (Tree::default(), Tree::default());
    old.walk(from, "", 0);
    new.walk(to, "", 0);
    let mut diff = FilesDiff::default();
    for (path, file) in &new.files {
        match old.files.get(path) {
            None => diff.added.push(path.clone()),
            Some(before) if before.differs(file) => diff.changed.push(path.clone()),
            Some(_) => {}
        }
    }
    let gone = old.files.into_keys();
    diff.removed = gone.filter(|path| !new.files.contains_key(path)).collect();
    diff
}

#[derive(Default)]
struct Tree {
    files: BTreeMap<String, Found>,
    cut: bool,
}

struct Found {
    path: PathBuf,
    bytes: u64,
    mode: u32,
    link: bool,
}

impl Tree {
    /// Adds what is below; what cannot be read is left out.
    fn walk(&mut self, directory: &Path, prefix: &str, depth: usize) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        for entry in entries.flatten() {
            if self.files.len() >= MOST_FILES || depth > DEEPEST {
                self.cut = true;
                return;
            }
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else {
                continue;
            };
            if metadata.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"), depth + 1);
                continue;
            }
            let found = Found {
                path: entry.path(),
                bytes: metadata.len(),
                mode: metadata.mode(),
                link: metadata.is_symlink(),
            };
            self.files.insert(path, found);
        }
    }
}

impl Found {
    /// Content is compared only where nothing else tells.
    fn differs(&self, other: &Found) -> bool {
        if (self.bytes, self.mode, self.link) != (other.bytes, other.mode, other.link) {
            return true;
        }
        if self.link {
            return fs::read_link(&self.path).ok() != fs::read_link(&other.path).ok();
        }
        match (digest(&self.path), digest(&other.path)) {
            (Ok(one), Ok(two)) => one.as_ref() != two.as_ref(),
            _ => true,
        }
    }
}

fn digest(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(context.finish()),
            count => context.update(&piece[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> PathBuf {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("stkf-{}-{count}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn files_are_told_apart_by_content() {
        let old = tree(&[("a", "1"), ("d/b", "22"), ("d/c", "3"), ("same", "x")]);
        let new = tree(&[("a", "9"), ("d/c", "33"), ("e/f", ""), ("same", "x")]);
        let found = diff(&old, &new);
        assert_eq!(found.added, ["e/f"]);
        assert_eq!(found.removed, ["d/b"]);
        assert_eq!(found.changed, ["a", "d/c"]);
        assert_eq!(diff(&old, &old), FilesDiff::default());
        let (files, cut) = list(&old);
        let paths: Vec<_> = files.iter().map(|it| (&*it.path, it.bytes)).collect();
        assert_eq!(paths, [("a", 1), ("d/b", 2), ("d/c", 1), ("same", 1)]);
        assert!(!cut);
        for root in [old, new] {
            fs::remove_dir_all(root).unwrap();
        }
    }
}
