//! What the machine may be asked for.

use std::time::Duration;

use stoker_core::StartLimits;

/// What the machine may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSettings {
    /// Starts under way at the same time, at least 1. A fourth of it is for functions that have
    /// none under way.
    pub at_once: u32,
    /// Starts per second, at least 1.
    pub per_second: u32,
    /// Starts that may come at once after a pause, at least 1.
    pub burst: u32,
    /// Memory that no start may touch, in bytes; 0 to look at no memory at all.
    pub memory_reserve_bytes: u64,
    /// Idle instances of other functions are stopped for starts that wait for memory.
    pub evict_idle: bool,
    /// A start that takes longer than this is not counted as under way any more.
    pub yield_after: Duration,
}

impl StartSettings {
    /// Those that have nothing to do with memory.
    pub fn limits(&self) -> StartLimits {
        StartLimits {
            at_once: self.at_once,
            per_second: self.per_second,
            burst: self.burst,
            yield_after: self.yield_after,
        }
    }
}

impl Default for StartSettings {
    /// Nothing is held.
    fn default() -> Self {
        let limits = StartLimits::default();
        StartSettings {
            at_once: limits.at_once,
            per_second: limits.per_second,
            burst: limits.burst,
            memory_reserve_bytes: 0,
            evict_idle: false,
            yield_after: limits.yield_after,
        }
    }
}
