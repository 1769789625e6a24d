//! The one directory that is written to.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self as sys, AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::reading;
use crate::name::Name;
use crate::{Limits, PackageError, Reason, sync};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const NEW_FILE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A new directory that is filled from an archive. Everything is reached from the directory's own
/// file, name by name and never over a link; there are none before [`Tree::finish`] anyway.
pub(crate) struct Tree<'a> {
    root: OwnedFd,
    path: PathBuf,
    limits: &'a Limits,
    archive_bytes: u64,
    counts: Counts,
    /// Entries and implied directories.
    entries: u32,
    links: Vec<Link>,
    /// The directory that was written to last, and its path: mostly the next one too.
    parent: Option<(String, OwnedFd)>,
    buffer: Vec<u8>,
}

/// What a tree came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) bytes: u64,
    pub(crate) files: u32,
    pub(crate) directories: u32,
    pub(crate) links: u32,
}

struct Link {
    name: Name,
    target: Target,
}

enum Target {
    /// As the link has it.
    Symbolic(String),
    /// A file of the package.
    Hard(Name),
}

impl<'a> Tree<'a> {
    /// Makes the directory, for what an archive of that length holds.
    pub(crate) fn create(
        path: &Path,
        limits: &'a Limits,
        archive_bytes: u64,
    ) -> Result<Self, PackageError> {
        let shown = path.display();
        let failed = |error: Errno| {
            PackageError::io(format_args!("cannot make the directory {shown}"))(error.into())
        };
        sys::mkdir(path, Mode::RWXU).map_err(failed)?;
        let open = || -> Result<OwnedFd, Errno> {
            let root = sys::open(path, DIRECTORY, Mode::empty())?;
            sys::fchmod(&root, Mode::from_raw_mode(0o755))?;
            Ok(root)
        };
        Ok(Tree {
            root: open().map_err(failed)?,
            path: path.to_owned(),
            limits,
            archive_bytes,
            counts: Counts::default(),
            entries: 0,
            links: Vec::new(),
            parent: None,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Makes a directory, which may be there because of what it holds.
    pub(crate) fn directory(&mut self, name: &Name) -> Result<(), PackageError> {
        let before = self.entries;
        self.enter(name.as_str())?;
        // One that is there already counts as well, or naming it again and again would be free.
        match self.entries == before {
            true => self.count(),
            false => Ok(()),
        }
    }

    /// Writes a file with whatever `content` gives, and says how long it is.
    pub(crate) fn file(
        &mut self,
        name: &Name,
        is_executable: bool,
        content: &mut dyn Read,
    ) -> Result<u64, PackageError> {
        self.count()?;
        let (directory, base) = name.split();
        self.enter(directory)?;
        let made = sys::openat(
            self.directory_file(),
            base,
            NEW_FILE,
            Mode::RUSR | Mode::WUSR,
        );
        let mut file = File::from(made.map_err(|error| self.failed(error))?);
        let mut length = 0;
        loop {
            let more = match content.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(more) => more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(reading(error)),
            };
            length += more as u64;
            self.counts.bytes += more as u64;
            self.check_length(length)?;
            file.write_all(&self.buffer[..more])
                .map_err(|error| self.unwritten(error))?;
        }
        let mode = Mode::from_raw_mode(if is_executable { 0o755 } else { 0o644 });
        sys::fchmod(&file, mode).map_err(|error| self.unwritten(error.into()))?;
        self.counts.files += 1;
        Ok(length)
    }

    /// Makes a symbolic link in the end.
    pub(crate) fn symbolic_link(&mut self, name: Name, target: String) -> Result<(), PackageError> {
        self.link(name, Target::Symbolic(target))
    }

    /// Gives a file of the package another name in the end.
    pub(crate) fn hard_link(&mut self, name: Name, target: Name) -> Result<(), PackageError> {
        self.link(name, Target::Hard(target))
    }

    /// Makes the links, refuses those that leave, and waits until all is on the disk.
    pub(crate) fn finish(mut self) -> Result<Counts, PackageError> {
        let links = std::mem::take(&mut self.links);
        self.counts.links = links.len() as u32;
        // Hard ones first: then no path to a file can lead over a link.
        for link in &links {
            if let Target::Hard(target) = &link.target {
                let made = self.make_hard_link(&link.name, target);
                made.map_err(|error| error.at(link.name.as_str().as_bytes()))?;
            }
        }
        let symbolic = |link: &&Link| matches!(link.target, Target::Symbolic(_));
        for link in links.iter().filter(symbolic) {
            if let Target::Symbolic(target) = &link.target {
                let made = self.make_symbolic_link(&link.name, target);
                made.map_err(|error| error.at(link.name.as_str().as_bytes()))?;
            }
        }
        // When all are there, since one may lead over another.
        for link in links.iter().filter(symbolic) {
            let inside = self.check_link(&link.name);
            inside.map_err(|error| error.at(link.name.as_str().as_bytes()))?;
        }
        sync::sync_tree(&self.path).map_err(|error| self.unwritten(error))?;
        Ok(self.counts)
    }

    fn link(&mut self, name: Name, target: Target) -> Result<(), PackageError> {
        self.count()?;
        if self.links.len() >= Limits::LINKS {
            return Err(Reason::TooManyLinks(Limits::LINKS).into());
        }
        self.links.push(Link { name, target });
        Ok(())
    }

    fn make_hard_link(&mut self, name: &Name, target: &Name) -> Result<(), PackageError> {
        let (directory, base) = target.split();
        let from = self.walk(directory).map_err(|_| Reason::LinkDangles)?;
        let found = sys::statat(&from, base, AtFlags::SYMLINK_NOFOLLOW);
        let found = found.map_err(|_| Reason::LinkDangles)?;
        if !sys::FileType::from_raw_mode(found.st_mode).is_file() {
            return Err(Reason::LinkDangles.into());
        }
        let (directory, new) = name.split();
        self.enter(directory)?;
        let made = sys::linkat(&from, base, self.directory_file(), new, AtFlags::empty());
        made.map_err(|error| self.failed(error))
    }

    fn make_symbolic_link(&mut self, name: &Name, target: &str) -> Result<(), PackageError> {
        let (directory, base) = name.split();
        self.enter(directory)?;
        let made = sys::symlinkat(target, self.directory_file(), base);
        made.map_err(|error| self.failed(error))
    }

    /// Has the kernel follow a link, over others too, and say whether that ever leaves the directory.
    fn check_link(&self, name: &Name) -> Result<(), PackageError> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        match sys::openat2(&self.root, name.as_str(), flags, Mode::empty(), resolve) {
            Ok(_) => Ok(()),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(Reason::LinkDangles.into()),
            Err(Errno::XDEV) => Err(Reason::LinkLeaves.into()),
            Err(error) => Err(self.unwritten(error.into())),
        }
    }

    fn count(&mut self) -> Result<(), PackageError> {
        self.entries += 1;
        match self.entries > self.limits.entries {
            true => Err(Reason::TooManyEntries(self.limits.entries).into()),
            false => Ok(()),
        }
    }

    fn check_length(&self, length: u64) -> Result<(), PackageError> {
        let limits = self.limits;
        if length > limits.file_bytes {
            return Err(Reason::FileTooLong(limits.file_bytes).into());
        }
        if self.counts.bytes > limits.total_bytes {
            return Err(Reason::TooLong(limits.total_bytes).into());
        }
        match limits.is_bomb(self.archive_bytes, self.counts.bytes) {
            true => Err(Reason::Ratio(limits.ratio).into()),
            false => Ok(()),
        }
    }

    /// Makes `directory` the one that is written to, with all that it lies in.
    fn enter(&mut self, directory: &str) -> Result<(), PackageError> {
        if directory.is_empty() {
            self.parent = None;
            return Ok(());
        }
        if matches!(&self.parent, Some((path, _)) if path == directory) {
            return Ok(());
        }
        let mut inner: Option<OwnedFd> = None;
        for part in directory.split('/') {
            let outer = inner.as_ref().unwrap_or(&self.root);
            let (file, is_new) = make(outer, part).map_err(|error| self.failed(error))?;
            if is_new {
                self.counts.directories += 1;
                self.count()?;
            }
            inner = Some(file);
        }
        self.parent = inner.map(|file| (directory.to_owned(), file));
        Ok(())
    }

    /// Where [`Tree::enter`] went.
    fn directory_file(&self) -> &OwnedFd {
        self.parent.as_ref().map_or(&self.root, |(_, file)| file)
    }

    /// A directory that is there.
    fn walk(&self, directory: &str) -> Result<OwnedFd, Errno> {
        let mut inner = sys::openat(&self.root, ".", DIRECTORY, Mode::empty())?;
        for part in directory.split('/').filter(|part| !part.is_empty()) {
            inner = sys::openat(&inner, part, DIRECTORY, Mode::empty())?;
        }
        Ok(inner)
    }

    /// What a failure to make a name means.
    fn failed(&self, error: Errno) -> PackageError {
        match error {
            // The name is taken, or a part of its path is a file.
            Errno::EXIST | Errno::NOTDIR | Errno::LOOP => Reason::Duplicate.into(),
            Errno::NAMETOOLONG => Reason::NameTooLong.into(),
            // A file system that holds some bytes to be no name.
            Errno::ILSEQ | Errno::INVAL => Reason::Encoding.into(),
            error => self.unwritten(error.into()),
        }
    }

    fn unwritten(&self, error: std::io::Error) -> PackageError {
        let shown = self.path.display();
        PackageError::io(format_args!("cannot write into {shown}"))(error)
    }
}

/// Opens a directory in another one, and makes it if it is not there; true if so.
fn make(outer: &OwnedFd, name: &str) -> Result<(OwnedFd, bool), Errno> {
    let made = match sys::mkdirat(outer, name, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error),
    };
    let file = sys::openat(outer, name, DIRECTORY, Mode::empty())?;
    if made {
        sys::fchmod(&file, Mode::from_raw_mode(0o755))?;
    }
    Ok((file, made))
}
