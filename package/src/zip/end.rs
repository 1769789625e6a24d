use super::{u16_at, u32_at, u64_at};
use crate::error::reading;
use crate::section::Section;
use crate::{PackageError, Reason};

/// Bytes of the end record without its comment (4.3.16).
const RECORD: usize = 22;
/// Bytes of what points to the longer end record (4.3.15), right before the end record.
const LOCATOR: u64 = 20;
/// Bytes of the longer end record that are looked at (4.3.14).
const LONG_RECORD: usize = 56;

/// What the end of an archive says of its directory.
pub(super) struct End {
    /// Entries in the directory.
    pub(super) entries: u64,
    /// Where the directory begins.
    pub(super) from: u64,
    /// Where it ends.
    pub(super) to: u64,
}

impl End {
    /// Finds and reads the end record, and the longer one if it needs that.
    pub(super) fn read(archive: &Section<'_>) -> Result<End, PackageError> {
        let (at, record) = find(archive)?;
        let mut parts = (u16_at(&record, 4), u16_at(&record, 6));
        let mut entries = (u16_at(&record, 8).into(), u64::from(u16_at(&record, 10)));
        let mut length = u32_at(&record, 12).into();
        let mut from = u32_at(&record, 16).into();
        let mut to = at;
        let is_full = entries.1 == u64::from(u16::MAX)
            || length == u64::from(u32::MAX)
            || from == u64::from(u32::MAX);
        if let (true, Some(long_at)) = (is_full, locate(archive, at)?) {
            let long: [u8; LONG_RECORD] = archive.read_from(long_at).map_err(reading)?;
            if u32_at(&long, 0) != 0x0606_4b50 {
                return Err(Reason::Damaged("its zip64 end record").into());
            }
            parts = match (u32_at(&long, 16), u32_at(&long, 20)) {
                (0, 0) => (0, 0),
                _ => return Err(Reason::Split.into()),
            };
            entries = (u64_at(&long, 24), u64_at(&long, 32));
            length = u64_at(&long, 40);
            from = u64_at(&long, 48);
            to = long_at;
        }
        if parts != (0, 0) || entries.0 != entries.1 {
            return Err(Reason::Split.into());
        }
        // What lies between could be another directory, for another reader.
        if from.checked_add(length) != Some(to) {
            return Err(Reason::Damaged("the place of its directory").into());
        }
        Ok(End {
            entries: entries.1,
            from,
            to,
        })
    }
}

/// The last record whose comment ends with the file, and where it is.
fn find(archive: &Section<'_>) -> Result<(u64, [u8; RECORD]), PackageError> {
    let most = RECORD as u64 + u64::from(u16::MAX);
    let from = archive.end().saturating_sub(most);
    let mut tail = vec![0; (archive.end() - from) as usize];
    let length = archive.read_up_to(from, &mut tail).map_err(reading)?;
    tail.truncate(length);
    for at in (0..=tail.len().saturating_sub(RECORD)).rev() {
        let Some(record) = tail[at..].first_chunk::<RECORD>() else {
            continue;
        };
        let rest = tail.len() - at - RECORD;
        if record.starts_with(b"PK\x05\x06") && usize::from(u16_at(record, 20)) == rest {
            return Ok((from + at as u64, *record));
        }
    }
    Err(Reason::Truncated.into())
}

/// Where the longer end record is, if there is one.
fn locate(archive: &Section<'_>, end_at: u64) -> Result<Option<u64>, PackageError> {
    let Some(at) = end_at.checked_sub(LOCATOR) else {
        return Ok(None);
    };
    let locator: [u8; LOCATOR as usize] = archive.read_from(at).map_err(reading)?;
    match u32_at(&locator, 0) == 0x0706_4b50 {
        true => Ok(Some(u64_at(&locator, 8))),
        false => Ok(None),
    }
}
