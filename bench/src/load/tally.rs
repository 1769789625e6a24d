//! What became of requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::LATE;
use crate::Histogram;
use crate::client::{Fault, Reply};
use crate::report::Repetition;

/// Failures that are remembered one by one.
const FAILURES: usize = 1000;
/// Names of phases, and of kinds, in one tally.
const NAMES: usize = 64;

/// Which samples are of the right kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// None: a warm-up.
    Nothing,
    /// Cold ones; those that tell nothing only if the target never does.
    Cold {
        /// Whether an answer without the header counts as cold.
        trusting: bool,
    },
    /// All but cold ones.
    Warm,
    /// All, cold ones apart.
    Both,
}

/// One request that came to its end.
pub(crate) struct Sample {
    /// When it was due; none in a closed loop, where nothing is due before it can be sent.
    pub(crate) due: Option<Instant>,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// Whether it had to wait for earlier ones, there being no more connections.
    pub(crate) held_up: bool,
    /// What came of it.
    pub(crate) result: Result<Reply, Fault>,
}

/// What became of requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Of the kind that is wanted; of all but the cold ones, if both are.
    pub(crate) main: Repetition,
    /// The cold ones, if both are wanted.
    pub(crate) cold: Repetition,
    /// How much later than due requests were sent that waited for none.
    pub(crate) lateness: Histogram,
    /// Requests that were due while all connections were in use.
    pub(crate) held_up: u64,
    /// Requests that were sent again, since a kept connection was closed when they came.
    pub(crate) resent: u64,
    /// The first failures: when they were due, and what happened.
    pub(crate) failures: Vec<(Instant, String)>,
    /// The end of the last answer.
    pub(crate) last_end: Option<Instant>,
}

impl Tally {
    /// Notes what became of one request; whether it was answered well.
    pub(crate) fn note(&mut self, sample: &Sample, wanted: Wanted, cold_value: &str) -> bool {
        let good = matches!(&sample.result, Ok(reply) if (200..400).contains(&reply.status));
        if wanted == Wanted::Nothing {
            return good;
        }
        self.note_lateness(sample);
        let since = sample.due.unwrap_or(sample.sent);
        match &sample.result {
            Ok(reply) if good => self.note_reply(since, reply, wanted, cold_value),
            Ok(reply) => {
                self.last_end = self.last_end.max(Some(reply.end));
                self.note_failure(since, &format!("status {}", reply.status), None);
            }
            Err(fault) => {
                self.last_end = self.last_end.max(Some(Instant::now()));
                self.note_failure(since, fault.label(), Some(fault));
            }
        }
        good
    }

    fn note_reply(&mut self, due: Instant, reply: &Reply, wanted: Wanted, cold_value: &str) {
        self.last_end = self.last_end.max(Some(reply.end));
        let kind = reply.watched.as_deref();
        let cold = kind == Some(cold_value);
        let repetition = match (wanted, cold) {
            (Wanted::Cold { .. }, true) | (Wanted::Warm, false) => &mut self.main,
            (Wanted::Cold { trusting: true }, false) if kind.is_none() => &mut self.main,
            (Wanted::Both, true) => &mut self.cold,
            (Wanted::Both, false) => &mut self.main,
            _ => return count(&mut self.main.discarded, kind.unwrap_or("untold")),
        };
        repetition.answered += 1;
        repetition.first_byte.record(since(reply.first_byte, due));
        repetition.total.record(since(reply.end, due));
        for (name, duration) in &reply.phases {
            if let Some(histogram) = repetition.phases.get_mut(name) {
                histogram.record(*duration);
            } else if repetition.phases.len() < NAMES {
                let histogram = repetition.phases.entry(name.clone()).or_default();
                histogram.record(*duration);
            }
        }
    }

    fn note_failure(&mut self, due: Instant, label: &str, fault: Option<&Fault>) {
        count(&mut self.main.failed, label);
        if self.failures.len() < FAILURES {
            let text = fault.map_or_else(|| label.to_owned(), Fault::to_string);
            self.failures.push((due, text));
        }
    }

    /// Notes requests that were due and could not be sent, all connections being in use.
    pub(super) fn note_unsent(&mut self, unsent: u64) {
        *self.main.failed.entry("not sent".to_owned()).or_default() += unsent;
    }

    /// One that waited for a connection is not late by the generator's fault, and its wait is the
    /// target's; both are in its sample.
    fn note_lateness(&mut self, sample: &Sample) {
        if sample.held_up {
            self.held_up += 1;
            return;
        }
        if let Some(due) = sample.due {
            let lateness = since(sample.sent, due);
            self.lateness.record(lateness);
            self.main.late += u64::from(lateness > LATE);
        }
    }

    /// Takes over all of another one.
    pub(crate) fn add(&mut self, other: &Tally) {
        add(&mut self.main, &other.main);
        add(&mut self.cold, &other.cold);
        self.lateness.add(&other.lateness);
        self.held_up += other.held_up;
        self.resent += other.resent;
        let room = FAILURES - self.failures.len();
        self.failures
            .extend(other.failures.iter().take(room).cloned());
        self.last_end = self.last_end.max(other.last_end);
    }
}

fn add(into: &mut Repetition, other: &Repetition) {
    into.answered += other.answered;
    into.late += other.late;
    into.first_byte.add(&other.first_byte);
    into.total.add(&other.total);
    for (name, counted) in &other.failed {
        *into.failed.entry(name.clone()).or_default() += counted;
    }
    for (name, counted) in &other.discarded {
        *into.discarded.entry(name.clone()).or_default() += counted;
    }
    for (name, histogram) in &other.phases {
        into.phases.entry(name.clone()).or_default().add(histogram);
    }
}

fn count(into: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(counted) = into.get_mut(name) {
        *counted += 1;
    } else if into.len() < NAMES {
        into.insert(name.to_owned(), 1);
    }
}

/// Zero if the clock read of another thread is older.
fn since(later: Instant, earlier: Instant) -> Duration {
    later.saturating_duration_since(earlier)
}
