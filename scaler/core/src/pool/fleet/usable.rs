//! How many slots of an instance may be given out now.

use std::time::Duration;

use super::{Fleet, Instance, Place};
use crate::pool::{InstanceState, Standing};
use crate::{InstanceId, Timestamp};

/// A new instance gets more slots in this many steps.
const STEPS: u32 = 10;

impl Fleet {
    /// Changes how a ready instance is trusted.
    pub(in crate::pool) fn set_standing(
        &mut self,
        id: InstanceId,
        standing: Standing,
        now: Timestamp,
    ) {
        let Some(&place) = self.ids.get(&id) else {
            return;
        };
        let former = std::mem::replace(&mut self.at_mut(place).standing, standing);
        self.count.aside -= u32::from(former.is_aside());
        self.count.aside += u32::from(standing.is_aside());
        self.reshelve(place, now);
    }

    /// Lets a ready instance, which is up since then, have few slots until it is up for long enough.
    pub(in crate::pool) fn begin_slowly(
        &mut self,
        id: InstanceId,
        since: Timestamp,
        now: Timestamp,
    ) {
        if self.concurrency == 1 || since + self.slow_start <= now {
            return;
        }
        let Some(&place) = self.ids.get(&id) else {
            return;
        };
        if self.at_mut(place).warm_since.replace(since).is_none() {
            self.count.warming += 1;
        }
        self.reshelve(place, now);
    }

    /// Does what time alone does.
    pub(in crate::pool) fn refresh(&mut self, now: Timestamp) {
        let places: Vec<Place> = self.ids.values().copied().collect();
        for place in places {
            let slow_start = self.slow_start;
            let instance = self.at_mut(place);
            if let Standing::Aside { until } = instance.standing
                && until <= now
            {
                // It stays among those that are aside.
                instance.standing = Standing::Trial;
            }
            if instance
                .warm_since
                .is_some_and(|since| since + slow_start <= now)
            {
                instance.warm_since = None;
                self.count.warming -= 1;
            }
            self.reshelve(place, now);
        }
    }

    /// When the next of these changes comes, of all instances.
    pub(in crate::pool) fn next_refresh(&self) -> Timestamp {
        let mut next = Timestamp::MAX;
        if self.count.aside + self.count.warming == 0 {
            return next;
        }
        for (_, instance) in self.iter() {
            if let Standing::Aside { until } = instance.standing {
                next = next.min(until);
            }
            if let Some(since) = instance.warm_since {
                next = next.min(since + self.step_time(instance.step + 1));
            }
        }
        next
    }

    /// Slots and the step of its slow start that an instance has at `now`.
    pub(super) fn usable(&self, instance: &Instance, now: Timestamp) -> (u32, u32) {
        if instance.state != InstanceState::Ready {
            return (0, 0);
        }
        let (warm, step) = match instance.warm_since {
            None => (self.concurrency, 0),
            Some(since) => {
                let age = now.since(since);
                let step = (1..=STEPS)
                    .take_while(|step| self.step_time(*step) <= age)
                    .count();
                let step = step as u32;
                let share = self.concurrency.saturating_mul(step.max(1)) / STEPS;
                (share.max(1), step)
            }
        };
        let slots = match instance.standing {
            Standing::Good => warm,
            Standing::Trial => 1,
            Standing::Aside { .. } => 0,
        };
        (slots, step)
    }

    fn step_time(&self, step: u32) -> Duration {
        // Rounded up by a nanosecond at most, lest the last step comes before the end.
        self.slow_start.saturating_mul(step) / STEPS
    }
}
