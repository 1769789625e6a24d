//! One thing that happened.

mod bytes;

use std::time::Duration;

use stoker_core::{InstanceId, Mode, Outcome, RejectCause};

use crate::StartCause;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When, microseconds since 1970. Entries of a chunk are in the order of their times.
    pub at: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A request was served; it ended then.
    Request(Request),
    /// A request got no slot.
    Refused {
        /// How long it waited for that.
        waited: Duration,
        /// Why.
        cause: Refusal,
    },
    /// An instance takes requests.
    Started {
        /// Which.
        instance: InstanceId,
        /// Since it was asked for or, if the gate of starts held it, since that let it begin.
        took: Duration,
        /// Why it was asked for.
        cause: StartCause,
    },
    /// An instance did not come up.
    StartFailed {
        /// Which.
        instance: InstanceId,
        /// Since it was asked for.
        took: Duration,
    },
    /// Another number of instances is wanted, or the mode is another one.
    Decided(Decided),
    /// An instance gets no more requests.
    Ending {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: Ending,
    },
    /// An instance is gone.
    Ended {
        /// Which.
        instance: InstanceId,
        /// Since it was asked for or adopted.
        lived: Duration,
    },
}

/// One request that was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// From its arrival until it had a slot of an instance that runs.
    pub waited: Duration,
    /// From then until it gave the slot back.
    pub service: Duration,
    /// What it found.
    pub outcome: Outcome,
    /// The first one that its instance had.
    pub first: bool,
}

impl Request {
    /// From its arrival to its end.
    pub fn total(&self) -> Duration {
        self.waited + self.service
    }
}

/// Why a request got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many waited already.
    QueueFull,
    /// It would have waited for too long.
    TooLate,
    /// No slot came free in time.
    Expired,
    /// The function does not start.
    StartFailed,
    /// The gateway or the revision ends.
    ShuttingDown,
    /// Its caller left.
    Cancelled,
}

impl Refusal {
    const ALL: [Refusal; 6] = [
        Refusal::QueueFull,
        Refusal::TooLate,
        Refusal::Expired,
        Refusal::StartFailed,
        Refusal::ShuttingDown,
        Refusal::Cancelled,
    ];

    /// As programs see it.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::QueueFull => "queue-full",
            Refusal::TooLate => "too-late",
            Refusal::Expired => "expired",
            Refusal::StartFailed => "start-failed",
            Refusal::ShuttingDown => "shutting-down",
            Refusal::Cancelled => "cancelled",
        }
    }
}

impl From<&RejectCause> for Refusal {
    fn from(cause: &RejectCause) -> Self {
        match cause {
            RejectCause::QueueFull => Refusal::QueueFull,
            RejectCause::TooLate { .. } => Refusal::TooLate,
            RejectCause::Expired { .. } => Refusal::Expired,
            RejectCause::StartFailed(_) => Refusal::StartFailed,
            RejectCause::ShuttingDown => Refusal::ShuttingDown,
        }
    }
}

/// Why an instance gets no more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was idle for long enough, or more are there than the policy wants.
    Policy,
    /// An operator wants fewer.
    Operator,
    /// An operator evicted all.
    Evicted,
    /// Others need the memory.
    Memory,
    /// It could not be reached or failed too often.
    Unhealthy,
    /// The settings changed.
    Settings,
    /// A newer revision took over, or the gateway ends.
    Retired,
    /// It ended by itself.
    Itself,
}

impl Ending {
    const ALL: [Ending; 8] = [
        Ending::Policy,
        Ending::Operator,
        Ending::Evicted,
        Ending::Memory,
        Ending::Unhealthy,
        Ending::Settings,
        Ending::Retired,
        Ending::Itself,
    ];

    /// As programs see it.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Policy => "policy",
            Ending::Operator => "operator",
            Ending::Evicted => "evicted",
            Ending::Memory => "memory",
            Ending::Unhealthy => "unhealthy",
            Ending::Settings => "settings",
            Ending::Retired => "retired",
            Ending::Itself => "itself",
        }
    }

    /// As people read it, after "because".
    pub fn words(self) -> &'static str {
        match self {
            Ending::Policy => "the policy wants fewer or it was idle for long enough",
            Ending::Operator => "an operator wants fewer",
            Ending::Evicted => "an operator evicted it",
            Ending::Memory => "the machine is short of memory",
            Ending::Unhealthy => "it could not be reached or failed too often",
            Ending::Settings => "the settings changed",
            Ending::Retired => "its revision was replaced or the gateway ends",
            Ending::Itself => "it ended by itself",
        }
    }
}

/// A decision: what went in, what came out, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Instances wanted.
    pub desired: u32,
    /// What would have been wanted without the bound that won.
    pub unclamped: u32,
    /// Stable or panic.
    pub mode: Mode,
    /// Instances that took requests.
    pub ready: u32,
    /// Instances on their way.
    pub starting: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests waiting.
    pub queued: u32,
    /// Average load over the stable and the panic window, if the policy looks at them.
    pub load: Option<(f64, f64)>,
    /// The bound that won.
    pub clamp: String,
    /// Every term, in one sentence.
    pub why: String,
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests;
