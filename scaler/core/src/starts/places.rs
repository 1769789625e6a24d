//! Who has a place among the starts that are under way.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::{InstanceId, Timestamp};

/// One place in this many is for functions that have no start under way.
const SPARE_PARTS: u32 = 4;

/// The starts under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The oldest first.
    under_way: VecDeque<UnderWay>,
    /// How many of a function; none is zero. Few functions start at the same time.
    count: BTreeMap<u32, u32>,
}

/// A start under way.
#[derive(Clone, Debug)]
struct UnderWay {
    function: u32,
    instance: InstanceId,
    since: Timestamp,
}

impl Places {
    /// Whether one more start of this function may begin, of at most `most` in all.
    pub(super) fn has_room(&self, function: u32, most: u32) -> bool {
        let spare = match self.count.contains_key(&function) {
            true => most / SPARE_PARTS,
            false => 0,
        };
        self.total() < most - spare
    }

    /// All of them.
    pub(super) fn total(&self) -> u32 {
        u32::try_from(self.under_way.len()).unwrap_or(u32::MAX)
    }

    /// All of them by the counts of the functions, for tests.
    #[cfg(test)]
    pub(super) fn counted(&self) -> u32 {
        self.count.values().sum()
    }

    /// When the oldest one began.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.under_way.front().map(|oldest| oldest.since)
    }

    /// A start takes a place.
    pub(super) fn begin(&mut self, function: u32, instance: InstanceId, now: Timestamp) {
        *self.count.entry(function).or_default() += 1;
        self.under_way.push_back(UnderWay {
            function,
            instance,
            since: now,
        });
    }

    /// Nothing happens if its place was taken from it.
    pub(super) fn end(&mut self, instance: InstanceId) {
        let place = self.under_way.iter().position(|it| it.instance == instance);
        if let Some(ended) = place.and_then(|place| self.under_way.remove(place)) {
            self.discount(ended.function);
        }
    }

    /// Takes their places from those that take longer than `patience`.
    pub(super) fn yield_overdue(&mut self, patience: Duration, now: Timestamp) {
        while let Some(oldest) = self.under_way.front()
            && oldest.since + patience <= now
        {
            let function = oldest.function;
            self.under_way.pop_front();
            self.discount(function);
        }
    }

    fn discount(&mut self, function: u32) {
        if let Some(count) = self.count.get_mut(&function) {
            *count -= 1;
            if *count == 0 {
                self.count.remove(&function);
            }
        }
    }
}
