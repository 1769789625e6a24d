//! The one clock that the shell reads for the core.

use std::time::{Duration, Instant};

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

    /// A clock that goes on with that of another process, as [`Clock::origin_nanos`] told there.
    pub fn continuing(origin_nanos: u64) -> Self {
        let age = monotonic_nanos().saturating_sub(origin_nanos);
        let now = Instant::now();
        let origin = now.checked_sub(Duration::from_nanos(age)).unwrap_or(now);
        Clock { origin }
    }

    /// The origin in nanoseconds of the machine's monotonic clock, which all processes share.
    pub fn origin_nanos(&self) -> u64 {
        let age = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        monotonic_nanos().saturating_sub(age)
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

/// The machine's monotonic clock in nanoseconds, which all of its processes share.
pub(crate) fn monotonic_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// The moment at which [`monotonic_nanos`] was, or is to be, so much.
pub(crate) fn instant_at(nanos: u64) -> Instant {
    let (now, present) = (monotonic_nanos(), Instant::now());
    match now.checked_sub(nanos) {
        Some(age) => present
            .checked_sub(Duration::from_nanos(age))
            .unwrap_or(present),
        None => present + Duration::from_nanos(nanos - now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_other_processes_keep_their_distance() {
        let now = monotonic_nanos();
        let (earlier, later) = (instant_at(now - 5_000_000), instant_at(now + 5_000_000));
        let apart = later - earlier;
        let error = apart.abs_diff(Duration::from_millis(10));
        // What passes between two readings of the clock.
        assert!(
            earlier < later && error < Duration::from_secs(1),
            "{apart:?}"
        );
        assert!(instant_at(now) <= Instant::now());
    }
}
