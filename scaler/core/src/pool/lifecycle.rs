//! From ready to gone: draining, stopping, killing, and the way back.

use std::cmp::Reverse;
use std::time::Duration;

use crate::pool::{InstanceState, Pool};
use crate::{Effect, Effects, InstanceId};

/// Keeps a grace of zero from becoming a busy loop of kills.
const LEAST_GRACE: Duration = Duration::from_millis(10);

impl Pool {
    /// Lets an instance finish its requests; without any, or without time, it is stopped at once.
    pub(super) fn drain(&mut self, id: InstanceId, effects: &mut Effects) {
        let Some(instance) = self.fleet.get(id) else {
            return;
        };
        if instance.in_use == 0 || self.spec.drain_timeout.is_zero() {
            self.stop(id, effects);
        } else if instance.state != InstanceState::Draining {
            self.fleet.enter(id, InstanceState::Draining, self.now);
            self.want(self.now + self.spec.drain_timeout);
            effects.push(Effect::Drain { instance: id });
        }
    }

    /// Asks an instance to end.
    pub(super) fn stop(&mut self, id: InstanceId, effects: &mut Effects) {
        if self.fleet.get(id).is_some_and(|it| it.frozen.is_some()) {
            // It could not do as it is asked.
            effects.push(Effect::Thaw { instance: id });
        }
        self.fleet.enter(id, InstanceState::Stopping, self.now);
        let kill_at = self.now + self.grace();
        if let Some(instance) = self.fleet.get_mut(id) {
            instance.kill_at = kill_at;
        }
        self.want(kill_at);
        effects.push(Effect::Stop { instance: id });
    }

    /// Lets up to `wanted` draining instances take requests again; true if there was one. Those
    /// that have a free slot come first, then those that began to drain last.
    pub(super) fn reprieve(&mut self, wanted: u32) -> bool {
        if wanted == 0 || self.fleet.count().draining == 0 {
            return false;
        }
        let concurrency = self.spec.concurrency;
        let mut found: Vec<_> = self
            .fleet
            .iter()
            .filter(|(_, instance)| instance.state == InstanceState::Draining && !instance.evicted)
            .map(|(id, instance)| (instance.in_use >= concurrency, Reverse(instance.since), id))
            .collect();
        found.sort_unstable();
        found.truncate(wanted as usize);
        for &(_, _, id) in &found {
            self.fleet.enter(id, InstanceState::Ready, self.now);
        }
        !found.is_empty()
    }

    /// True if a draining instance could be reprieved.
    pub(super) fn has_reprievable(&self) -> bool {
        self.fleet.count().draining > 0
            && self
                .fleet
                .iter()
                .any(|(_, instance)| instance.state == InstanceState::Draining && !instance.evicted)
    }

    /// Stops overdue drains and kills overdue stops.
    pub(super) fn reap(&mut self, effects: &mut Effects) {
        let now = self.now;
        if self.fleet.count().draining > 0 {
            for id in self.fleet.in_state(InstanceState::Draining) {
                let overdue = |since| since + self.spec.drain_timeout <= now;
                if self
                    .fleet
                    .get(id)
                    .is_some_and(|instance| overdue(instance.since))
                {
                    self.stop(id, effects);
                }
            }
        }
        if self.fleet.count().stopping > 0 {
            let grace = self.grace();
            for id in self.fleet.in_state(InstanceState::Stopping) {
                if let Some(instance) = self.fleet.get_mut(id)
                    && instance.kill_at <= now
                {
                    instance.kill_at = now + grace;
                    effects.push(Effect::Kill { instance: id });
                    self.want(now + grace);
                }
            }
        }
    }

    /// Every instance that no waiting request needs must go, and its drain is final.
    pub(super) fn evict(&mut self, effects: &mut Effects) {
        for id in self.fleet.in_state(InstanceState::Draining) {
            self.mark_evicted(id);
        }
        for id in self.fleet.in_state(InstanceState::Ready) {
            self.mark_evicted(id);
            self.drain(id, effects);
        }
        let needed = self.waiters.len().div_ceil(self.spec.concurrency.max(1));
        for id in self
            .fleet
            .in_state(InstanceState::Starting)
            .into_iter()
            .skip(needed as usize)
        {
            self.stop(id, effects);
        }
    }

    fn mark_evicted(&mut self, id: InstanceId) {
        if let Some(instance) = self.fleet.get_mut(id) {
            instance.evicted = true;
        }
    }

    pub(super) fn grace(&self) -> Duration {
        self.spec.stop_grace.max(LEAST_GRACE)
    }
}
