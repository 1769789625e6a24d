//! The generator: sends requests when they are due and notes what becomes of them.

mod crew;
mod generator;
mod pacer;
mod streams;
mod tally;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::client::{Endpoint, Request};
use crate::schedule::Schedule;

pub(crate) use crew::{Crew, Running};
pub(crate) use tally::{Apart, Tally, Wanted};

/// A generator that is later than this was late. Below it is what a kernel without real-time
/// scheduling does to anybody.
pub(crate) const LATE: Duration = Duration::from_millis(1);

/// What all of a run has in common.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Where connections go.
    pub(crate) endpoints: Vec<Endpoint>,
    /// What is sent, and to which endpoint; taken in turn.
    pub(crate) requests: Vec<(usize, Request)>,
    /// The header that tells cold answers from warm ones, and its value in cold ones.
    pub(crate) cold_header: (String, String),
    /// Whether requests share connections one after the other.
    pub(crate) keeps_connections: bool,
    /// Requests at once on one connection: 1 over HTTP/1.1.
    pub(crate) streams: usize,
    /// From sending to the end of the answer.
    pub(crate) timeout: Duration,
    /// See [`pacer::Pacer`].
    pub(crate) spin: Duration,
}

/// A part of a run: when what is sent, and what is made of the answers.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// When.
    pub(crate) schedule: Schedule,
    /// Requests in flight at once, at most.
    pub(crate) in_flight: usize,
    /// Which samples are of the right kind; none if nothing is to be noted, as in a warm-up.
    pub(crate) wanted: Wanted,
    /// The tally that it goes to.
    pub(crate) slot: usize,
}

/// What the generator has done so far, for those who watch it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests that were answered well.
    pub(crate) answered: AtomicU64,
    /// Requests that were not.
    pub(crate) failed: AtomicU64,
}

impl Counters {
    /// Answered and failed.
    pub(crate) fn read(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.answered), read(&self.failed))
    }
}

#[cfg(test)]
mod tests;
