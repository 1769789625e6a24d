use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::error::{PackageError, Reason};
use crate::gzip::GzipWriter;
use crate::zip::write::Method;
use crate::{Kind, digest, tar, zip};

/// What a directory's ignore files are called.
const IGNORE: &str = ".stokerignore";
/// Never packed.
const GIT: &str = ".git";

/// Something that goes into a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Relative to the packed directory, with slashes.
    pub path: String,
    /// What it is.
    pub kind: ItemKind,
}

/// What an [`Item`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// Somebody may execute it.
        is_executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link, and where it points to.
    Link(String),
}

/// How far packing is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of files that were read.
    pub done_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// What was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the archive's bytes, in 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Length of the archive.
    pub archive_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Number of files.
    pub files: usize,
}

/// Lists what of a directory goes into its package, sorted by path: all but `.git`, `.stokerignore` and
/// what `.stokerignore`, in it or in a directory below, leaves out; its syntax is that of `.gitignore`.
///
/// # Errors
/// If something cannot be read, is neither file, directory nor link, or has a name that is no UTF-8.
pub fn list(directory: &Path) -> Result<Vec<Item>, PackageError> {
    let shown = directory.display();
    let failed = || PackageError::io(format_args!("cannot list {shown}"));
    if !fs::metadata(directory).map_err(failed())?.is_dir() {
        return Err(failed()(io::ErrorKind::NotADirectory.into()));
    }
    let walk = WalkBuilder::new(directory)
        .standard_filters(false)
        .parents(false)
        .follow_links(false)
        .add_custom_ignore_filename(IGNORE)
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(GIT | IGNORE)))
        .build();
    let mut items = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|error| failed()(io::Error::other(error)))?;
        if let Some(error) = entry.error() {
            return Err(failed()(io::Error::other(error.clone())));
        }
        if entry.depth() > 0 {
            items.push(item(directory, entry.path())?);
        }
    }
    items.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(items)
}

/// Packs what [`list`] finds in a directory into the file `out`, which is made or replaced. The same
/// files give the same bytes: owners and times are left out.
///
/// # Errors
/// If something cannot be read or written, or does not fit into an archive of that kind.
pub fn pack(
    directory: &Path,
    out: &Path,
    kind: Kind,
    progress: &mut dyn FnMut(Progress),
) -> Result<Packed, PackageError> {
    let items = list(directory)?;
    let total_bytes = items.iter().map(Item::bytes).sum();
    let shown = out.display();
    let unwritten = || PackageError::io(format_args!("cannot write {shown}"));
    let made = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(out);
    let sink = BufWriter::with_capacity(64 << 10, made.map_err(unwritten())?);
    let mut writer = Writer::new(kind, sink).map_err(unwritten())?;
    let mut at = Progress {
        done_bytes: 0,
        total_bytes,
    };
    for item in &items {
        let path = directory.join(&item.path);
        let added = match &item.kind {
            ItemKind::File { .. } => File::open(&path).and_then(|file| {
                let mut content = Counted {
                    file,
                    at: &mut at,
                    progress,
                };
                writer.add(item, &mut content)
            }),
            _ => writer.add(item, &mut io::empty()),
        };
        let shown = path.display();
        added.map_err(PackageError::io(format_args!("cannot pack {shown}")))?;
    }
    let mut sink = writer.finish().map_err(unwritten())?;
    sink.flush().map_err(unwritten())?;
    let archive_bytes = fs::metadata(out).map_err(unwritten())?.len();
    Ok(Packed {
        digest: digest(out).map_err(unwritten())?,
        archive_bytes,
        total_bytes,
        files: items.iter().filter(|item| item.is_file()).count(),
    })
}

impl Item {
    /// Bytes of a file, else 0.
    pub fn bytes(&self) -> u64 {
        match self.kind {
            ItemKind::File { bytes, .. } => bytes,
            _ => 0,
        }
    }

    fn is_file(&self) -> bool {
        matches!(self.kind, ItemKind::File { .. })
    }

    fn mode(&self) -> u32 {
        match self.kind {
            ItemKind::File {
                is_executable: false,
                ..
            } => 0o100_644,
            ItemKind::File { .. } => 0o100_755,
            ItemKind::Directory => 0o040_755,
            ItemKind::Link(_) => 0o120_777,
        }
    }
}

/// Looks at one file.
fn item(directory: &Path, path: &Path) -> Result<Item, PackageError> {
    let shown = path.display();
    let failed = || PackageError::io(format_args!("cannot look at {shown}"));
    let relative = path.strip_prefix(directory).unwrap_or(path);
    let name = relative.to_str().ok_or_else(|| {
        PackageError::from(Reason::Encoding).at(relative.as_os_str().as_encoded_bytes())
    })?;
    let metadata = fs::symlink_metadata(path).map_err(failed())?;
    let kind = metadata.file_type();
    let kind = if kind.is_dir() {
        ItemKind::Directory
    } else if kind.is_file() {
        ItemKind::File {
            bytes: metadata.len(),
            is_executable: metadata.mode() & 0o111 != 0,
        }
    } else if kind.is_symlink() {
        ItemKind::Link(target(directory, path).map_err(|error| error.at(name.as_bytes()))?)
    } else {
        return Err(PackageError::from(Reason::Special).at(name.as_bytes()));
    };
    Ok(Item {
        path: name.to_owned(),
        kind,
    })
}

/// Where a link points to, which must be inside.
fn target(directory: &Path, link: &Path) -> Result<String, PackageError> {
    let shown = link.display();
    let failed = || PackageError::io(format_args!("cannot read the link {shown}"));
    let target: PathBuf = fs::read_link(link).map_err(failed())?;
    let end = link.canonicalize().map_err(|_| Reason::LinkDangles)?;
    let root = directory.canonicalize().map_err(failed())?;
    if target.is_absolute() || !end.starts_with(root) {
        return Err(Reason::LinkLeaves.into());
    }
    let text = target.to_str().ok_or(Reason::Encoding)?;
    Ok(text.to_owned())
}

enum Writer {
    Zip(zip::write::Writer<BufWriter<File>>),
    TarGz(tar::write::Writer<GzipWriter<BufWriter<File>>>),
}

impl Writer {
    fn new(kind: Kind, sink: BufWriter<File>) -> io::Result<Self> {
        Ok(match kind {
            Kind::Zip => Writer::Zip(zip::write::Writer::new(sink)),
            Kind::TarGz => Writer::TarGz(tar::write::Writer::new(GzipWriter::new(sink)?)),
        })
    }

    fn add(&mut self, item: &Item, content: &mut dyn Read) -> io::Result<()> {
        let (path, mode) = (item.path.as_str(), item.mode());
        match (self, &item.kind) {
            (Writer::Zip(zip), ItemKind::File { bytes: 0, .. }) => {
                zip.add(path, mode, Method::Stored, content)
            }
            (Writer::Zip(zip), ItemKind::File { .. }) => {
                zip.add(path, mode, Method::Deflated, content)
            }
            (Writer::Zip(zip), ItemKind::Directory) => {
                zip.add(&format!("{path}/"), mode, Method::Stored, content)
            }
            (Writer::Zip(zip), ItemKind::Link(target)) => {
                zip.add(path, mode, Method::Stored, &mut target.as_bytes())
            }
            (Writer::TarGz(tar), kind) => {
                let kind = match kind {
                    ItemKind::File { bytes, .. } => tar::write::Kind::File(*bytes),
                    ItemKind::Directory => tar::write::Kind::Directory,
                    ItemKind::Link(target) => tar::write::Kind::Link(target),
                };
                tar.add(path, mode, &kind, content)
            }
        }
    }

    fn finish(self) -> io::Result<BufWriter<File>> {
        match self {
            Writer::Zip(zip) => zip.finish(),
            Writer::TarGz(tar) => tar.finish()?.finish(),
        }
    }
}

/// A file that tells how much of it was read.
struct Counted<'a> {
    file: File,
    at: &'a mut Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.at.done_bytes += length as u64;
        (self.progress)(*self.at);
        Ok(length)
    }
}
