//! Whether the parts of a fleet agree.

use super::{Counts, Fleet, Place, Shelf, Stack};
use crate::Timestamp;
use crate::pool::{Census, InstanceState};

impl Fleet {
    /// Counts everything anew, and walks both shelves; for the invariants.
    pub(in crate::pool) fn audit(&self, now: Timestamp) -> Result<(), &'static str> {
        let mut count = Counts::default();
        for (id, instance) in self.iter() {
            if instance.id != id {
                return Err("an instance is at the place of another one");
            }
            *count.of(instance.state) += 1;
            count.leases += instance.in_use;
            count.aside += u32::from(instance.standing.is_aside());
            count.warming += u32::from(instance.warm_since.is_some());
            if (instance.slots, instance.step) != self.usable(instance, now) {
                return Err("an instance has other slots than its standing and its age allow");
            }
            if instance.in_use > self.concurrency.max(instance.limit) {
                return Err("an instance has more leases than slots");
            }
            if instance.shelf != instance.shelf_for() {
                return Err("an instance is on the wrong shelf");
            }
            if instance.frozen.is_some() != (instance.shelf == Some(Shelf::Frozen)) {
                return Err("an instance is frozen that is not idle");
            }
            if instance.idle_since.is_some() != instance.shelf.is_some_and(Shelf::is_idle) {
                return Err("an idle clock runs on an instance that is not idle");
            }
        }
        if count != self.count {
            return Err("a count is wrong");
        }
        if self.recount() != self.census() {
            return Err("the census is wrong");
        }
        let partial = self.walk(&self.partial)?;
        let mut idle = self.walk(&self.idle)?;
        // What is frozen was idle for longer than what is not.
        idle.extend(self.walk(&self.frozen)?);
        let shelved = self
            .iter()
            .filter(|(_, instance)| instance.shelf.is_some())
            .count();
        if partial.len() + idle.len() != shelved {
            return Err("an instance is missing on its shelf");
        }
        let clocks = idle.iter().map(|&place| self.at(place).idle_since);
        if !clocks.is_sorted_by(|upper, lower| upper >= lower) {
            return Err("idle instances are out of order");
        }
        Ok(())
    }

    /// The census, one by one.
    fn recount(&self) -> Census {
        let mut census = Census::default();
        for (_, instance) in self.iter() {
            let idle = instance.idle_since.is_some();
            let place = match instance.state {
                InstanceState::Starting => &mut census.starting,
                InstanceState::Ready if instance.frozen.is_some() => &mut census.frozen,
                InstanceState::Ready if idle => &mut census.idle,
                InstanceState::Ready | InstanceState::Draining => &mut census.busy,
                InstanceState::Stopping => &mut census.idle,
            };
            *place += 1;
        }
        census
    }

    fn walk(&self, stack: &Stack) -> Result<Vec<Place>, &'static str> {
        let mut found = Vec::new();
        let mut next = stack.top;
        while let Some(place) = next {
            let instance = self.at(place);
            if instance.above != found.last().copied() || found.len() > self.ids.len() {
                return Err("a shelf is tangled");
            }
            found.push(place);
            next = instance.below;
        }
        match stack.bottom == found.last().copied() {
            true if stack.len as usize == found.len() => Ok(found),
            true => Err("a shelf is counted wrong"),
            false => Err("a shelf has lost its end"),
        }
    }
}
