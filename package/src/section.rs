use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

/// A part of a file, read by position, so that several readers of one file do not move each other.
#[derive(Clone)]
pub(crate) struct Section<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> Section<'a> {
    /// The first `length` bytes.
    pub(crate) fn new(file: &'a File, length: u64) -> Self {
        Section {
            file,
            at: 0,
            end: length,
        }
    }

    /// Where it ends, as a position in the file.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Where the next byte is, as a position in the file.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// From `from` to `to`, as positions in the file, as far as this one has it.
    pub(crate) fn part(&self, from: u64, to: u64) -> Section<'a> {
        let end = to.min(self.end);
        Section {
            file: self.file,
            at: from.min(end),
            end,
        }
    }

    /// As many bytes from `from` as there are.
    pub(crate) fn read_up_to(&self, from: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut part = self.part(from, self.end);
        let mut length = 0;
        while length < buffer.len() {
            match part.read(&mut buffer[length..])? {
                0 => break,
                more => length += more,
            }
        }
        Ok(length)
    }

    /// Just as many bytes from `from`.
    pub(crate) fn read_from<const LENGTH: usize>(&self, from: u64) -> io::Result<[u8; LENGTH]> {
        let mut bytes = [0; LENGTH];
        match self.read_up_to(from, &mut bytes)? {
            length if length == LENGTH => Ok(bytes),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let length = loop {
            match self.file.read_at(&mut buffer[..length], self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.at += length as u64;
        Ok(length)
    }
}
