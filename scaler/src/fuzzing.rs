//! Readers for the fuzz targets; no part of the interface.

use crate::record::{Chunk, chunks_of};

/// The chunks in the content of a file of the record.
pub fn record(content: &[u8]) -> Vec<Chunk> {
    chunks_of(content)
}
