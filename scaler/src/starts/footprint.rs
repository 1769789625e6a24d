//! The memory that an instance of a function is known to take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stoker_core::Timestamp;

use super::memory;

/// At least so long between two measurements of one function, for each reads files.
const INTERVAL: Duration = Duration::from_secs(1);

/// What instances of one function take.
#[derive(Debug, Default)]
pub(crate) struct Footprint {
    /// As measured last; zero until then.
    bytes: AtomicU64,
    /// When the next measurement is due, in nanoseconds of the scaler's clock.
    due: AtomicU64,
}

impl Footprint {
    /// What the next instance is expected to take, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// True if it is time to measure, once.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        let next = (now + INTERVAL).as_nanos();
        let order = Ordering::Relaxed;
        due <= now.as_nanos() && self.due.compare_exchange(due, next, order, order).is_ok()
    }

    /// Learns from a process. A smaller one is believed by half, for it may be young; only the
    /// instance's first process is looked at.
    pub(crate) fn measure(&self, pid: u32) {
        if let Some(bytes) = memory::of_process(pid) {
            self.learn(bytes);
        }
    }

    fn learn(&self, bytes: u64) {
        let known = self.bytes();
        self.bytes.store(bytes.max(known / 2), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_believed_at_once_and_less_by_half() {
        let footprint = Footprint::default();
        assert_eq!(footprint.bytes(), 0);
        footprint.learn(100);
        footprint.learn(10);
        assert_eq!(footprint.bytes(), 50);
        footprint.learn(80);
        assert_eq!(footprint.bytes(), 80);
    }

    #[test]
    fn it_is_measured_now_and_then() {
        let footprint = Footprint::default();
        let mut now = Timestamp::from_nanos(5);
        assert!(footprint.is_due(now));
        assert!(!footprint.is_due(now));
        now = now + INTERVAL;
        assert!(footprint.is_due(now));
    }

    #[test]
    fn this_process_takes_some() {
        let footprint = Footprint::default();
        footprint.measure(std::process::id());
        assert!(footprint.bytes() > 10_000);
    }
}
