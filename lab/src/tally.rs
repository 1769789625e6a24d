//! What is counted while a replay runs, over all functions.

mod timeline;

use std::time::Duration;

use hdrhistogram::Histogram;
use stoker_core::{RejectCause, Timestamp};

pub(crate) use timeline::Timeline;

/// Waits are told apart up to here, nanoseconds: a day.
const LONGEST_WAIT: u64 = 86_400_000_000_000;

/// Counts and sums.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Of served calls, in nanoseconds, without those that did not wait.
    pub(crate) waits: Histogram<u64>,
    /// The same, exact.
    pub(crate) longest_wait: Duration,
    pub(crate) wait_time: Duration,
    pub(crate) cold: u64,
    pub(crate) refused: Refused,
    pub(crate) start_cpu: Duration,
    pub(crate) starts: u64,
    pub(crate) alive: u32,
    pub(crate) peak: u32,
    busy: u32,
    /// Instances with a call times time, in nanoseconds.
    pub(crate) busy_time: u128,
    pub(crate) timeline: Timeline,
}

/// Calls that got no slot, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) queue_full: u64,
    pub(crate) too_late: u64,
    pub(crate) expired: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let waits = Histogram::new_with_bounds(1, LONGEST_WAIT, 3);
        Tally {
            waits: waits.expect("a histogram from 1 ns to a day with 3 digits can be made"),
            longest_wait: Duration::ZERO,
            wait_time: Duration::ZERO,
            cold: 0,
            refused: Refused::default(),
            start_cpu: Duration::ZERO,
            starts: 0,
            alive: 0,
            peak: 0,
            busy: 0,
            busy_time: 0,
            timeline: Timeline::default(),
        }
    }
}

impl Tally {
    /// Time goes on.
    #[inline]
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp) {
        if to > from {
            let span = to.as_nanos() - from.as_nanos();
            self.busy_time += u128::from(self.busy) * u128::from(span);
            self.timeline.advance(from, to, (self.alive, self.busy));
        }
    }

    pub(crate) fn arrive(&mut self) {
        self.timeline.current().arrivals += 1;
    }

    /// A call got a slot.
    pub(crate) fn serve(&mut self, wait: Duration, cold: bool) {
        self.cold += u64::from(cold);
        if wait.is_zero() {
            return;
        }
        self.longest_wait = self.longest_wait.max(wait);
        self.wait_time += wait;
        let nanos = wait.as_nanos() as u64;
        self.waits.saturating_record(nanos);
        let bucket = self.timeline.current();
        bucket.delayed += 1;
        bucket.longest_wait = bucket.longest_wait.max(nanos);
    }

    /// A call got none.
    pub(crate) fn refuse(&mut self, cause: &RejectCause, wait: Duration) {
        *match cause {
            RejectCause::QueueFull => &mut self.refused.queue_full,
            RejectCause::TooLate { .. } => &mut self.refused.too_late,
            // Starts do not fail here, and nothing shuts down.
            RejectCause::Expired { .. }
            | RejectCause::StartFailed(_)
            | RejectCause::ShuttingDown => &mut self.refused.expired,
        } += 1;
        let bucket = self.timeline.current();
        bucket.refused += 1;
        bucket.longest_wait = bucket.longest_wait.max(wait.as_nanos() as u64);
    }

    pub(crate) fn start(&mut self, cpu: Duration) {
        self.starts += 1;
        self.start_cpu += cpu;
        self.alive += 1;
        self.peak = self.peak.max(self.alive);
        self.timeline.current().starts += 1;
    }

    pub(crate) fn exit(&mut self) {
        self.alive = self.alive.saturating_sub(1);
    }

    /// An idle instance has a call.
    pub(crate) fn work(&mut self) {
        self.busy += 1;
    }

    /// An instance has no call any more.
    pub(crate) fn rest(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }
}

impl Refused {
    pub(crate) fn sum(&self) -> u64 {
        self.queue_full + self.too_late + self.expired
    }
}
