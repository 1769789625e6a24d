use std::io::{self, Read, Write};

use super::BLOCK;

/// Writes a ustar archive; longer names go into pax records.
pub(crate) struct Writer<W> {
    sink: W,
}

/// What an entry is.
pub(crate) enum Kind<'a> {
    /// Of so many bytes.
    File(u64),
    Directory,
    Link(&'a str),
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(sink: W) -> Self {
        Writer { sink }
    }

    /// Adds an entry; the content of a file is as long as it was said to be.
    pub(crate) fn add(
        &mut self,
        path: &str,
        mode: u32,
        kind: &Kind<'_>,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let (letter, length, target) = match kind {
            Kind::File(length) => (b'0', *length, ""),
            Kind::Directory => (b'5', 0, ""),
            Kind::Link(target) => (b'2', 0, *target),
        };
        let mut records = Vec::new();
        for (key, value) in [("path", path), ("linkpath", target)] {
            if value.len() > 100 {
                records.extend(record(key, value));
            }
        }
        if !records.is_empty() {
            let header = header("pax", 0o644, b'x', (records.len() as u64, ""))?;
            self.sink.write_all(&header)?;
            self.sink.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.sink
            .write_all(&header(path, mode, letter, (length, target))?)?;
        let copied = io::copy(&mut content.take(length), &mut self.sink)?;
        if copied != length {
            let text = "it became shorter while it was read";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.pad(length)
    }

    /// Writes the mark of the end and gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.sink.write_all(&[0; 2 * BLOCK])?;
        Ok(self.sink)
    }

    fn pad(&mut self, length: u64) -> io::Result<()> {
        let rest = (length % BLOCK as u64) as usize;
        match rest {
            0 => Ok(()),
            rest => self.sink.write_all(&[0; BLOCK][rest..]),
        }
    }
}

/// A header with the beginnings of path and target, for readers without pax.
fn header(
    path: &str,
    mode: u32,
    letter: u8,
    (length, target): (u64, &str),
) -> io::Result<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &path.as_bytes()[..path.len().min(100)]);
    put(100, format!("{:07o}\0", mode & 0o7777).as_bytes());
    put(108, b"0000000\x000000000\0");
    if length >= 1 << 33 {
        let text = "a file in a tar archive is shorter than 8 GiB";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    put(124, format!("{length:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[letter]);
    put(157, &target.as_bytes()[..target.len().min(100)]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// A record, whose length counts its own digits.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn records_count_their_own_length() {
        for length in [0, 1, 86, 87, 88, 89, 90, 91, 990, 991, 992, 993] {
            let record = record("path", &"a".repeat(length));
            let text = String::from_utf8(record).unwrap();
            let (stated, _) = text.split_once(' ').unwrap();
            assert_eq!(stated.parse(), Ok(text.len()));
        }
    }
}
