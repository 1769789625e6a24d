//! How much of each instance's CPU time is counted, so that whichever gateway looks next goes on
//! from there.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{HEADER_WORDS, Ledger, SLOT_WORDS, SLOTS, swap};

/// Instances with a record; those beyond are counted as if no other gateway knew them.
const INSTANCES: usize = 16_384;
const RECORD_WORDS: usize = 2;
pub(super) const INSTANCES_WORDS: usize = INSTANCES * RECORD_WORDS;

const ID: usize = 0;
const CPU: usize = 1;

impl Ledger {
    /// An instance has used so much CPU time in its life, in microseconds; what of it is new. Zero
    /// is no id.
    pub fn spent(&self, id: u64, cpu_micros: u64) -> u64 {
        let Some(place) = self.find_or_take(id) else {
            return 0;
        };
        let counted = &self.record(place)[CPU];
        let before = counted.fetch_max(cpu_micros, Ordering::AcqRel);
        cpu_micros.saturating_sub(before)
    }

    /// An instance has ended with so much CPU time, if that is known; what of it is new. Once: a
    /// second word about it is worth nothing.
    pub fn ended(&self, id: u64, cpu_micros: Option<u64>) -> u64 {
        let known = self.lock().remove(&id);
        let Some(place) = known.or_else(|| self.find(id)) else {
            // It was never looked at.
            return cpu_micros.unwrap_or(0);
        };
        let record = self.record(place);
        let before = record[CPU].load(Ordering::Acquire);
        // Another gateway may have heard of it too.
        match swap(&record[ID], id, 0) {
            true => cpu_micros.unwrap_or(0).saturating_sub(before),
            false => 0,
        }
    }

    /// Forgets the instances that are not among these.
    pub fn keep_instances(&self, living: &HashSet<u64>) {
        let mut known = self.lock();
        known.retain(|id, place| {
            let lives = living.contains(id);
            if !lives {
                self.record(*place)[ID].store(0, Ordering::Release);
            }
            lives
        });
    }

    pub(super) fn clear_instances(&self) {
        for place in 0..INSTANCES {
            self.record(place)[ID].store(0, Ordering::Release);
        }
    }

    /// Learns what other gateways have written.
    pub(super) fn find_instances(&self) {
        let mut known = self.lock();
        for place in 0..INSTANCES {
            let id = self.record(place)[ID].load(Ordering::Acquire);
            if id != 0 {
                known.insert(id, place);
            }
        }
    }

    fn find_or_take(&self, id: u64) -> Option<usize> {
        let mut known = self.lock();
        if let Some(place) = known.get(&id) {
            return Some(*place);
        }
        // Another gateway may have begun its record since this one looked.
        let place = self.find(id).or_else(|| self.take_record(id))?;
        known.insert(id, place);
        Some(place)
    }

    fn find(&self, id: u64) -> Option<usize> {
        (0..INSTANCES).find(|place| self.record(*place)[ID].load(Ordering::Acquire) == id)
    }

    fn take_record(&self, id: u64) -> Option<usize> {
        (0..INSTANCES).find(|place| {
            let record = self.record(*place);
            let taken = record[ID].load(Ordering::Relaxed) == 0 && swap(&record[ID], 0, id);
            if taken {
                record[CPU].store(0, Ordering::Release);
            }
            taken
        })
    }

    fn record(&self, place: usize) -> &[AtomicU64] {
        let from = HEADER_WORDS + SLOTS * SLOT_WORDS + place * RECORD_WORDS;
        &self.map.words()[from..from + RECORD_WORDS]
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<u64, usize>> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
