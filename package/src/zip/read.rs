use std::io::{BufReader, Read};

use crc32fast::Hasher;

use super::end::End;
use super::entry::{Entry, Kind};
use crate::error::reading;
use crate::inflate::Inflate;
use crate::name::{Name, link_target};
use crate::section::Section;
use crate::tree::Tree;
use crate::{Limits, PackageError, Reason};

/// Unpacks the archive into the tree. The directory is read twice: whatever it says that cannot be is
/// refused before anything is written.
pub(crate) fn unpack(
    archive: &Section<'_>,
    tree: &mut Tree<'_>,
    limits: &Limits,
) -> Result<(), PackageError> {
    let end = End::read(archive)?;
    if end.entries > limits.entries.into() {
        return Err(Reason::TooManyEntries(limits.entries).into());
    }
    let starts = check(archive, &end, limits)?;
    let mut directory = directory(archive, &end);
    for _ in 0..end.entries {
        let entry = Entry::read(&mut directory, limits)?;
        let next = starts.partition_point(|start| *start <= entry.at);
        let limit = starts.get(next).copied().unwrap_or(end.from);
        let content = entry.content(archive, limit);
        content
            .and_then(|content| extract(&entry, content, tree, limits))
            .map_err(|error| error.at(&entry.name_bytes))?;
    }
    Ok(())
}

fn directory<'a>(archive: &Section<'a>, end: &End) -> BufReader<Section<'a>> {
    BufReader::with_capacity(64 << 10, archive.part(end.from, end.to))
}

/// Looks through the directory, and says in order where its entries begin.
fn check(archive: &Section<'_>, end: &End, limits: &Limits) -> Result<Vec<u64>, PackageError> {
    let mut directory = directory(archive, end);
    let mut spans = Vec::new();
    let mut total: u64 = 0;
    for _ in 0..end.entries {
        let entry = Entry::read(&mut directory, limits)?;
        let at = |reason: Reason| PackageError::from(reason).at(&entry.name_bytes);
        total = total.saturating_add(entry.length);
        if entry.length > limits.file_bytes {
            return Err(at(Reason::FileTooLong(limits.file_bytes)));
        }
        if total > limits.total_bytes {
            return Err(Reason::TooLong(limits.total_bytes).into());
        }
        if limits.is_bomb(archive.end(), total) {
            return Err(Reason::Ratio(limits.ratio).into());
        }
        match entry.earliest_end() {
            Some(to) if to <= end.from => spans.push((entry.at, to)),
            _ => return Err(at(Reason::Overlap)),
        }
    }
    let mut rest = [0];
    if directory.read(&mut rest).map_err(reading)? != 0 {
        return Err(Reason::Damaged("the number of its entries").into());
    }
    spans.sort_unstable();
    match spans.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        true => Err(Reason::Overlap.into()),
        false => Ok(spans.into_iter().map(|(from, _)| from).collect()),
    }
}

fn extract(
    entry: &Entry,
    content: Section<'_>,
    tree: &mut Tree<'_>,
    limits: &Limits,
) -> Result<(), PackageError> {
    let mut content = Content::new(entry, content);
    match (&entry.name, entry.kind) {
        (Some(name), Kind::File) => {
            tree.file(name, entry.is_executable, &mut content)?;
            content.check(entry)
        }
        (Some(name), Kind::Link) => link(entry, name, content, tree, limits),
        (name, _) => {
            if entry.length != 0 {
                return Err(Reason::Damaged("a directory's length").into());
            }
            name.as_ref().map_or(Ok(()), |name| tree.directory(name))
        }
    }
}

fn link(
    entry: &Entry,
    name: &Name,
    mut content: Content<'_>,
    tree: &mut Tree<'_>,
    limits: &Limits,
) -> Result<(), PackageError> {
    let mut target = Vec::new();
    let most = limits.path_bytes as u64 + 1;
    (&mut content)
        .take(most)
        .read_to_end(&mut target)
        .map_err(reading)?;
    let text = link_target(&target, limits)?;
    content.check(entry)?;
    tree.symbolic_link(name.clone(), text)
}

/// What an entry unpacks to, counted and summed while it is read.
struct Content<'a> {
    source: Source<'a>,
    checksum: Hasher,
    length: u64,
}

enum Source<'a> {
    Stored(Section<'a>),
    Deflated(Inflate<BufReader<Section<'a>>>),
}

impl<'a> Content<'a> {
    fn new(entry: &Entry, bytes: Section<'a>) -> Self {
        let source = match entry.is_deflated {
            true => Source::Deflated(Inflate::new(BufReader::with_capacity(32 << 10, bytes))),
            false => Source::Stored(bytes),
        };
        Content {
            source,
            checksum: Hasher::new(),
            length: 0,
        }
    }

    /// Compares what came with what was said, when all is read.
    fn check(mut self, entry: &Entry) -> Result<(), PackageError> {
        // Deflated bytes that end before their entry hide something.
        let unread = match &mut self.source {
            Source::Stored(section) => section.end() - section.at(),
            Source::Deflated(inflate) => {
                let source = inflate.source();
                let section = source.get_ref();
                section.end() - section.at() + source.buffer().len() as u64
            }
        };
        if unread != 0 || self.length != entry.length {
            return Err(Reason::Damaged("its length").into());
        }
        match self.checksum.finalize() == entry.checksum {
            true => Ok(()),
            false => Err(Reason::Damaged("its checksum").into()),
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = match &mut self.source {
            Source::Stored(section) => section.read(buffer)?,
            Source::Deflated(inflate) => inflate.read(buffer)?,
        };
        self.checksum.update(&buffer[..length]);
        self.length += length as u64;
        Ok(length)
    }
}
