//! The memory that an instance of a function is known to take.

use std::sync::atomic::{AtomicU64, Ordering};

use super::memory;

/// In bytes, as measured last; zero until then.
#[derive(Debug, Default)]
pub(crate) struct Footprint(AtomicU64);

impl Footprint {
    /// What the next instance is expected to take.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
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
        self.0.store(bytes.max(known / 2), Ordering::Relaxed);
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
    fn this_process_takes_some() {
        let footprint = Footprint::default();
        footprint.measure(std::process::id());
        assert!(footprint.bytes() > 10_000);
    }
}
