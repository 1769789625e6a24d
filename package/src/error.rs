use std::error::Error;
use std::fmt;
use std::io;

/// Why a package was not packed or unpacked.
#[derive(Debug)]
pub enum PackageError {
    /// The package itself is at fault: whoever made it can mend it.
    Refused(Refusal),
    /// A file cannot be read or written here.
    Io {
        /// What was tried, and on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// What is wrong with a package, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The entry's name as far as it can be shown, if one entry is at fault.
    pub entry: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is neither zip nor gzip.
    Unknown,
    /// The archive is longer than so many bytes.
    ArchiveTooLong(u64),
    /// Its files are longer than so many bytes together.
    TooLong(u64),
    /// One file is longer than so many bytes.
    FileTooLong(u64),
    /// Its files are more than so many times longer than the archive.
    Ratio(u32),
    /// It has more than so many files, directories and links.
    TooManyEntries(u32),
    /// It has more than so many links.
    TooManyLinks(usize),
    /// A path is longer than so many bytes.
    PathTooLong(usize),
    /// One name in a path is longer than the 255 bytes that a file system allows.
    NameTooLong,
    /// A path has more than so many parts.
    TooDeep(usize),
    /// A path begins with a slash.
    Absolute,
    /// A path has a part `..`.
    Parent,
    /// A path is empty, or has an empty part or a part `.`.
    EmptyPart,
    /// A name is no UTF-8, or not marked as such.
    Encoding,
    /// A name has a character that does not belong in one.
    Character(char),
    /// Two entries have this name, or a file has the name of another's directory.
    Duplicate,
    /// A link points out of the package.
    LinkLeaves,
    /// A link points to nothing in the package, or in a circle.
    LinkDangles,
    /// A device, a fifo or a socket.
    Special,
    /// An encrypted entry.
    Encrypted,
    /// A compression other than none and deflate, by its number in zip.
    Compression(u16),
    /// A file with holes.
    Sparse,
    /// An entry of a kind that is not known, by its letter in tar.
    EntryKind(char),
    /// Entries share bytes of the archive.
    Overlap,
    /// Archives of several parts.
    Split,
    /// What it says does not agree with what is there; the text says what.
    Damaged(&'static str),
    /// It ends before its end.
    Truncated,
}

impl PackageError {
    /// True if something is too long or too many, rather than wrong.
    pub fn is_limit(&self) -> bool {
        matches!(self, PackageError::Refused(refusal) if refusal.reason.is_limit())
    }

    pub(crate) fn io(what: fmt::Arguments<'_>) -> impl FnOnce(io::Error) -> PackageError + use<> {
        let what = what.to_string();
        move |source| PackageError::Io { what, source }
    }

    /// Says which entry is at fault, if that is not said yet.
    pub(crate) fn at(self, name: &[u8]) -> PackageError {
        match self {
            PackageError::Refused(Refusal {
                entry: None,
                reason,
            }) => PackageError::Refused(Refusal {
                entry: Some(shown(name)),
                reason,
            }),
            other => other,
        }
    }
}

/// What a failed read of an archive means: its own fault, or the machine's.
pub(crate) fn reading(source: io::Error) -> PackageError {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => Reason::Truncated.into(),
        io::ErrorKind::InvalidData => Reason::Damaged("its compressed bytes").into(),
        io::ErrorKind::FileTooLarge => Reason::Damaged("the bytes between its files").into(),
        _ => PackageError::io(format_args!("cannot read the archive"))(source),
    }
}

/// A name of unknown content, escaped and cut so that it can be printed.
fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 128;
    let text = String::from_utf8_lossy(name);
    let mut short: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

impl Reason {
    /// True if something is too long or too many, rather than wrong.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Reason::ArchiveTooLong(_)
                | Reason::TooLong(_)
                | Reason::FileTooLong(_)
                | Reason::Ratio(_)
                | Reason::TooManyEntries(_)
                | Reason::TooManyLinks(_)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unknown => f.write_str("is neither a zip archive nor gzip"),
            Reason::ArchiveTooLong(most) => write!(f, "is longer than {most} bytes"),
            Reason::TooLong(most) => write!(f, "holds more than {most} bytes, unpacked"),
            Reason::FileTooLong(most) => write!(f, "is longer than {most} bytes, unpacked"),
            Reason::Ratio(most) => {
                write!(f, "unpacks to more than {most} times its length")
            }
            Reason::TooManyEntries(most) => {
                write!(f, "holds more than {most} files, directories and links")
            }
            Reason::TooManyLinks(most) => write!(f, "holds more than {most} links"),
            Reason::PathTooLong(most) => write!(f, "has a path longer than {most} bytes"),
            Reason::NameTooLong => f.write_str("has a name longer than 255 bytes"),
            Reason::TooDeep(most) => write!(f, "lies more than {most} directories deep"),
            Reason::Absolute => f.write_str("is an absolute path; paths are relative"),
            Reason::Parent => f.write_str("has a part \"..\", which could lead outside"),
            Reason::EmptyPart => f.write_str("has an empty part or a part \".\" in its path"),
            Reason::Encoding => f.write_str("has a name that is not, or not marked as, UTF-8"),
            Reason::Character('\\') => {
                f.write_str("has a backslash in its name; directories end with a slash")
            }
            Reason::Character(character) => {
                write!(f, "has {character:?} in its name")
            }
            Reason::Duplicate => f.write_str("is there twice"),
            Reason::LinkLeaves => f.write_str("is a link that leads outside"),
            Reason::LinkDangles => f.write_str("is a link to nothing that is in the package"),
            Reason::Special => f.write_str("is a device, a fifo or a socket"),
            Reason::Encrypted => f.write_str("is encrypted"),
            Reason::Compression(number) => write!(
                f,
                "is compressed by method {number}; only stored (0) and deflated (8) are read"
            ),
            Reason::Sparse => f.write_str("is a sparse file"),
            Reason::EntryKind(letter) => write!(f, "is of an unknown kind, {letter:?}"),
            Reason::Overlap => f.write_str("shares bytes of the archive with another entry"),
            Reason::Split => f.write_str("is a part of an archive of several files"),
            Reason::Damaged(what) => write!(f, "is damaged: {what} cannot be as stated"),
            Reason::Truncated => f.write_str("ends too early"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(f, "{entry:?} in the package {}", self.reason),
            None => write!(f, "the package {}", self.reason),
        }
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackageError::Refused(refusal) => refusal.fmt(f),
            PackageError::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl Error for PackageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PackageError::Refused(_) => None,
            PackageError::Io { source, .. } => Some(source),
        }
    }
}

impl From<Reason> for PackageError {
    fn from(reason: Reason) -> Self {
        PackageError::Refused(Refusal {
            entry: None,
            reason,
        })
    }
}
