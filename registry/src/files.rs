//! Packages and unpacked code as files, named by content.
//!
//! What comes in is first put together below `incoming/`. It takes its name in one rename, when all
//! of it is on disk, so that whatever is below `packages/` or `code/` is whole. What no revision names
//! is garbage: [`Files::sweep`] removes it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{ArchiveKind, Digest, Package};

/// The files below one directory.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// What is being published, and how many times: it has no revision yet and must not go.
    pinned: Arc<Pinned>,
    /// Bytes of the code that was looked at.
    code_bytes: Mutex<HashMap<Digest, u64>>,
}

/// A place for what comes in: removed with all that is left in it when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    directory: PathBuf,
}

/// Keeps a package's files while no revision names them.
#[derive(Debug)]
pub struct Pin {
    pinned: Arc<Pinned>,
    digest: Digest,
}

/// Packages, and how many times each is being published.
type Pinned = Mutex<HashMap<Digest, usize>>;

/// Tells the packages that revisions name.
pub type Named<'n> = dyn Fn() -> io::Result<HashSet<Digest>> + 'n;

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Packages and directories of code.
    pub items: usize,
    /// Bytes of the packages among them.
    pub package_bytes: u64,
}

impl Files {
    /// The files below `root`, which is made if it is not there. Only `code/` is open to others: it is
    /// what instances of other users execute.
    ///
    /// # Errors
    /// If the directories cannot be made.
    pub fn open(root: &Path) -> io::Result<Files> {
        for (name, mode) in [
            ("", 0o711),
            ("code", 0o711),
            ("packages", 0o700),
            ("incoming", 0o711),
        ] {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(mode).create(root.join(name))?;
        }
        Ok(Files {
            root: root.to_owned(),
            pinned: Arc::default(),
            code_bytes: Mutex::default(),
        })
    }

    /// The directory of everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A package's file, which is whole if it is there.
    pub fn package(&self, digest: Digest, kind: ArchiveKind) -> PathBuf {
        let name = format!("{digest}.{}", kind.extension());
        self.root.join("packages").join(name)
    }

    /// The directory of a package's code, which is whole if it is there.
    pub fn code(&self, digest: Digest) -> PathBuf {
        self.root.join("code").join(digest.to_string())
    }

    /// A new place below `incoming/`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn incoming(&self) -> io::Result<Incoming> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{count}", std::process::id());
        let directory = self.root.join("incoming").join(name);
        // What a process of the same number left behind, if it has not been swept away.
        remove(&directory)?;
        DirBuilder::new().mode(0o711).create(&directory)?;
        Ok(Incoming { directory })
    }

    /// Keeps the files of a package from being removed, there or not.
    pub fn pin(&self, digest: Digest) -> Pin {
        *self.pinned().entry(digest).or_default() += 1;
        Pin {
            pinned: Arc::clone(&self.pinned),
            digest,
        }
    }

    /// Makes the archive in `incoming` the package's file, on disk for good when this returns. One
    /// that is there already stays.
    ///
    /// # Errors
    /// If it cannot be moved or written to disk.
    pub fn keep_package(&self, incoming: &Incoming, package: &Package) -> io::Result<()> {
        let place = self.package(package.digest, package.kind);
        if place.exists() {
            return Ok(());
        }
        let archive = incoming.archive();
        File::open(&archive)?.sync_all()?;
        fs::rename(&archive, &place)?;
        sync_directory(&self.root.join("packages"))
    }

    /// Makes the tree in `incoming` the code of a package, likewise. What is in the tree must be on
    /// disk.
    ///
    /// # Errors
    /// If it cannot be moved or written to disk.
    pub fn keep_code(&self, incoming: &Incoming, digest: Digest) -> io::Result<()> {
        let place = self.code(digest);
        let moved = fs::rename(incoming.tree(), &place);
        match moved {
            // Another publisher of the same package was faster.
            Err(_) if place.exists() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_directory(&self.root.join("code")),
        }
    }

    /// Bytes of all packages and of all code, as the files are long. Each code is looked at once: it
    /// does not change.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn bytes(&self) -> io::Result<u64> {
        let mut bytes = bytes_below(&self.root.join("packages"))?;
        let mut known = self
            .code_bytes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut present = HashMap::with_capacity(known.len());
        for entry in fs::read_dir(self.root.join("code"))? {
            let path = entry?.path();
            let digest = digest_of(&path);
            let looked_at = digest.and_then(|digest| known.get(&digest).copied());
            let length = match looked_at {
                Some(length) => length,
                None => bytes_below(&path)?,
            };
            present.extend(digest.map(|digest| (digest, length)));
            bytes += length;
        }
        *known = present;
        Ok(bytes)
    }

    /// Removes the packages and code that `named` does not tell, if nobody is about to publish them
    /// and they were last changed longer ago than `age`; and what has lain in `incoming/` as long.
    /// `named` is asked again before anything goes.
    ///
    /// An `age` of zero is for a start at which no other process uses the directory.
    ///
    /// # Errors
    /// If something cannot be listed or removed; all else was tried.
    pub fn sweep(&self, named: &Named<'_>, age: Duration) -> io::Result<Swept> {
        let mut swept = Swept::default();
        let mut result = Ok(());
        let before = named()?;
        for directory in ["packages", "code", "incoming"] {
            for entry in fs::read_dir(self.root.join(directory))? {
                let path = entry?.path();
                if digest_of(&path).is_some_and(|digest| before.contains(&digest)) {
                    continue;
                }
                match self.sweep_one(&path, named, age) {
                    Ok(one) if directory != "incoming" => swept.add(one),
                    Ok(_) => {}
                    Err(error) => result = Err(error),
                }
            }
        }
        result.map(|()| swept)
    }

    /// The same for one package only.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn discard(&self, package: &Package, named: &Named<'_>) -> io::Result<()> {
        let archive = self.package(package.digest, package.kind);
        for path in [archive, self.code(package.digest)] {
            match self.sweep_one(&path, named, Duration::ZERO) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn sweep_one(&self, path: &Path, named: &Named<'_>, age: Duration) -> io::Result<Swept> {
        let metadata = fs::symlink_metadata(path)?;
        let passed = SystemTime::now().duration_since(metadata.modified()?);
        // A time to come is no age.
        if passed.unwrap_or_default() < age {
            return Ok(Swept::default());
        }
        // Held while it goes, so that nobody takes it for there meanwhile.
        let pinned = self.pinned();
        if let Some(digest) = digest_of(path)
            && (pinned.contains_key(&digest) || named()?.contains(&digest))
        {
            return Ok(Swept::default());
        }
        let mut swept = Swept {
            items: 1,
            package_bytes: 0,
        };
        if metadata.is_dir() {
            // In one step it is not there any more: half of it is never taken for all of it.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("doomed-{}", name.trim_start_matches("doomed-"));
            let doomed = self.root.join("incoming").join(name);
            if doomed != path {
                remove(&doomed)?;
                fs::rename(path, &doomed)?;
            }
            drop(pinned);
            remove(&doomed)?;
        } else {
            fs::remove_file(path)?;
            swept.package_bytes = metadata.len();
        }
        Ok(swept)
    }

    fn pinned(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Swept {
    fn add(&mut self, other: Swept) {
        self.items += other.items;
        self.package_bytes += other.package_bytes;
    }
}

impl Incoming {
    /// The directory itself.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the archive goes.
    pub fn archive(&self) -> PathBuf {
        self.directory.join("archive")
    }

    /// Where it is unpacked; not there yet.
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What cannot be removed now is swept away later.
        remove(&self.directory).ok();
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pinned.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                pinned.remove(&self.digest);
            }
        }
    }
}

/// The package that a file or directory is of, by its name.
fn digest_of(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    name.split('.').next()?.parse().ok()
}

/// A file or a directory with all that is in it, there or not.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Bytes of all files below a directory; what goes meanwhile is not counted.
fn bytes_below(directory: &Path) -> io::Result<u64> {
    let (mut bytes, mut left) = (0, vec![directory.to_owned()]);
    while let Some(directory) = left.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => left.push(entry.path()),
                Ok(metadata) if metadata.is_file() => bytes += metadata.len(),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(bytes)
}

/// So that what was renamed into it has its name after a crash.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
