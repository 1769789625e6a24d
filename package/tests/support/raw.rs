//! Archives byte by byte, with whatever lies a test wants them to tell.

use miniz_oxide::deflate::compress_to_vec;

/// An entry of a zip archive. What is not told otherwise is right.
#[derive(Clone)]
pub(crate) struct ZipEntry {
    pub(crate) name: Vec<u8>,
    /// In the header before the content, if that differs.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) mode: u32,
    pub(crate) packed: Vec<u8>,
    pub(crate) length: u32,
    pub(crate) checksum: u32,
    /// Where the directory says that it is, if not where it is.
    pub(crate) at: Option<u32>,
    /// Length that the directory states for its bytes, if not theirs.
    pub(crate) packed_length: Option<u32>,
    pub(crate) disk: u16,
    pub(crate) extra: Vec<u8>,
}

impl ZipEntry {
    /// A deflated file.
    pub(crate) fn file(name: impl AsRef<[u8]>, content: &[u8]) -> ZipEntry {
        ZipEntry {
            name: name.as_ref().to_vec(),
            local_name: None,
            flags: 1 << 11,
            method: 8,
            mode: 0o100_644,
            packed: compress_to_vec(content, 9),
            length: content.len() as u32,
            checksum: crc32fast::hash(content),
            at: None,
            packed_length: None,
            disk: 0,
            extra: Vec::new(),
        }
    }

    /// An entry of that mode, stored.
    pub(crate) fn special(name: &str, mode: u32, content: &[u8]) -> ZipEntry {
        ZipEntry {
            mode,
            method: 0,
            packed: content.to_vec(),
            ..ZipEntry::file(name, content)
        }
    }

    fn local(&self) -> Vec<u8> {
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.method.to_le_bytes());
        bytes.extend([0; 4]);
        for value in [self.checksum, self.packed.len() as u32, self.length] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(name);
        bytes.extend(&self.packed);
        bytes
    }

    fn central(&self, at: u32) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02\x14\x03\x14\0".to_vec();
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.method.to_le_bytes());
        bytes.extend([0; 4]);
        let packed = self.packed_length.unwrap_or(self.packed.len() as u32);
        for value in [self.checksum, packed, self.length] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend((self.extra.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(self.disk.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend((self.mode << 16).to_le_bytes());
        bytes.extend(self.at.unwrap_or(at).to_le_bytes());
        bytes.extend(&self.name);
        bytes.extend(&self.extra);
        bytes
    }
}

/// A zip archive of these entries.
pub(crate) fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    zip_that_counts(entries, entries.len() as u16)
}

/// A zip archive of these entries that says it has so many.
pub(crate) fn zip_that_counts(entries: &[ZipEntry], count: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        directory.extend(entry.central(bytes.len() as u32));
        bytes.extend(entry.local());
    }
    let at = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(end(count, directory.len() as u32, at));
    bytes
}

/// The end record of a zip archive.
pub(crate) fn end(count: u16, length: u32, at: u32) -> Vec<u8> {
    let mut bytes = b"PK\x05\x06\0\0\0\0".to_vec();
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// The longer end record, what points to it, and the end record, of a directory at `at`.
pub(crate) fn long_end(count: u64, length: u64, at: u64) -> Vec<u8> {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend(44u64.to_le_bytes());
    bytes.extend([45, 3, 45, 0]);
    bytes.extend([0; 8]);
    for value in [count, count, length, at] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend((at + length).to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(end(u16::MAX, u32::MAX, u32::MAX));
    bytes
}

/// A header of a tar archive, of that kind and stated length.
pub(crate) fn header(name: &[u8], kind: u8, length: &str, target: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, b"0006755\x000000000\x000000000\0");
    put(124, length.as_bytes());
    put(136, b"00000000000\0        ");
    put(156, &[kind]);
    put(157, target);
    put(257, b"ustar\x0000");
    seal(&mut block);
    block
}

/// Writes the checksum of a header.
pub(crate) fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A header and its content, to the next block.
pub(crate) fn tar_entry(name: &str, kind: u8, content: &[u8], target: &str) -> Vec<u8> {
    let length = format!("{:011o}\0", content.len());
    let mut bytes = header(name.as_bytes(), kind, &length, target.as_bytes());
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// These entries as tar.gz, with the mark of the end.
pub(crate) fn tar_gz(entries: &[Vec<u8>]) -> Vec<u8> {
    gzip(&[entries.concat(), vec![0; 1024]].concat())
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.extend(compress_to_vec(content, 6));
    bytes.extend(crc32fast::hash(content).to_le_bytes());
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes
}
