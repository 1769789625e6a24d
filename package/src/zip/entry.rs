use std::io::Read;

use super::{DEFLATED, STORED, UTF8, u16_at, u32_at};
use crate::error::reading;
use crate::name::Name;
use crate::section::Section;
use crate::{Limits, PackageError, Reason};

/// Bytes of an entry of the directory before its name (4.3.12).
const RECORD: usize = 46;
/// Bytes of the header before an entry's name and content (4.3.7).
pub(super) const LOCAL: u64 = 30;
/// The extra field that holds what does not fit in 32 bits (4.5.3).
const ZIP64: u16 = 1;

/// An entry, as the directory has it.
pub(super) struct Entry {
    /// As it stands there, checked.
    pub(super) name_bytes: Vec<u8>,
    /// None for the outermost directory.
    pub(super) name: Option<Name>,
    pub(super) kind: Kind,
    pub(super) is_executable: bool,
    pub(super) is_deflated: bool,
    pub(super) checksum: u32,
    /// Bytes that it has in the archive.
    pub(super) packed: u64,
    /// Bytes that it is said to unpack to.
    pub(super) length: u64,
    /// Where its header is.
    pub(super) at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Link,
}

impl Entry {
    /// Reads the next entry of the directory.
    pub(super) fn read(directory: &mut impl Read, limits: &Limits) -> Result<Entry, PackageError> {
        let mut record = [0; RECORD];
        directory.read_exact(&mut record).map_err(reading)?;
        if u32_at(&record, 0) != 0x0201_4b50 {
            return Err(Reason::Damaged("its directory").into());
        }
        let mut name = vec![0; u16_at(&record, 28).into()];
        let mut extra = vec![0; u16_at(&record, 30).into()];
        directory.read_exact(&mut name).map_err(reading)?;
        directory.read_exact(&mut extra).map_err(reading)?;
        let comment = u16_at(&record, 32);
        for _ in 0..comment {
            directory.read_exact(&mut [0]).map_err(reading)?;
        }
        match Entry::judge(&record, &name, &extra, limits) {
            Ok(entry) => Ok(entry),
            Err(error) => Err(error.at(&name)),
        }
    }

    fn judge(
        record: &[u8; RECORD],
        name_bytes: &[u8],
        extra: &[u8],
        limits: &Limits,
    ) -> Result<Entry, PackageError> {
        let flags = u16_at(record, 8);
        // Encrypted, strongly encrypted, and with an encrypted directory.
        if flags & (1 | 1 << 6 | 1 << 13) != 0 {
            return Err(Reason::Encrypted.into());
        }
        // Without that flag a name is in code page 437, or in whatever its maker liked.
        if flags & UTF8 == 0 && !name_bytes.is_ascii() {
            return Err(Reason::Encoding.into());
        }
        let method = u16_at(record, 10);
        if method != STORED && method != DEFLATED {
            return Err(Reason::Compression(method).into());
        }
        let (name, ends_with_slash) = Name::parse(name_bytes, limits)?;
        let host = record[5];
        let attributes = u32_at(record, 38);
        let (kind, is_executable) = kind_of(host, attributes, ends_with_slash)?;
        let sizes = Sizes::read(record, extra)?;
        if method == STORED && sizes.packed != sizes.length {
            return Err(Reason::Damaged("its length").into());
        }
        Ok(Entry {
            name_bytes: name_bytes.to_vec(),
            name,
            kind,
            is_executable,
            is_deflated: method == DEFLATED,
            checksum: u32_at(record, 16),
            packed: sizes.packed,
            length: sizes.length,
            at: sizes.at,
        })
    }

    /// Where it ends at the earliest: its header may have an extra field that is not known yet.
    pub(super) fn earliest_end(&self) -> Option<u64> {
        let header = LOCAL + self.name_bytes.len() as u64;
        self.at.checked_add(header)?.checked_add(self.packed)
    }

    /// Its bytes in the archive, which must lie before `end`. Its own header says of it what the
    /// directory says, as far as that matters here.
    pub(super) fn content<'a>(
        &self,
        archive: &Section<'a>,
        end: u64,
    ) -> Result<Section<'a>, PackageError> {
        let header: [u8; LOCAL as usize] = archive.read_from(self.at).map_err(reading)?;
        let mut name = vec![0; u16_at(&header, 26).into()];
        let length = archive
            .read_up_to(self.at + LOCAL, &mut name)
            .map_err(reading)?;
        let method = if self.is_deflated { DEFLATED } else { STORED };
        let agrees = u32_at(&header, 0) == 0x0403_4b50
            && u16_at(&header, 8) == method
            && length == name.len()
            && name == self.name_bytes;
        if !agrees {
            return Err(Reason::Damaged("its second header").into());
        }
        if u16_at(&header, 6) & 1 != 0 {
            return Err(Reason::Encrypted.into());
        }
        let from = self.at + LOCAL + name.len() as u64 + u64::from(u16_at(&header, 28));
        match from.checked_add(self.packed) {
            Some(to) if to <= end => Ok(archive.part(from, to)),
            _ => Err(Reason::Overlap.into()),
        }
    }
}

/// The three numbers that may be in an extra field instead.
struct Sizes {
    packed: u64,
    length: u64,
    at: u64,
}

impl Sizes {
    fn read(record: &[u8; RECORD], extra: &[u8]) -> Result<Sizes, PackageError> {
        if u16_at(record, 34) != 0 {
            return Err(Reason::Split.into());
        }
        let mut long = zip64(extra)?;
        // Those that are full, and only those, are in the field, in this order.
        let mut value = |at: usize| match u32_at(record, at) {
            u32::MAX => match long.split_first_chunk::<8>() {
                Some((first, rest)) => {
                    long = rest;
                    Ok(u64::from_le_bytes(*first))
                }
                None => Ok(u32::MAX.into()),
            },
            short => Ok::<u64, PackageError>(short.into()),
        };
        Ok(Sizes {
            length: value(24)?,
            packed: value(20)?,
            at: value(42)?,
        })
    }
}

/// The content of that extra field, empty if it is not there.
fn zip64(mut extra: &[u8]) -> Result<&[u8], PackageError> {
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(content) = extra.get(4..4 + length) else {
            return Err(Reason::Damaged("its extra field").into());
        };
        if id == ZIP64 {
            return Ok(content);
        }
        extra = &extra[4 + length..];
    }
    Ok(&[])
}

/// What the attributes say if a Unix made them (4.4.2, 4.4.15): Unix and macOS.
fn kind_of(host: u8, attributes: u32, ends_with_slash: bool) -> Result<(Kind, bool), PackageError> {
    let mode = match host {
        3 | 19 => attributes >> 16,
        _ => 0,
    };
    let is_executable = mode & 0o111 != 0;
    let kind = match mode & 0o170_000 {
        0 if ends_with_slash => Kind::Directory,
        0o040_000 => Kind::Directory,
        0 | 0o100_000 if !ends_with_slash => Kind::File,
        0o120_000 if !ends_with_slash => Kind::Link,
        0o100_000 | 0o120_000 => return Err(Reason::Damaged("its kind").into()),
        _ => return Err(Reason::Special.into()),
    };
    Ok((kind, is_executable))
}
