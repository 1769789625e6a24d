//! How much is started at the same time.

use std::time::Duration;

use stoker_core::StartLimits;

/// How much is started at the same time, over all functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartsSpec {
    /// Starts under way, at least 1.
    pub at_once: u32,
    /// A start that takes longer is not counted as under way any more.
    pub yield_after: Duration,
    /// Starts per second, at least 1.
    pub per_second: u32,
    /// Starts beyond that after a pause, at least 1.
    pub burst: u32,
    /// Bytes of memory that no start may touch; 0 to look at no memory.
    pub memory_reserve_bytes: u64,
    /// Idle instances of other functions make room for starts that wait for memory.
    pub evict_idle: bool,
}

impl StartsSpec {
    /// What holds on a machine with so many processors (on this one if none) if the gateway file
    /// says nothing.
    pub fn preset(cores: Option<u32>) -> Self {
        let cores = cores.unwrap_or_else(crate::gateway::cores);
        crate::gateway::default_starts(cores)
    }

    /// What the gate of starts goes by.
    pub fn limits(&self) -> StartLimits {
        StartLimits {
            at_once: self.at_once,
            per_second: self.per_second,
            burst: self.burst,
            yield_after: self.yield_after,
        }
    }
}
