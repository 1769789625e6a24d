//! The record of what happened: arrivals, service times, start times, decisions and lifetimes of
//! instances, without anything that a request said or where it came from.
//!
//! A function's `Recorder` writes under the function's own lock into a chunk of its own; full
//! chunks go to the [`Store`], which holds as much of all functions as its settings allow. So the
//! store's lock is taken once in some hundred requests.

mod chunk;
mod codec;
mod entry;
mod file;
mod lives;
mod order;
mod recorder;
mod requests;
mod store;

use std::path::PathBuf;
use std::time::Duration;

pub use chunk::Chunk;
pub use entry::{Decided, Ending, Entry, Refusal, Request, What};
#[cfg(feature = "fuzzing")]
pub(crate) use file::read as chunks_of;
pub use lives::{LifeView, Told};
pub use order::{Trace, TraceRow, trace};
pub(crate) use recorder::{Recorder, Seen};
pub use store::Store;

/// What is recorded, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSettings {
    /// Anything at all.
    pub enabled: bool,
    /// For all functions together, bytes.
    pub memory_bytes: usize,
    /// What is older is forgotten.
    pub keep: Duration,
    /// Also written to files.
    pub files: Option<FileSettings>,
}

/// Where the record is written, beside the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Made if it is missing.
    pub directory: PathBuf,
    /// A file that has grown to so many bytes is followed by a new one.
    pub file_bytes: u64,
    /// So many files, the newest ones, stay; at least 1.
    pub files: usize,
}

impl Default for RecordSettings {
    /// 16 MiB and a day in memory, no files.
    fn default() -> Self {
        RecordSettings {
            enabled: true,
            memory_bytes: 16 << 20,
            keep: Duration::from_secs(24 * 3600),
            files: None,
        }
    }
}
