//! What the two gateways say to each other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoker_core::{FailureKind, InstanceId, InstanceState, RejectCause, StartFailure, Timestamp};

use crate::AcquireError;
use crate::driver::Endpoint;
use crate::logs::Partial;

use super::load::{WireLearned, WireOutcome, WireStanding};
use super::starts::WireStart;

/// Spoken by both sides; the heir refuses to succeed a gateway that speaks another one.
pub const VERSION: u32 = 5;

/// One message. Times are nanoseconds of the former gateway's clock, which the heir's continues.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    /// From the former gateway, first. Its form never changes.
    Offer {
        /// The former gateway's [`VERSION`].
        version: u32,
        /// Its release, for people.
        release: String,
        /// Its state directory.
        state_dir: PathBuf,
        /// The origin of its clock, in nanoseconds of the machine's monotonic clock.
        origin_nanos: u64,
    },
    /// A socket or lock, whose descriptor comes beside it.
    Descriptor {
        /// What it is for.
        kind: String,
        /// The address as the configuration has it.
        wanted: String,
        /// The address as it was bound.
        actual: String,
    },
    /// No more descriptors.
    OfferEnd,
    /// From the heir: its configuration is valid and all is prepared.
    Ready,
    /// From the heir: it cannot take over, and ends. Its form never changes.
    Failed {
        /// Why, a sentence or several.
        reason: String,
    },
    /// From the former gateway, which has frozen: one of its functions.
    Function {
        /// Its number.
        number: u32,
        /// Its name.
        name: Arc<str>,
        /// The revision.
        revision: Arc<str>,
        /// What an operator holds.
        held: Option<u32>,
        /// See [`stoker_core::Legacy::evicted`].
        evicted: bool,
        /// See [`stoker_core::Legacy::last_active`].
        last_active: u64,
        /// See [`stoker_core::Legacy::learned`].
        learned: WireLearned,
    },
    /// An instance of the function named last.
    Instance(WireInstance),
    /// What the pool of the function named last remembers; in several messages if it is much.
    Memory {
        /// See [`stoker_core::Legacy::memory`].
        words: Vec<u64>,
    },
    /// A waiter of the function named last.
    Waiter {
        /// Its id there.
        waiter: u64,
        /// Until when it waits.
        deadline: u64,
    },
    /// The beginning of a line of output whose rest is in the pipe.
    Line(Partial),
    /// The estate is complete.
    EstateEnd {
        /// Pools of the heir have this number or a higher one.
        next_number: u32,
    },
    /// From the heir: it goes on with these functions; in several messages if there are many.
    Claimed {
        /// Their numbers.
        functions: Vec<u32>,
    },
    /// From the heir: it serves, and accepts requests once the former gateway departs.
    Serving,
    /// From the former gateway: it accepts no more, and the heir leads.
    Departed,
    /// From the former gateway, after its departure: what it had recorded.
    Recorded {
        /// A file that the heir is to remove.
        file: PathBuf,
    },
    /// From the former gateway, after its departure: a start of late, newest first.
    Start(WireStart),
    /// From the heir: whoever watches over the former gateway's process knows that it is replaced.
    Leading,
    /// From the former gateway.
    Ask {
        /// The function's number.
        function: u32,
        /// What it asks or tells.
        ask: Ask,
    },
    /// From the heir, to a waiter.
    Answer {
        /// The function's number.
        function: u32,
        /// The waiter's id.
        waiter: u64,
        /// What it gets.
        answer: Answer,
    },
}

/// An instance as its pool has it; see [`stoker_core::Inherited`].
#[derive(Debug, Serialize, Deserialize)]
pub struct WireInstance {
    pub(super) instance: u64,
    pub(super) state: WireState,
    pub(super) since: u64,
    pub(super) created: u64,
    pub(super) in_use: u32,
    pub(super) served: u64,
    pub(super) idle_since: Option<u64>,
    pub(super) proven: bool,
    pub(super) evicted: bool,
    pub(super) standing: WireStanding,
    pub(super) failures: u32,
    pub(super) ejections: u32,
    pub(super) good_since: u64,
    pub(super) warm_since: Option<u64>,
    pub(super) frozen_since: Option<u64>,
    pub(super) reclaimed: bool,
}

/// See [`InstanceState`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum WireState {
    Starting,
    Ready,
    Draining,
    Stopping,
}

/// An event of a pool that is elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// A request wants a slot until then.
    Acquire {
        /// Its id.
        waiter: u64,
        /// Until when.
        deadline: u64,
    },
    /// A request wants none any more.
    Cancel {
        /// Its id.
        waiter: u64,
    },
    /// A lease has ended.
    Release {
        /// Of this instance.
        instance: u64,
        /// What the request found.
        outcome: WireOutcome,
        /// When its slot was granted.
        since: u64,
    },
    /// An instance cannot be reached.
    Unhealthy {
        /// Which.
        instance: u64,
    },
    /// A start that the former gateway had begun has failed.
    StartFailed {
        /// Which.
        instance: u64,
        /// Why.
        failure: Failure,
    },
    /// An operator holds a number, or lets go.
    Scale {
        /// The number.
        desired: Option<u32>,
    },
    /// An operator evicts.
    Evict,
}

/// What a waiter gets.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// A lease.
    Granted {
        /// Of this instance.
        instance: u64,
        /// Where it is.
        endpoint: Endpoint,
        /// See [`stoker_core::Effect::Grant`].
        cold: bool,
        /// It was frozen; the nanoseconds that it took to thaw it.
        thawed: Option<u64>,
        /// When.
        at: u64,
    },
    /// Too many wait.
    QueueFull,
    /// It would have waited too long: so many nanoseconds.
    TooLate(u64),
    /// Its time is over.
    Expired(Option<Failure>),
    /// The function does not start.
    StartFailed(Failure),
    /// The gateway ends.
    ShuttingDown,
}

/// A lease from another gateway.
pub(crate) struct Granted {
    pub(crate) instance: InstanceId,
    pub(crate) endpoint: Endpoint,
    pub(crate) cold: bool,
    pub(crate) thawed: Option<Duration>,
    pub(crate) at: Timestamp,
}

/// See [`StartFailure`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    kind: WireKind,
    detail: Arc<str>,
}

/// See [`FailureKind`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum WireKind {
    NotExecutable,
    Exited,
    NeverListened,
    Resources,
}

impl From<InstanceState> for WireState {
    fn from(state: InstanceState) -> Self {
        match state {
            InstanceState::Starting => WireState::Starting,
            InstanceState::Ready => WireState::Ready,
            InstanceState::Draining => WireState::Draining,
            InstanceState::Stopping => WireState::Stopping,
        }
    }
}

impl From<WireState> for InstanceState {
    fn from(state: WireState) -> Self {
        match state {
            WireState::Starting => InstanceState::Starting,
            WireState::Ready => InstanceState::Ready,
            WireState::Draining => InstanceState::Draining,
            WireState::Stopping => InstanceState::Stopping,
        }
    }
}

impl From<&StartFailure> for Failure {
    fn from(failure: &StartFailure) -> Self {
        let kind = match failure.kind {
            FailureKind::NotExecutable => WireKind::NotExecutable,
            FailureKind::Exited => WireKind::Exited,
            FailureKind::NeverListened => WireKind::NeverListened,
            FailureKind::Resources => WireKind::Resources,
        };
        Failure {
            kind,
            detail: Arc::clone(&failure.detail),
        }
    }
}

impl From<Failure> for StartFailure {
    fn from(failure: Failure) -> Self {
        let kind = match failure.kind {
            WireKind::NotExecutable => FailureKind::NotExecutable,
            WireKind::Exited => FailureKind::Exited,
            WireKind::NeverListened => FailureKind::NeverListened,
            WireKind::Resources => FailureKind::Resources,
        };
        StartFailure {
            kind,
            detail: failure.detail,
        }
    }
}

impl From<&AcquireError> for Answer {
    fn from(error: &AcquireError) -> Self {
        match error {
            AcquireError::QueueFull => Answer::QueueFull,
            AcquireError::TooLate(expected) => {
                Answer::TooLate(u64::try_from(expected.as_nanos()).unwrap_or(u64::MAX))
            }
            AcquireError::Expired(last) => Answer::Expired(last.as_ref().map(Failure::from)),
            AcquireError::StartFailed(failure) => Answer::StartFailed(failure.into()),
            AcquireError::ShuttingDown => Answer::ShuttingDown,
        }
    }
}

impl Answer {
    /// Why there is no lease, or all about it.
    pub(crate) fn into_result(self) -> Result<Granted, RejectCause> {
        Err(match self {
            Answer::Granted {
                instance,
                endpoint,
                cold,
                thawed,
                at,
            } => {
                return Ok(Granted {
                    instance: InstanceId::from_raw(instance),
                    endpoint,
                    cold,
                    thawed: thawed.map(Duration::from_nanos),
                    at: Timestamp::from_nanos(at),
                });
            }
            Answer::QueueFull => RejectCause::QueueFull,
            Answer::TooLate(nanos) => RejectCause::TooLate {
                expected: Duration::from_nanos(nanos),
            },
            Answer::Expired(last) => RejectCause::Expired {
                last_failure: last.map(StartFailure::from),
            },
            Answer::StartFailed(failure) => RejectCause::StartFailed(failure.into()),
            Answer::ShuttingDown => RejectCause::ShuttingDown,
        })
    }
}
