//! Some entries of one function that followed each other.

use std::sync::Arc;

use super::What;
use super::codec::{Reader, put};
use super::entry::{Entry, micros};

/// What a chunk takes besides its entries, about.
const OVERHEAD_BYTES: usize = 160;

/// A file of chunks begins like this.
pub(super) const MAGIC: &[u8; 16] = b"stoker record 1\n";

/// More is no chunk of ours.
const LARGEST_BYTES: usize = 1 << 20;

/// Some entries of one function that followed each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Counts the chunks of a gateway; none is given twice in it.
    pub(super) id: u64,
    /// The function's name.
    pub function: Arc<str>,
    /// The revision's name.
    pub revision: Arc<str>,
    /// The time before the first entry, microseconds since 1970.
    pub first: u64,
    /// The time of the last entry, the same.
    pub last: u64,
    /// When the first of its requests arrived or of its starts began, the same.
    pub begun: u64,
    pub(super) bytes: Vec<u8>,
}

impl Chunk {
    pub(super) fn new(id: u64, function: &Arc<str>, revision: &Arc<str>, at: u64) -> Chunk {
        Chunk {
            id,
            function: Arc::clone(function),
            revision: Arc::clone(revision),
            first: at,
            last: at,
            begun: u64::MAX,
            bytes: Vec::new(),
        }
    }

    /// One with these entries, whose times ascend, and none of which is earlier than `first`.
    pub fn of(function: &str, revision: &str, first: u64, entries: &[Entry]) -> Chunk {
        let mut chunk = Chunk::new(0, &function.into(), &revision.into(), first);
        for entry in entries {
            chunk.push(entry);
        }
        chunk
    }

    /// Adds an entry that is not earlier than the last.
    pub(super) fn push(&mut self, entry: &Entry) {
        entry.encode(self.last, &mut self.bytes);
        self.last = entry.at.max(self.last);
        let lasted = match &entry.what {
            What::Request(request) => request.total(),
            What::Refused { waited, .. } => *waited,
            What::Started { took, .. } => *took,
            _ => return,
        };
        self.begun = self.begun.min(entry.at.saturating_sub(micros(lasted)));
    }

    /// Tells it from all other chunks of this gateway; what is still written keeps its own.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let mut reader = Reader(&self.bytes);
        let mut former = self.first;
        std::iter::from_fn(move || {
            let entry = Entry::decode(&mut reader, former)?;
            former = entry.at;
            Some(entry)
        })
    }

    /// The memory that it takes, about.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + OVERHEAD_BYTES
    }

    /// As it stands in a file: its length and all of it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(self.size());
        for text in [&self.function, &self.revision] {
            put(&mut body, text.len() as u64);
            body.extend_from_slice(text.as_bytes());
        }
        for number in [self.first, self.last, self.begun] {
            put(&mut body, number);
        }
        body.extend_from_slice(&self.bytes);
        put(out, body.len() as u64);
        out.extend_from_slice(&body);
    }

    /// The next chunk of a file, with this id; none at the end, and where it was not written whole.
    pub(super) fn read(reader: &mut Reader<'_>, id: u64) -> Option<Chunk> {
        let length = usize::try_from(reader.number()?).ok()?;
        let (body, rest) = reader.0.split_at_checked(length)?;
        if length > LARGEST_BYTES {
            return None;
        }
        reader.0 = rest;
        let mut body = Reader(body);
        let mut text = || -> Option<Arc<str>> {
            let length = usize::try_from(body.number()?).ok()?;
            let (text, rest) = body.0.split_at_checked(length)?;
            body.0 = rest;
            Some(Arc::from(std::str::from_utf8(text).ok()?))
        };
        Some(Chunk {
            id,
            function: text()?,
            revision: text()?,
            first: body.number()?,
            last: body.number()?,
            begun: body.number()?,
            bytes: body.0.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::tests::what;
    use super::*;

    fn chunk(entries: &[Entry]) -> Chunk {
        Chunk {
            id: 1,
            ..Chunk::of("f", "r", 1_000_000, entries)
        }
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        prop::collection::vec((0_u64..5_000_000, what()), 0..60).prop_map(|list| {
            let mut at = 1_000_000;
            let entries = list.into_iter().map(|(passed, what)| {
                at += passed;
                Entry { at, what }
            });
            entries.collect()
        })
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(entries in entries()) {
            let chunk = chunk(&entries);
            prop_assert_eq!(chunk.entries().collect::<Vec<_>>(), entries);
        }

        #[test]
        fn a_file_has_all_up_to_where_it_is_cut(
            lists in prop::collection::vec(entries(), 1..4),
            cut in 0.0_f64..=1.0,
        ) {
            let chunks: Vec<_> = lists.iter().map(|list| chunk(list)).collect();
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for chunk in &chunks {
                chunk.write(&mut bytes);
                ends.push(bytes.len());
            }
            let cut = (bytes.len() as f64 * cut) as usize;
            let mut reader = Reader(&bytes[..cut]);
            let read: Vec<_> = std::iter::from_fn(|| Chunk::read(&mut reader, 1)).collect();
            let whole = ends.iter().filter(|end| **end <= cut).count();
            prop_assert_eq!(&read[..], &chunks[..whole]);
        }

        #[test]
        fn foreign_bytes_are_no_entries(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader(&bytes);
            while Chunk::read(&mut reader, 1).is_some() {}
            let foreign = Chunk { bytes, ..chunk(&[]) };
            prop_assert!(foreign.entries().count() <= foreign.bytes.len());
        }
    }
}
