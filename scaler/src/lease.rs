//! A held slot.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Event, Outcome, RejectCause, StartFailure, Timestamp};

use crate::{Function, Instance};

/// A slot of an instance, given back when this is dropped.
///
/// It is to travel with the response's body, so that every way out gives it back.
pub struct Lease<C: Send + 'static> {
    function: Arc<Function<C>>,
    instance: Arc<Instance<C>>,
    outcome: Outcome,
    cold: bool,
    /// Its instance was frozen, and nobody has thawed it since.
    frozen: bool,
    thawed: Option<Duration>,
    granted: Timestamp,
}

impl<C: Send + 'static> Lease<C> {
    /// `granted` is when the pool gave the slot out.
    pub(crate) fn new(
        function: Arc<Function<C>>,
        instance: Arc<Instance<C>>,
        cold: bool,
        granted: Timestamp,
    ) -> Self {
        Lease {
            function,
            instance,
            outcome: Outcome::Unknown,
            cold,
            frozen: false,
            thawed: None,
            granted,
        }
    }

    /// Its instance was frozen until now, and thawing it took so long.
    pub(crate) fn thawed(mut self, took: Option<Duration>) -> Self {
        self.thawed = took;
        self
    }

    /// Its instance is frozen, and is to be thawed by [`Lease::thaw`].
    pub(crate) fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// Has its instance run, if it was frozen. Whoever waits for it must have done that; who only
    /// connects and writes may do so before, for the kernel needs no program for that.
    pub fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.thawed = self.function.settle_frost(&self.instance);
        }
    }

    /// The instance whose slot this is.
    pub fn instance(&self) -> &Arc<Instance<C>> {
        &self.instance
    }

    /// The request waited for an instance that was not ready.
    pub fn is_cold(&self) -> bool {
        self.cold
    }

    /// The request had its instance thawed, which took the gateway so long; none before that.
    pub fn thaw_time(&self) -> Option<Duration> {
        self.thawed
    }

    /// The slot's connection, if one was kept; the most recently used first.
    pub fn take_connection(&self) -> Option<C> {
        self.instance.take_connection()
    }

    /// Keeps a connection for the slot's next lease. There are never more than slots, for only a
    /// lease may keep one.
    pub fn keep_connection(&self, connection: C) {
        self.instance.keep_connection(connection);
    }

    /// Notes that the function answered.
    pub fn answered(&mut self) {
        self.outcome = Outcome::Answered;
    }

    /// Notes that the instance failed the request: it broke off, sent what is no answer, or none in
    /// time. An instance that only is busy has not failed.
    pub fn failed(&mut self) {
        self.outcome = Outcome::Failed;
    }

    /// When the pool gave the slot out.
    pub(crate) fn granted(&self) -> Timestamp {
        self.granted
    }

    /// Ends it for another gateway, whose request had it since then and found this.
    pub(crate) fn give_back(mut self, outcome: Outcome, since: Timestamp) {
        self.outcome = outcome;
        self.granted = since;
    }

    /// Has the instance replaced, for it can no longer be reached.
    pub fn set_unhealthy(&self) {
        self.function.apply(Event::Unhealthy {
            instance: self.instance.id(),
        });
    }
}

impl<C: Send + 'static> Drop for Lease<C> {
    fn drop(&mut self) {
        self.thaw();
        let event = Event::Release {
            instance: self.instance.id(),
            outcome: self.outcome,
            since: self.granted,
        };
        self.function.apply(event);
    }
}

impl<C: Send + 'static> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("function", &self.function.name())
            .field("instance", &self.instance.id())
            .field("cold", &self.cold)
            .finish()
    }
}

/// Why there is no slot.
#[derive(Clone, Debug, PartialEq)]
pub enum AcquireError {
    /// Too many requests wait already.
    QueueFull,
    /// It would have waited clearly longer than it may: for so long.
    TooLate(Duration),
    /// No slot came free in time; with the last failed start, if starts failed.
    Expired(Option<StartFailure>),
    /// The function does not start.
    StartFailed(StartFailure),
    /// The gateway ends.
    ShuttingDown,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcquireError::QueueFull => f.write_str("too many requests are waiting"),
            AcquireError::TooLate(expected) => write!(
                f,
                "a slot is expected to come free only after {:.1} s",
                expected.as_secs_f64()
            ),
            AcquireError::Expired(None) => f.write_str("no instance came free in time"),
            AcquireError::Expired(Some(failure)) => {
                write!(
                    f,
                    "no instance came free in time; the last start failed: {}",
                    failure.detail
                )
            }
            AcquireError::StartFailed(failure) => {
                write!(f, "the function does not start: {}", failure.detail)
            }
            AcquireError::ShuttingDown => f.write_str("the gateway is shutting down"),
        }
    }
}

impl std::error::Error for AcquireError {}

impl From<RejectCause> for AcquireError {
    fn from(cause: RejectCause) -> Self {
        match cause {
            RejectCause::QueueFull => AcquireError::QueueFull,
            RejectCause::TooLate { expected } => AcquireError::TooLate(expected),
            RejectCause::Expired { last_failure } => AcquireError::Expired(last_failure),
            RejectCause::StartFailed(failure) => AcquireError::StartFailed(failure),
            RejectCause::ShuttingDown => AcquireError::ShuttingDown,
        }
    }
}
