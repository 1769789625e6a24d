//! What the shell tells about instances, for logs and metrics.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Decision, InstanceId, StartFailure};

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
    /// The policy wants another number of instances.
    Decided(&'a Decision),
}
