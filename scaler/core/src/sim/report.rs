//! What came of it.

use std::fmt;
use std::time::Duration;

use crate::{Effect, RejectCause, Timestamp};

/// The outcome of a simulation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Requests that arrived.
    pub arrived: u64,
    /// Requests that got a slot.
    pub granted: u64,
    /// Of these, the ones that waited for an instance that was not ready.
    pub cold: u64,
    /// Callers that left while they waited.
    pub left: u64,
    /// Of those that were granted, the ones that a sick instance failed.
    pub failed: u64,
    /// Rejected at once, for they would have waited too long.
    pub too_late: u64,
    /// Rejected, for too many waited.
    pub queue_full: u64,
    /// Rejected, for they waited too long.
    pub expired: u64,
    /// Rejected, for starts failed.
    pub start_failed: u64,
    /// Rejected, for the gateway ended.
    pub shutting_down: u64,
    /// The time from arrival to slot of each request that got one, in the order of the grants.
    pub waits: Vec<Duration>,
    /// Instances started.
    pub started: u64,
    /// Instances frozen.
    pub frozen: u64,
    /// Instances thawed, whatever for.
    pub thawed: u64,
    /// The sum of the times that instances were frozen.
    pub frozen_time: Duration,
    /// Instances told to give their memory back.
    pub reclaimed: u64,
    /// Kills.
    pub killed: u64,
    /// Most instances alive at once.
    pub live_peak: u32,
    /// The sum of the lives of all instances.
    pub instance_time: Duration,
    /// The sum of the times that slots were in use.
    pub busy_time: Duration,
    /// Answers of the policy that differed from the former one.
    pub decisions: u64,
    /// Events applied to the pool.
    pub events: u64,
    /// When the last instance was gone.
    pub end: Timestamp,
    /// A hash of all effects with their times: equal runs have equal ones.
    pub digest: u64,
}

/// A defect of the core that a simulation found, with what is needed to find it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The seed of the run.
    pub seed: u64,
    /// The virtual time.
    pub at: Timestamp,
    /// What is wrong.
    pub what: String,
}

impl Report {
    /// The wait that a share `q` in [0, 1] of the granted requests did not exceed.
    pub fn wait_quantile(&self, q: f64) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        let rank = (q * waits.len() as f64).ceil() as usize;
        let place = rank.clamp(1, waits.len().max(1)) - 1;
        waits.get(place).copied().unwrap_or_default()
    }

    /// Requests answered in any way.
    pub fn answered(&self) -> u64 {
        let rejected =
            self.queue_full + self.too_late + self.expired + self.start_failed + self.shutting_down;
        self.granted + self.left + rejected
    }

    /// Counts a rejection.
    pub(super) fn reject(&mut self, cause: &RejectCause) {
        *match cause {
            RejectCause::QueueFull => &mut self.queue_full,
            RejectCause::TooLate { .. } => &mut self.too_late,
            RejectCause::Expired { .. } => &mut self.expired,
            RejectCause::StartFailed(_) => &mut self.start_failed,
            RejectCause::ShuttingDown => &mut self.shutting_down,
        } += 1;
    }

    /// Adds an effect to the digest (FNV-1a over its parts).
    pub(super) fn hash(&mut self, effect: &Effect, now: Timestamp) {
        let (kind, first, second) = match effect {
            Effect::Grant {
                waiter,
                instance,
                cold,
            } => (1 + u64::from(*cold), waiter.0, instance.as_raw()),
            Effect::Reject { waiter, cause } => (3, waiter.0, cause_number(cause)),
            Effect::Start { instance } => (4, instance.as_raw(), 0),
            Effect::Stop { instance } => (5, instance.as_raw(), 0),
            Effect::Kill { instance } => (6, instance.as_raw(), 0),
            Effect::WakeAt(time) => (7, time.as_nanos(), 0),
            Effect::Decided(decision) => (8, u64::from(decision.desired), 0),
            Effect::Drain { instance } => (9, instance.as_raw(), 0),
            Effect::Freeze { instance } => (10, instance.as_raw(), 0),
            Effect::Thaw { instance } => (11, instance.as_raw(), 0),
            Effect::Reclaim { instance } => (12, instance.as_raw(), 0),
            Effect::Prepare(decision) => {
                let spares = decision.spares;
                (13, spares.map_or(0, |spares| 1 + u64::from(spares)), 0)
            }
        };
        for part in [now.as_nanos(), kind, first, second] {
            for byte in part.to_le_bytes() {
                self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.at.since(Timestamp::ZERO);
        write!(f, "SIM_SEED={} at {time:?}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Defect {}

fn cause_number(cause: &RejectCause) -> u64 {
    match cause {
        RejectCause::QueueFull => 0,
        RejectCause::Expired { .. } => 1,
        RejectCause::StartFailed(_) => 2,
        RejectCause::ShuttingDown => 3,
        RejectCause::TooLate { .. } => 4,
    }
}
