//! The one clock that the shell reads for the core.

use std::time::Instant;

use stoker_core::Timestamp;

/// Monotonic time since the gateway started.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        Clock {
            origin: Instant::now(),
        }
    }

    /// The present, as the core counts it.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// `instant` as the core counts it; the origin if it is earlier.
    pub fn at(&self, instant: Instant) -> Timestamp {
        Timestamp::ZERO + instant.saturating_duration_since(self.origin)
    }

    /// `timestamp` as the rest of the program counts it.
    pub fn instant(&self, timestamp: Timestamp) -> Instant {
        self.origin + timestamp.since(Timestamp::ZERO)
    }
}
