//! Freezing instances that are idle, and what happens when memory runs short.

use std::time::Duration;

use crate::pool::{Inherited, InstanceState, Pool, Standing};
use crate::{Effect, Effects, Timestamp};

use super::events::Follow;

/// An instance gets no CPU until its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Since when.
    pub since: Timestamp,
    /// It was asked to give its memory back.
    pub reclaimed: bool,
}

impl Pool {
    /// Freezes what was idle for long enough, the idlest first.
    pub(super) fn freeze_idle(&mut self, effects: &mut Effects) {
        while self.freeze_due().is_some_and(|time| time <= self.now) {
            self.freeze(effects);
        }
    }

    /// When the next instance is to be frozen.
    pub(super) fn freeze_due(&self) -> Option<Timestamp> {
        let patience = self.freeze_after()?;
        Some(self.next_to_freeze()? + patience)
    }

    /// Idle instances are frozen at times: the settings say so, and it was not refused.
    pub fn may_freeze(&self) -> bool {
        self.freeze_after().is_some()
    }

    /// How long an instance is idle until it is frozen, if ever.
    fn freeze_after(&self) -> Option<Duration> {
        self.spec.freeze.after.filter(|_| !self.unfreezable)
    }

    /// Since when the instance is idle that is to be frozen next.
    fn next_to_freeze(&self) -> Option<Timestamp> {
        let (hot, since) = self.fleet.idlest_hot()?;
        (hot > self.spec.freeze.keep_hot).then_some(since)
    }

    /// Thaws what the settings want to run.
    pub(super) fn thaw_unwanted(&mut self, effects: &mut Effects) {
        let wanted = match self.freeze_after() {
            None => u32::MAX,
            Some(_) => self.spec.freeze.keep_hot,
        };
        while let Some(id) = self.fleet.thaw(wanted) {
            effects.push(Effect::Thaw { instance: id });
        }
    }

    /// One that cannot lie below all that are hot runs.
    pub(super) fn may_inherit_frozen(&self, inherited: &Inherited) -> bool {
        inherited.state == InstanceState::Ready
            && inherited.in_use == 0
            && !matches!(inherited.standing, Standing::Aside { .. })
            && self.fleet.idlest_hot().is_none()
    }

    pub(super) fn on_pressure(&mut self, release: u32, effects: &mut Effects) -> Follow {
        if self.freeze_after().is_none() {
            return Follow::Rest;
        }
        self.release = release;
        // First those go that have nothing more to give, then the others give.
        self.settle(false, effects);
        self.release = 0;
        while self.next_to_freeze().is_some() {
            self.freeze(effects);
        }
        for id in self.fleet.reclaim() {
            effects.push(Effect::Reclaim { instance: id });
        }
        Follow::Rest
    }

    /// Stops frozen instances that gave their memory back and are not wanted, within what is
    /// released.
    pub(super) fn release_frozen(&mut self, effects: &mut Effects) {
        while self.release > 0
            && self.fleet.serving() > self.target
            && let Some(id) = self.fleet.idlest_reclaimed()
        {
            self.release -= 1;
            self.stop(id, effects);
        }
    }

    fn freeze(&mut self, effects: &mut Effects) {
        if let Some(id) = self.fleet.freeze(self.now) {
            effects.push(Effect::Freeze { instance: id });
        }
    }
}
