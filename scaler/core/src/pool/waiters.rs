//! The requests that wait for a slot, oldest first.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Timestamp, WaiterId};

/// One waiting request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) deadline: Timestamp,
    pub(super) since: Timestamp,
    /// The number of the event that brought it; ascending with the time of arrival.
    pub(super) event: u64,
}

/// A queue that can be left in the middle. Every operation is logarithmic in its length.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// By arrival.
    queue: BTreeMap<u64, Waiter>,
    arrivals: BTreeMap<WaiterId, u64>,
    deadlines: BTreeSet<(Timestamp, u64)>,
}

impl Waiters {
    pub(super) fn len(&self) -> u32 {
        self.queue.len() as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn contains(&self, id: WaiterId) -> bool {
        self.arrivals.contains_key(&id)
    }

    pub(super) fn deadline(&self, id: WaiterId) -> Option<Timestamp> {
        let event = self.arrivals.get(&id)?;
        self.queue.get(event).map(|waiter| waiter.deadline)
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.queue.values()
    }

    pub(super) fn oldest(&self) -> Option<&Waiter> {
        self.queue.first_key_value().map(|(_, waiter)| waiter)
    }

    pub(super) fn earliest_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// Adds one at the end.
    pub(super) fn push(&mut self, waiter: Waiter) {
        self.arrivals.insert(waiter.id, waiter.event);
        self.deadlines.insert((waiter.deadline, waiter.event));
        self.queue.insert(waiter.event, waiter);
    }

    /// Takes the oldest out.
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let (_, waiter) = self.queue.pop_first()?;
        self.arrivals.remove(&waiter.id);
        self.deadlines.remove(&(waiter.deadline, waiter.event));
        Some(waiter)
    }

    /// Takes a certain one out; false if it is not in.
    pub(super) fn remove(&mut self, id: WaiterId) -> bool {
        let Some(event) = self.arrivals.remove(&id) else {
            return false;
        };
        if let Some(waiter) = self.queue.remove(&event) {
            self.deadlines.remove(&(waiter.deadline, event));
        }
        true
    }

    /// Takes out the one whose deadline is the earliest, if that is not after `now`.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<Waiter> {
        let &(deadline, event) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop_first();
        let waiter = self.queue.remove(&event)?;
        self.arrivals.remove(&waiter.id);
        Some(waiter)
    }

    /// The three indexes agree; for the invariants.
    pub(super) fn audit(&self) -> Result<(), &'static str> {
        let equal = |&(&event, waiter): &(&u64, &Waiter)| {
            waiter.event == event
                && self.arrivals.get(&waiter.id) == Some(&event)
                && self.deadlines.contains(&(waiter.deadline, event))
        };
        let same_length =
            self.queue.len() == self.arrivals.len() && self.queue.len() == self.deadlines.len();
        match same_length && self.queue.iter().all(|entry| equal(&entry)) {
            true => Ok(()),
            false => Err("the indexes of the waiters disagree"),
        }
    }
}
