//! The tar format: ustar as POSIX.1-1988 has it, with the long names of GNU and the records of pax
//! (POSIX.1-2001).

mod header;
mod pax;
pub(crate) mod read;
pub(crate) mod write;

/// Everything is in units of so many bytes.
const BLOCK: usize = 512;
