//! What a fleet leaves to another one, in the order that matters.

use super::{Fleet, Instance, Stack};
use crate::Timestamp;

impl Fleet {
    /// Those whose slots are given out first come last.
    pub(in crate::pool) fn by_turn(&self) -> impl Iterator<Item = &Instance> {
        let upwards = |stack: &Stack| {
            std::iter::successors(stack.bottom, |&place| self.at(place).above)
                .map(|place| self.at(place))
        };
        let others = self.iter().filter(|(_, instance)| instance.shelf.is_none());
        others
            .map(|(_, instance)| instance)
            .chain(upwards(&self.frozen))
            .chain(upwards(&self.idle))
            .chain(upwards(&self.partial))
    }

    /// Adds an instance with its idle clock, if it is idle, and its slow start, if it is in the
    /// midst of that. Those come in the order in which they became idle; a clock that is out of
    /// order is set to that of the one before.
    pub(in crate::pool) fn inherit(
        &mut self,
        mut instance: Instance,
        idle_since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let before = self.idle.top.or(self.frozen.top);
        let before = before.and_then(|top| self.at(top).idle_since);
        let id = instance.id;
        let warm_since = instance.warm_since.take();
        self.insert(instance, now);
        if let Some(since) = warm_since {
            self.begin_slowly(id, since, now);
        }
        if let (Some(instance), Some(since)) = (self.get_mut(id), idle_since)
            && instance.idle_since.is_some()
        {
            instance.idle_since = Some(since.min(now).max(before.unwrap_or_default()));
        }
    }
}
