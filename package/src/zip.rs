//! The zip format, as PKWARE's APPNOTE.TXT 6.3.10 has it; the numbers of its sections are given where
//! they are used.

mod end;
mod entry;
pub(crate) mod read;
pub(crate) mod write;

/// Method of an entry that is stored as it is.
const STORED: u16 = 0;
/// Method of an entry that is deflated.
const DEFLATED: u16 = 8;
/// In the flags of an entry: its name is UTF-8 (4.4.4, bit 11).
const UTF8: u16 = 1 << 11;

/// The little-endian number of two bytes at `at`.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The little-endian number of four bytes at `at`.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// The little-endian number of eight bytes at `at`.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
