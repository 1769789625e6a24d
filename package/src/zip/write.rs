use std::io::{self, Read, Seek, SeekFrom, Write};

use crc32fast::Hasher;

use super::{DEFLATED, STORED, UTF8};
use crate::inflate::Deflate;

/// 1 January 1980, the beginning of DOS's time: the same files give the same archive.
const DATE: u16 = 1 << 5 | 1;
/// Made by a Unix, by version 2.0 of the format.
const MADE_BY: u16 = 3 << 8 | 20;
/// Version 2.0 unpacks it.
const NEEDS: u16 = 20;

/// Writes a zip archive of at most 65,534 entries and less than 4 GiB.
pub(crate) struct Writer<W> {
    sink: W,
    /// The entries of the directory, one after the other.
    directory: Vec<u8>,
    entries: u16,
}

struct Sizes {
    checksum: u32,
    packed: u32,
    length: u32,
}

impl<W: Write + Seek> Writer<W> {
    pub(crate) fn new(sink: W) -> Self {
        Writer {
            sink,
            directory: Vec::new(),
            entries: 0,
        }
    }

    /// Adds an entry whose content is `content`, of that mode and kind; a directory's path ends with
    /// a slash.
    pub(crate) fn add(
        &mut self,
        path: &str,
        mode: u32,
        method: Method,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let at = narrow(self.sink.stream_position()?)?;
        let mut sizes = Sizes {
            checksum: 0,
            packed: 0,
            length: 0,
        };
        self.sink.write_all(b"PK\x03\x04")?;
        self.sink.write_all(&common(path, method, &sizes)?)?;
        self.sink.write_all(path.as_bytes())?;
        let from = self.sink.stream_position()?;
        (sizes.checksum, sizes.length) = self.copy(method, content)?;
        let to = self.sink.stream_position()?;
        sizes.packed = narrow(to - from)?;
        let header = common(path, method, &sizes)?;
        self.sink.seek(SeekFrom::Start(u64::from(at) + 4))?;
        self.sink.write_all(&header)?;
        self.sink.seek(SeekFrom::Start(to))?;
        self.entries = self.entries.checked_add(1).ok_or_else(too_many)?;
        if self.entries == u16::MAX {
            return Err(too_many());
        }
        let directory = &mut self.directory;
        directory.extend(b"PK\x01\x02");
        directory.extend(MADE_BY.to_le_bytes());
        directory.extend(header);
        // No comment, the first part, no internal attributes.
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(path.as_bytes());
        Ok(())
    }

    /// Writes the directory and gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let at = narrow(self.sink.stream_position()?)?;
        self.sink.write_all(&self.directory)?;
        self.sink.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.sink.write_all(&self.entries.to_le_bytes())?;
        self.sink.write_all(&self.entries.to_le_bytes())?;
        let length = narrow(self.directory.len() as u64)?;
        self.sink.write_all(&length.to_le_bytes())?;
        self.sink.write_all(&at.to_le_bytes())?;
        self.sink.write_all(&[0, 0])?;
        Ok(self.sink)
    }

    /// Copies the content and says its checksum and length.
    fn copy(&mut self, method: Method, content: &mut dyn Read) -> io::Result<(u32, u32)> {
        let mut summed = Summed {
            source: content,
            checksum: Hasher::new(),
            length: 0,
        };
        match method {
            Method::Stored => {
                io::copy(&mut summed, &mut self.sink)?;
            }
            Method::Deflated => {
                let mut deflate = Deflate::new(&mut self.sink);
                io::copy(&mut summed, &mut deflate)?;
                deflate.finish()?;
            }
        }
        Ok((summed.checksum.finalize(), narrow(summed.length)?))
    }
}

/// A content that is summed while it is read.
struct Summed<'a> {
    source: &'a mut dyn Read,
    checksum: Hasher,
    length: u64,
}

impl Read for Summed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.checksum.update(&buffer[..length]);
        self.length += length as u64;
        Ok(length)
    }
}

/// How an entry's content is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
}

/// What both headers of an entry have from the needed version to the lengths of name and extra field.
fn common(path: &str, method: Method, sizes: &Sizes) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(26);
    let number = match method {
        Method::Stored => STORED,
        Method::Deflated => DEFLATED,
    };
    for value in [NEEDS, UTF8, number, 0, DATE] {
        bytes.extend(value.to_le_bytes());
    }
    for value in [sizes.checksum, sizes.packed, sizes.length] {
        bytes.extend(value.to_le_bytes());
    }
    let length = u16::try_from(path.len()).map_err(|_| too_long())?;
    bytes.extend(length.to_le_bytes());
    bytes.extend([0, 0]);
    Ok(bytes)
}

fn narrow(value: u64) -> io::Result<u32> {
    match u32::try_from(value) {
        Ok(value) if value < u32::MAX => Ok(value),
        _ => Err(too_long()),
    }
}

fn too_long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a zip archive holds less than 4 GiB",
    )
}

fn too_many() -> io::Error {
    let text = "a zip archive holds at most 65534 files and directories";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
