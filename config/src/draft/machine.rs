//! What the keys about the machine's means are read into, before the defaults are put in.

use std::time::Duration;

use crate::spec::{FreezeSpec, ReclaimSpec};

pub(super) fn blank_freeze() -> FreezeSpec {
    FreezeSpec {
        reclaim: ReclaimSpec::Pressure,
        available_percentage: 0.0,
        stalled_percentage: 0.0,
        interval: Duration::ZERO,
    }
}
