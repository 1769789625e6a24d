use std::io::{self, BufReader, Read};

use super::BLOCK;
use super::header::Header;
use super::pax::Records;
use crate::error::reading;
use crate::gzip::Gzip;
use crate::name::{Name, link_target};
use crate::section::Section;
use crate::tree::Tree;
use crate::{Limits, PackageError, Reason};

/// Longest set of pax records, and longest name of GNU's besides the path's own bound.
const RECORDS_BYTES: u64 = 64 << 10;
/// Headers that may stand before one entry: two long names, records, and records for all.
const HEADERS: u32 = 4;

/// Unpacks the archive into the tree.
pub(crate) fn unpack(
    archive: &Section<'_>,
    tree: &mut Tree<'_>,
    limits: &Limits,
) -> Result<(), PackageError> {
    let gzip = Gzip::new(BufReader::with_capacity(64 << 10, archive.clone()));
    let mut reader = Reader {
        source: Bounded {
            source: gzip,
            left: limits.stream_bytes(),
        },
        limits,
    };
    while let Some(entry) = reader.next()? {
        let extracted = reader.extract(&entry, tree);
        extracted.map_err(|error| error.at(&entry.path))?;
    }
    reader.end()
}

/// An entry, with its names from wherever they stand.
struct Entry {
    kind: u8,
    path: Vec<u8>,
    link_target: Vec<u8>,
    length: u64,
    is_executable: bool,
}

struct Reader<'a, R> {
    source: R,
    limits: &'a Limits,
}

impl<R: Read> Reader<'_, R> {
    /// Reads the headers of the next entry; None is the end.
    fn next(&mut self) -> Result<Option<Entry>, PackageError> {
        let mut records = Records::default();
        let (mut path, mut link_target) = (None, None);
        for _ in 0..=HEADERS {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let length = header.length()?;
            match header.kind() {
                b'L' => path = Some(self.long_name(length)?),
                b'K' => link_target = Some(self.long_name(length)?),
                b'x' => records = Records::parse(&self.small(length, RECORDS_BYTES)?)?,
                b'g' => {
                    let all = Records::parse(&self.small(length, RECORDS_BYTES)?)?;
                    let names = all.path.is_some() || all.link_target.is_some();
                    if names || all.length.is_some() {
                        return Err(Reason::Damaged("a pax record for all entries").into());
                    }
                }
                kind => {
                    let path = records.path.or(path).unwrap_or_else(|| header.path());
                    if records.length.is_some_and(|other| other != length) {
                        return Err(PackageError::from(Reason::Damaged("its length")).at(&path));
                    }
                    let target = records.link_target.or(link_target);
                    return Ok(Some(Entry {
                        kind,
                        path,
                        link_target: target.unwrap_or_else(|| header.link_target()),
                        length,
                        is_executable: header.is_executable(),
                    }));
                }
            }
        }
        Err(Reason::Damaged("the headers before an entry").into())
    }

    /// A file that ends without its mark is whole as well: GNU tar only warns of it.
    fn header(&mut self) -> Result<Option<Header>, PackageError> {
        let mut block = [0; BLOCK];
        let mut length = 0;
        while length < BLOCK {
            match self.source.read(&mut block[length..]).map_err(reading)? {
                0 if length == 0 => return Ok(None),
                0 => return Err(Reason::Truncated.into()),
                more => length += more,
            }
        }
        Header::parse(block)
    }

    fn extract(&mut self, entry: &Entry, tree: &mut Tree<'_>) -> Result<(), PackageError> {
        match entry.kind {
            b'0' | 0 | b'7' | b'5' | b'1' | b'2' => {}
            b'3' | b'4' | b'6' => return Err(Reason::Special.into()),
            b'S' => return Err(Reason::Sparse.into()),
            kind => return Err(Reason::EntryKind(kind.into()).into()),
        }
        let (name, ends_with_slash) = Name::parse(&entry.path, self.limits)?;
        // Before ustar a directory was a file whose name ends with a slash.
        let is_directory = entry.kind == b'5' || entry.kind == 0 && ends_with_slash;
        let is_file = !is_directory && !matches!(entry.kind, b'1' | b'2');
        if !is_file && entry.length != 0 {
            return Err(Reason::Damaged("its length").into());
        }
        if !is_directory && ends_with_slash {
            return Err(Reason::Damaged("its kind").into());
        }
        let Some(name) = name else {
            return Ok(());
        };
        match entry.kind {
            b'1' => match Name::parse(&entry.link_target, self.limits)? {
                (Some(target), false) => tree.hard_link(name, target),
                _ => Err(Reason::LinkDangles.into()),
            },
            b'2' => tree.symbolic_link(name, link_target(&entry.link_target, self.limits)?),
            _ if is_directory => tree.directory(&name),
            _ => self.file(entry, &name, tree),
        }
    }

    fn file(
        &mut self,
        entry: &Entry,
        name: &Name,
        tree: &mut Tree<'_>,
    ) -> Result<(), PackageError> {
        // Before the first byte of it is written.
        if entry.length > self.limits.file_bytes {
            return Err(Reason::FileTooLong(self.limits.file_bytes).into());
        }
        let mut content = (&mut self.source).take(entry.length);
        let written = tree.file(name, entry.is_executable, &mut content)?;
        if written != entry.length {
            return Err(Reason::Truncated.into());
        }
        self.pad(entry.length)
    }

    /// A name in a content of its own, which ends with a zero.
    fn long_name(&mut self, length: u64) -> Result<Vec<u8>, PackageError> {
        let most = self.limits.path_bytes;
        if length > most as u64 + 1 {
            return Err(Reason::PathTooLong(most).into());
        }
        let mut name = self.small(length, length)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    /// A content of at most `most` bytes, in memory.
    fn small(&mut self, length: u64, most: u64) -> Result<Vec<u8>, PackageError> {
        if length > most {
            return Err(Reason::Damaged("the length of a header").into());
        }
        let mut bytes = Vec::new();
        (&mut self.source)
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(reading)?;
        if bytes.len() as u64 != length {
            return Err(Reason::Truncated.into());
        }
        self.pad(length)?;
        Ok(bytes)
    }

    /// Skips to the next block.
    fn pad(&mut self, length: u64) -> Result<(), PackageError> {
        let rest = (length % BLOCK as u64) as usize;
        let mut block = [0; BLOCK];
        match rest {
            0 => Ok(()),
            rest => self.source.read_exact(&mut block[rest..]).map_err(reading),
        }
    }

    /// Reads what follows the mark of the end, zeros only, so that the checksum is compared.
    fn end(&mut self) -> Result<(), PackageError> {
        let mut buffer = [0; 4096];
        loop {
            match self.source.read(&mut buffer).map_err(reading)? {
                0 => return Ok(()),
                length if buffer[..length].iter().all(|byte| *byte == 0) => {}
                _ => return Err(Reason::Damaged("what follows its end").into()),
            }
        }
    }
}

/// Fails when more is read than there may be.
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(length)
    }
}
