//! What one function's pool took in and put out, as entries.

use std::sync::Arc;

use stoker_core::{Decision, Effect, Effects, Event, InstanceId, Outcome, Timestamp, WaiterId};

use super::lives::Lives;
use super::requests::Requests;
use super::{Chunk, Decided, Ending, Entry, LifeView, Refusal, Request, Store, Told, What};
use crate::StartCause;

/// A chunk of so many bytes is full.
const CHUNK_BYTES: usize = 4096;

/// Chunks that are smaller stay where they are, however many functions there are.
const LEAST_BYTES: usize = 256;

/// Writes what happens to one function. It lives beside the pool, under the same lock.
#[derive(Debug)]
pub(crate) struct Recorder {
    store: Arc<Store>,
    function: Arc<str>,
    revision: Arc<str>,
    /// None until more has happened than that nothing is wanted: of very many functions most are
    /// never called.
    noted: Option<Box<Noted>>,
    open: Option<Box<Chunk>>,
    /// What the store was told of `open`.
    opened: usize,
}

/// What is needed to tell what later events mean.
#[derive(Debug, Default)]
struct Noted {
    requests: Requests,
    lives: Lives,
}

/// What is to be known of an event after the pool has taken it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    Arrived(WaiterId),
    Left(WaiterId),
    Ended {
        instance: InstanceId,
        outcome: Outcome,
        granted: Timestamp,
    },
    StartFailed(InstanceId),
    Exited(InstanceId),
    Adopted(InstanceId),
    /// Instances end by it for this reason.
    Other(Ending),
}

impl Seen {
    pub(crate) fn of(event: &Event) -> Seen {
        match event {
            Event::Acquire { waiter, .. } => Seen::Arrived(*waiter),
            Event::Cancel { waiter } => Seen::Left(*waiter),
            Event::Release {
                instance,
                outcome,
                since,
            } => Seen::Ended {
                instance: *instance,
                outcome: *outcome,
                granted: *since,
            },
            Event::StartFailed { instance, .. } => Seen::StartFailed(*instance),
            Event::Exited { instance, .. } => Seen::Exited(*instance),
            Event::Adopted { instance } => Seen::Adopted(*instance),
            Event::Scale { .. } => Seen::Other(Ending::Operator),
            Event::Evict => Seen::Other(Ending::Evicted),
            Event::Reclaim | Event::Pressure { .. } => Seen::Other(Ending::Memory),
            Event::Unhealthy { .. } => Seen::Other(Ending::Unhealthy),
            Event::Reconfigure(_) => Seen::Other(Ending::Settings),
            Event::Retire | Event::ShutDown => Seen::Other(Ending::Retired),
            Event::Ready { .. }
            | Event::Inherited(_)
            | Event::Schedule(_)
            | Event::Forgo { .. }
            | Event::ForgoSpares
            | Event::FreezeRefused
            | Event::Tick => Seen::Other(Ending::Policy),
        }
    }
}

impl Recorder {
    pub(crate) fn new(store: Arc<Store>, function: &Arc<str>, revision: &Arc<str>) -> Recorder {
        Recorder {
            store,
            function: Arc::clone(function),
            revision: Arc::clone(revision),
            noted: None,
            open: None,
            opened: 0,
        }
    }

    /// The pool took an event in and put these effects out.
    pub(crate) fn note(&mut self, seen: Seen, effects: &Effects, now: Timestamp) {
        let arrived = match seen {
            Seen::Arrived(waiter) => {
                if is_granted_only(effects, waiter) {
                    // Most requests: they are written at their end.
                    return;
                }
                self.noted().requests.waits(waiter, now);
                true
            }
            Seen::Ended {
                instance,
                outcome,
                granted,
            } => {
                self.note_request(instance, outcome, (granted, now));
                if effects.is_empty() {
                    return;
                }
                false
            }
            other => {
                self.note_rest(other, now);
                false
            }
        };
        self.note_effects(seen, arrived, effects, now);
    }

    fn note_request(
        &mut self,
        instance: InstanceId,
        outcome: Outcome,
        (granted, now): (Timestamp, Timestamp),
    ) {
        let noted = self.noted();
        let arrived = noted.requests.ended(instance, granted);
        let first = noted.lives.is_first(instance);
        let from = noted.lives.served_from(instance, granted).min(now);
        let request = Request {
            waited: from.since(arrived),
            service: now.since(from),
            outcome,
            first,
        };
        self.write(now, || What::Request(request));
    }

    fn note_rest(&mut self, seen: Seen, now: Timestamp) {
        match seen {
            Seen::Left(waiter) => self.note_refused(waiter, Refusal::Cancelled, now),
            Seen::StartFailed(instance) => {
                self.noted().requests.forget(instance);
                if let Some((created, _)) = self.noted().lives.end(instance) {
                    let took = now.since(created);
                    self.write(now, || What::StartFailed { instance, took });
                }
            }
            Seen::Exited(instance) => {
                self.noted().requests.forget(instance);
                let Some((created, wished)) = self.noted().lives.end(instance) else {
                    return;
                };
                if !wished {
                    let why = Ending::Itself;
                    self.write(now, || What::Ending { instance, why });
                }
                let lived = now.since(created);
                self.write(now, || What::Ended { instance, lived });
            }
            Seen::Adopted(instance) => self.noted().lives.begin(instance, None, now),
            Seen::Arrived(_) | Seen::Ended { .. } | Seen::Other(_) => {}
        }
    }

    fn note_effects(&mut self, seen: Seen, arrived: bool, effects: &Effects, now: Timestamp) {
        // Instances that start in the same step start for this decision.
        for effect in effects.iter() {
            if let Effect::Decided(decision) = effect {
                if self.noted.is_none() && decision.desired == 0 {
                    continue;
                }
                self.noted().lives.told(decision, now);
                self.write(now, || What::Decided(Decided::of(decision)));
            }
        }
        for effect in effects.iter() {
            match effect {
                Effect::Grant {
                    waiter, instance, ..
                } => {
                    let noted = self.noted();
                    noted.requests.granted(*waiter, *instance, now);
                    noted.lives.goes_on(*instance);
                }
                Effect::Reject { waiter, cause } => {
                    self.note_refused(*waiter, Refusal::from(cause), now);
                }
                Effect::Start { instance } => {
                    let waited_for = arrived || self.noted().requests.is_any_waiting();
                    let cause = match waited_for {
                        true => StartCause::Request,
                        false => StartCause::Policy,
                    };
                    self.noted().lives.begin(*instance, Some(cause), now);
                }
                // The first of them counts: what was idle is stopped without a drain.
                Effect::Drain { instance }
                | Effect::Stop { instance }
                | Effect::Kill { instance } => self.note_ending(*instance, why_of(seen), now),
                _ => {}
            }
        }
    }

    fn note_ending(&mut self, instance: InstanceId, why: Ending, now: Timestamp) {
        if self.noted().lives.ends(instance, why, now) {
            self.write(now, || What::Ending { instance, why });
        }
    }

    fn note_refused(&mut self, waiter: WaiterId, cause: Refusal, now: Timestamp) {
        if let Some(arrived) = self.noted().requests.refused(waiter) {
            let waited = now.since(arrived);
            self.write(now, || What::Refused { waited, cause });
        }
    }

    /// The gate of starts lets an instance begin that it held.
    pub(crate) fn admitted(&mut self, instance: InstanceId, now: Timestamp) {
        self.noted().lives.admitted(instance, now);
    }

    /// An instance is known to run.
    pub(crate) fn up(&mut self, instance: InstanceId, now: Timestamp) {
        if let Some((created, cause)) = self.noted().lives.up(instance, now) {
            let took = now.since(created);
            self.write(now, || What::Started {
                instance,
                took,
                cause,
            });
        }
    }

    /// An instance of another gateway's pool goes on here.
    pub(crate) fn inherited(&mut self, instance: InstanceId, created: Timestamp) {
        self.noted().lives.begin(instance, None, created);
    }

    /// The decision in force.
    pub(crate) fn decision(&self) -> Option<&Arc<Told>> {
        self.noted.as_ref()?.lives.decision()
    }

    /// What led to an instance, and to its end.
    pub(crate) fn life(&self, id: InstanceId) -> Option<&LifeView> {
        self.noted.as_ref()?.lives.view(id)
    }

    /// A copy of what is not with the store yet.
    pub(crate) fn open(&self) -> Option<Arc<Chunk>> {
        self.open.as_deref().cloned().map(Arc::new)
    }

    /// Gives what there is to the store.
    pub(crate) fn seal(&mut self) {
        if let Some(mut chunk) = self.open.take() {
            self.store.closed(std::mem::take(&mut self.opened));
            chunk.bytes.shrink_to_fit();
            self.store.give(*chunk);
        }
    }

    fn noted(&mut self) -> &mut Noted {
        self.noted.get_or_insert_default()
    }

    fn write(&mut self, now: Timestamp, what: impl FnOnce() -> What) {
        if !self.store.is_enabled() {
            return;
        }
        let at = self.store.unix_micros(now);
        let chunk = self.open.get_or_insert_with(|| {
            let id = self.store.next_id();
            Box::new(Chunk::new(id, &self.function, &self.revision, at))
        });
        chunk.push(&Entry { at, what: what() });
        let (length, capacity) = (chunk.bytes.len(), chunk.bytes.capacity());
        if capacity > self.opened {
            let grown = capacity - self.opened;
            self.opened = capacity;
            let crowded = self.store.opened(grown);
            if crowded && length >= LEAST_BYTES {
                return self.seal();
            }
        }
        if length >= CHUNK_BYTES {
            self.seal();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.seal();
    }
}

impl Decided {
    fn of(decision: &Decision) -> Decided {
        let why = &decision.why;
        Decided {
            desired: decision.desired,
            unclamped: why.unclamped,
            mode: decision.mode,
            ready: why.ready,
            starting: why.starting,
            in_flight: why.in_flight,
            queued: why.queued,
            load: why.load.map(|load| (load.stable, load.panic)),
            clamp: why.clamp.to_string(),
            why: why.to_string(),
        }
    }
}

/// The one effect is that this request has a slot.
fn is_granted_only(effects: &Effects, waiter: WaiterId) -> bool {
    let mut effects = effects.iter();
    let first = effects.next();
    matches!(first, Some(Effect::Grant { waiter: to, .. }) if *to == waiter)
        && effects.next().is_none()
}

fn why_of(seen: Seen) -> Ending {
    match seen {
        Seen::Other(why) => why,
        _ => Ending::Policy,
    }
}

#[cfg(test)]
mod tests;
