//! What functions did of late.

use std::path::PathBuf;
use std::time::Duration;

use super::GatewaySpec;

/// What is remembered of rate, latency, instances and queue of each function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistorySpec {
    /// Anything at all.
    pub enabled: bool,
    /// What is older is forgotten.
    pub keep: Duration,
    /// Between two looks.
    pub interval: Duration,
    /// Of all functions together, bytes.
    pub memory_bytes: usize,
}

impl GatewaySpec {
    /// Where a gateway that ends leaves its history for the next one.
    pub fn history_file(&self) -> PathBuf {
        self.state_dir.join("history.json")
    }
}
