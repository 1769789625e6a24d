//! The shelf of frozen instances, below that of the idle ones.

use super::{Fleet, Place, Shelf};
use crate::pool::{Census, Frozen};
use crate::{InstanceId, Timestamp};

impl Fleet {
    /// How many instances are in which condition: whoever lies on no shelf of idle ones is busy.
    pub(in crate::pool) fn census(&self) -> Census {
        let (idle, frozen) = (self.idle.len, self.frozen.len);
        Census {
            starting: self.count.starting,
            busy: self.count.ready - idle - frozen + self.count.draining,
            idle: idle + self.count.stopping,
            frozen,
        }
    }

    /// How many idle instances are not frozen, and since when the idlest of them is idle.
    pub(in crate::pool) fn idlest_hot(&self) -> Option<(u32, Timestamp)> {
        let since = self.at(self.idle.bottom?).idle_since?;
        Some((self.idle.len, since))
    }

    /// The idlest frozen instance, if it gave its memory back.
    pub(in crate::pool) fn idlest_reclaimed(&self) -> Option<InstanceId> {
        let instance = self.at(self.frozen.bottom?);
        instance
            .frozen
            .is_some_and(|frozen| frozen.reclaimed)
            .then_some(instance.id)
    }

    /// Freezes the idlest instance that is not frozen.
    pub(in crate::pool) fn freeze(&mut self, now: Timestamp) -> Option<InstanceId> {
        let place = self.idle.bottom?;
        self.unlink(place);
        let instance = self.at_mut(place);
        instance.frozen = Some(Frozen {
            since: now,
            reclaimed: false,
        });
        let id = instance.id;
        // It is idle for a shorter time than all that lie there.
        self.push(place, Shelf::Frozen);
        Some(id)
    }

    /// Puts the frozen instance that was used last back among the idle ones, if there are fewer than
    /// `wanted` of those.
    pub(in crate::pool) fn thaw(&mut self, wanted: u32) -> Option<InstanceId> {
        let place = self.frozen.top.filter(|_| self.idle.len < wanted)?;
        self.unlink(place);
        let instance = self.at_mut(place);
        instance.frozen = None;
        let id = instance.id;
        // It is idle for a longer time than all that lie there.
        self.push_below(place);
        Some(id)
    }

    /// Marks all frozen instances as having given their memory back; those that had not, the
    /// idlest first.
    pub(in crate::pool) fn reclaim(&mut self) -> Vec<InstanceId> {
        let mut found = Vec::new();
        let mut next = self.frozen.bottom;
        while let Some(place) = next {
            let instance = self.at_mut(place);
            next = instance.above;
            if let Some(frozen) = &mut instance.frozen
                && !std::mem::replace(&mut frozen.reclaimed, true)
            {
                found.push(instance.id);
            }
        }
        found
    }

    /// Puts an instance that is on no shelf below all idle ones.
    fn push_below(&mut self, place: Place) {
        self.idle.len += 1;
        let above = self.idle.bottom.replace(place);
        match above {
            None => self.idle.top = Some(place),
            Some(above) => self.at_mut(above).below = Some(place),
        }
        let instance = self.at_mut(place);
        instance.shelf = Some(Shelf::Idle);
        instance.above = above;
        instance.below = None;
    }
}
