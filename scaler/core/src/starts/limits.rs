//! How much is started at the same time.

use std::time::Duration;

/// How much is started at the same time, over all functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartLimits {
    /// Starts under way at the same time, at least 1. A fourth of it is for functions that have
    /// none under way.
    pub at_once: u32,
    /// Starts per second, at least 1.
    pub per_second: u32,
    /// Starts that may come at once after a pause, at least 1.
    pub burst: u32,
    /// A start that takes longer than this is not counted as under way any more.
    pub yield_after: Duration,
}

impl Default for StartLimits {
    /// Nothing is held.
    fn default() -> Self {
        StartLimits {
            at_once: u32::MAX,
            per_second: u32::MAX,
            burst: u32::MAX,
            yield_after: Duration::from_secs(1),
        }
    }
}
