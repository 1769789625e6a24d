//! Gzip (RFC 1952), with any number of members, as `pigz` and `bgzip` make them.

use std::io::{self, BufRead, Read, Write};

use crc32fast::Hasher;

use crate::inflate::{Deflate, Inflate};

/// Longest name or comment in a member's header.
const TEXT_BYTES: u64 = 64 << 10;

/// What a gzip file holds, with each member's checksum and length checked.
pub(crate) struct Gzip<R> {
    inflate: Inflate<R>,
    checksum: Hasher,
    /// Of the member, modulo 2^32 as in its trailer.
    length: u32,
    within: bool,
    first: bool,
}

impl<R: BufRead> Gzip<R> {
    pub(crate) fn new(source: R) -> Self {
        Gzip {
            inflate: Inflate::new(source),
            checksum: Hasher::new(),
            length: 0,
            within: false,
            first: true,
        }
    }

    /// Begins a member; false if there is none any more.
    fn begin(&mut self) -> io::Result<bool> {
        let source = self.inflate.source();
        if !self.first && source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.first = false;
        let head: [u8; 10] = take(source)?;
        let [0x1f, 0x8b, 8, flags, ..] = head else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if flags & 0b1110_0000 != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if flags & 4 != 0 {
            let length = u16::from_le_bytes(take(source)?);
            for _ in 0..length {
                take::<1>(source)?;
            }
        }
        for text in [8, 16] {
            if flags & text != 0 {
                skip_text(source)?;
            }
        }
        if flags & 2 != 0 {
            take::<2>(source)?;
        }
        self.inflate.restart();
        self.checksum = Hasher::new();
        self.length = 0;
        Ok(true)
    }

    fn end(&mut self) -> io::Result<()> {
        let checksum = u32::from_le_bytes(take(self.inflate.source())?);
        let length = u32::from_le_bytes(take(self.inflate.source())?);
        let found = (self.checksum.clone().finalize(), self.length);
        match found == (checksum, length) {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within && !self.begin()? {
                return Ok(0);
            }
            self.within = true;
            match self.inflate.read(buffer)? {
                0 => {
                    self.end()?;
                    self.within = false;
                }
                length => {
                    self.checksum.update(&buffer[..length]);
                    self.length = self.length.wrapping_add(length as u32);
                    return Ok(length);
                }
            }
        }
    }
}

/// Writes one member without name and time, so that the same bytes give the same file.
pub(crate) struct GzipWriter<W> {
    deflate: Deflate<W>,
    checksum: Hasher,
    length: u32,
}

impl<W: Write> GzipWriter<W> {
    pub(crate) fn new(mut sink: W) -> io::Result<Self> {
        sink.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
        Ok(GzipWriter {
            deflate: Deflate::new(sink),
            checksum: Hasher::new(),
            length: 0,
        })
    }

    pub(crate) fn finish(self) -> io::Result<W> {
        let mut sink = self.deflate.finish()?;
        sink.write_all(&self.checksum.finalize().to_le_bytes())?;
        sink.write_all(&self.length.to_le_bytes())?;
        Ok(sink)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.deflate.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        self.length = self.length.wrapping_add(written as u32);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.deflate.flush()
    }
}

fn take<const LENGTH: usize>(source: &mut impl BufRead) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Skips a text that ends with a zero byte.
fn skip_text(source: &mut impl BufRead) -> io::Result<()> {
    for _ in 0..TEXT_BYTES {
        if take(source)? == [0] {
            return Ok(());
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
