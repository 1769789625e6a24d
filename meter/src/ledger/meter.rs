//! What is counted of one revision.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::{CLOSED, Ledger, STAMP, STATE, VALUES};
use crate::{COUNTERS, Counter, Totals};

/// The counters of one revision of one function. Its slot is taken with the first thing that is
/// counted, and closed when this is dropped.
#[derive(Debug)]
pub struct Meter {
    ledger: Arc<Ledger>,
    function: Arc<str>,
    revision: Arc<str>,
    number: Option<u32>,
    slot: OnceLock<usize>,
}

impl Ledger {
    /// The counters of a revision, and the number that people know it by if it has one.
    pub fn meter(
        self: &Arc<Ledger>,
        (function, revision): (&Arc<str>, &Arc<str>),
        number: Option<u32>,
    ) -> Meter {
        Meter {
            ledger: Arc::clone(self),
            function: Arc::clone(function),
            revision: Arc::clone(revision),
            number,
            slot: OnceLock::new(),
        }
    }
}

impl Meter {
    /// Adds to a counter.
    pub fn add(&self, counter: Counter, value: u64) {
        if value > 0 {
            self.values()[counter as usize].fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Up to when the time of instances is counted, in nanoseconds of CLOCK_MONOTONIC. Nothing if
    /// nothing was counted so far.
    pub fn stamp(&self, monotonic_nanos: u64) {
        if let Some(place) = self.slot.get() {
            self.ledger.slot(*place)[STAMP].store(monotonic_nanos, Ordering::Release);
        }
    }

    /// Counts an invocation.
    pub fn invoked(&self, cold: bool) {
        self.add(Counter::Invocations, 1);
        self.add(Counter::Cold, cold.into());
    }

    /// The function's name.
    pub fn function(&self) -> &Arc<str> {
        &self.function
    }

    /// The file that it counts in.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// What was counted here; nothing if no slot was needed so far.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        if self.slot.get().is_some() {
            for (total, value) in totals.0.iter_mut().zip(self.values()) {
                *total = value.load(Ordering::Relaxed);
            }
        }
        totals
    }

    fn values(&self) -> &[AtomicU64] {
        let names = (&*self.function, &*self.revision);
        let take = || self.ledger.take(names, self.number);
        let place = *self.slot.get_or_init(take);
        &self.ledger.slot(place)[VALUES..VALUES + COUNTERS]
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(place) = self.slot.get().filter(|place| **place != 0) {
            self.ledger.slot(*place)[STATE].store(CLOSED, Ordering::Release);
        }
    }
}
