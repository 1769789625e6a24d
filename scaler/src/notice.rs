//! What the shell tells about instances, for logs and metrics.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Decision, InstanceId, StartFailure};

use crate::HeldBy;
use crate::driver::{LaunchSpec, StartKind, StartTimings};

/// Receives every notice with the function and the revision that it is about, on whichever thread
/// it arises; must not block.
pub type Notices = Arc<dyn Fn(&LaunchSpec, Notice<'_>) + Send + Sync>;

/// Something an operator may want to know about a function.
#[derive(Debug)]
pub enum Notice<'a> {
    /// An instance takes requests.
    Started {
        /// Which.
        id: InstanceId,
        /// Its process.
        pid: Option<u32>,
        /// Where the time went.
        timings: StartTimings,
        /// How it came to be.
        kind: StartKind,
    },
    /// An instance of the former gateway was taken over.
    Adopted {
        /// Which.
        id: InstanceId,
        /// Its process.
        pid: Option<u32>,
    },
    /// A start was held, for the machine had no room, and begins now or is not needed any more.
    Held {
        /// Which.
        id: InstanceId,
        /// What it waited for at first.
        by: HeldBy,
        /// For so long.
        waited: Duration,
    },
    /// An instance did not come up.
    StartFailed {
        /// Which.
        id: InstanceId,
        /// Why.
        failure: &'a StartFailure,
    },
    /// An instance is gone.
    Exited {
        /// Which.
        id: InstanceId,
        /// How it ended.
        failure: &'a StartFailure,
        /// Stoker had told it to end.
        wanted: bool,
        /// From the start to the end.
        lifetime: Duration,
    },
    /// An idle instance gets no CPU until it is asked for something.
    Frozen {
        /// Which.
        id: InstanceId,
    },
    /// A frozen instance runs again.
    Thawed {
        /// Which.
        id: InstanceId,
        /// How long that took the gateway.
        took: Duration,
    },
    /// Instances are to be frozen and cannot be, until the function's settings change.
    CannotFreeze {
        /// Why, a sentence.
        why: &'a str,
    },
    /// Memory was short, and instances gave theirs back.
    Relieved {
        /// Memory of the machine that was available, of all.
        available_percentage: f64,
        /// The part of the time for which programs stood still for want of it; 0 if it is not known.
        stalled_percentage: f64,
        /// Instances that are frozen and were told to give memory back.
        reclaimed: usize,
        /// Instances that had done so before and were told to end.
        released: usize,
    },
    /// The policy wants another number of instances.
    Decided(&'a Decision),
}
