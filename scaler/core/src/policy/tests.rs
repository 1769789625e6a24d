//! The policies by themselves.

mod golden;
mod histogram;
mod properties;
mod sentences;

use std::time::Duration;

use crate::{Load, Observations, Timestamp};

/// The time of most questions.
pub(super) fn now() -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(1_000)
}

/// `ready` instances under an even load, with nothing in flight at this very moment.
pub(super) fn observed(stable: f64, panic: f64, ready: u32) -> Observations {
    Observations {
        load: Some(Load { stable, panic }),
        ready,
        starting: 0,
        in_flight: 0,
        queued: 0,
        last_active: now(),
        scheduled: 0,
    }
}
