//! The record of what happens.

use std::path::PathBuf;
use std::time::Duration;

use super::GatewaySpec;

/// How much is recorded of what happens, and where it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSpec {
    /// Anything at all.
    pub enabled: bool,
    /// In memory, for all functions together, bytes.
    pub memory_bytes: usize,
    /// What is older is forgotten.
    pub keep: Duration,
    /// Also in files in the state directory.
    pub file: bool,
    /// A file that has grown to so many bytes is followed by a new one.
    pub file_bytes: u64,
    /// So many files stay, at least 1.
    pub files: usize,
}

impl GatewaySpec {
    /// Where the record is written, if it is.
    pub fn record_dir(&self) -> PathBuf {
        self.state_dir.join("record")
    }
}
