//! Packages of functions: a directory packed as zip or tar.gz, and such an archive unpacked again,
//! whoever made it.
//!
//! [`pack()`] is the publisher's side. [`check_and_unpack`] is the gateway's and trusts nothing: no size,
//! count or name that an archive states is used before it was compared with a limit, what is written
//! is counted while it is written, and nothing is ever written through a link or outside of the one
//! new directory. Both formats are read here rather than by a library, because what must be refused
//! (overlapping entries, two entries of one name, a directory of a million names) is what libraries
//! smooth over. Everything blocks; memory is bounded by [`Limits::entries`].
//!
//! What an archive may hold: files, directories, symbolic links and hard links that stay inside.
//! Names are UTF-8 and are taken as they are: `A` and `a`, or two Unicode forms of one letter, are
//! different names, as they are for Linux, unless the file system holds them to be one; then the
//! second is refused as a duplicate. Files become 0644, or 0755 if anybody may execute them;
//! directories become 0755; owners, times, setuid bits and extended attributes are dropped.

mod bundle;
mod digest;
mod error;
mod gzip;
mod inflate;
mod limits;
mod name;
mod pack;
mod section;
mod sync;
mod tar;
mod tree;
mod zip;

use std::fs::File;
use std::path::Path;

pub use bundle::bundle;
pub use digest::digest;
pub use error::{PackageError, Reason, Refusal};
pub use limits::Limits;
pub use pack::{Item, ItemKind, Packed, Progress, list, pack};
pub use sync::sync_tree;

use section::Section;
use tree::Tree;

/// How a package is archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A zip archive with stored and deflated entries.
    Zip,
    /// A tar archive, compressed by gzip.
    TarGz,
}

/// What an archive came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How it is archived.
    pub kind: Kind,
    /// SHA-256 of the archive's bytes, in 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Length of the archive.
    pub archive_bytes: u64,
    /// Bytes of all files that were written.
    pub total_bytes: u64,
    /// Files that were written.
    pub files: u32,
    /// Directories that were made, without the outermost.
    pub directories: u32,
    /// Links of both kinds.
    pub links: u32,
}

/// Unpacks the archive into `into`, a directory that this makes and whose parent must be there.
///
/// When it returns, all of it is on the disk, except the name of `into` in its parent: whoever
/// renames it syncs that. If it fails, `into` is gone again.
///
/// # Errors
/// [`PackageError::Refused`] says what is wrong with the archive and [`PackageError::Io`] what went
/// wrong here, among it that `into` is there already, which is then left alone.
pub fn check_and_unpack(
    archive: &Path,
    into: &Path,
    limits: &Limits,
) -> Result<Summary, PackageError> {
    let shown = archive.display();
    let file =
        File::open(archive).map_err(PackageError::io(format_args!("cannot open {shown}")))?;
    let bytes = file
        .metadata()
        .map_err(PackageError::io(format_args!("cannot look at {shown}")))?
        .len();
    if bytes > limits.archive_bytes {
        return Err(Reason::ArchiveTooLong(limits.archive_bytes).into());
    }
    let section = Section::new(&file, bytes);
    let kind = Kind::of(&section)?;
    let digest = digest::of(&mut section.clone())
        .map_err(PackageError::io(format_args!("cannot read {shown}")))?;
    let mut tree = Tree::create(into, limits, bytes)?;
    let read = match kind {
        Kind::Zip => zip::read::unpack(&section, &mut tree, limits),
        Kind::TarGz => tar::read::unpack(&section, &mut tree, limits),
    };
    match read.and_then(|()| tree.finish()) {
        Ok(counts) => Ok(Summary {
            kind,
            digest,
            archive_bytes: bytes,
            total_bytes: counts.bytes,
            files: counts.files,
            directories: counts.directories,
            links: counts.links,
        }),
        Err(error) => {
            // Whatever cannot be removed now is removed by whoever empties the parent.
            std::fs::remove_dir_all(into).ok();
            Err(error)
        }
    }
}

impl Kind {
    /// What a file of this kind is called after the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Kind::Zip => "zip",
            Kind::TarGz => "tar.gz",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Kind::Zip => "application/zip",
            Kind::TarGz => "application/gzip",
        }
    }

    /// The kind that the file at `path` begins like.
    ///
    /// # Errors
    /// If it begins like neither, or cannot be read.
    pub fn of_file(path: &Path) -> Result<Kind, PackageError> {
        let shown = path.display();
        let file =
            File::open(path).map_err(PackageError::io(format_args!("cannot open {shown}")))?;
        Kind::of(&Section::new(&file, u64::MAX))
    }

    fn of(section: &Section<'_>) -> Result<Kind, PackageError> {
        let mut magic = [0; 4];
        let length = section.read_up_to(0, &mut magic).map_err(error::reading)?;
        match &magic[..length] {
            b"PK\x03\x04" | b"PK\x05\x06" => Ok(Kind::Zip),
            [0x1f, 0x8b, ..] => Ok(Kind::TarGz),
            _ => Err(Reason::Unknown.into()),
        }
    }
}
