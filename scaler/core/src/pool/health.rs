//! Setting instances aside that fail again and again, and taking them back.

use std::time::Duration;

use crate::pool::fleet::Instance;
use crate::pool::{InstanceState, Pool};
use crate::{Effects, Health, InstanceId, Outcome, Timestamp};

/// Keeps an ejection of zero from being none.
const LEAST_EJECTION: Duration = Duration::from_millis(10);

/// Whether a ready instance gets requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Like any other.
    #[default]
    Good,
    /// It failed again and again: none until then.
    Aside {
        /// When it is tried again.
        until: Timestamp,
    },
    /// It was set aside and gets one request at a time until one is answered.
    Trial,
}

impl Standing {
    /// It is not trusted.
    pub(super) fn is_aside(self) -> bool {
        self != Standing::Good
    }
}

/// What one instance has done lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Failures since its last answer.
    pub failures: u32,
    /// Times it was set aside in a row.
    pub ejections: u32,
    /// When it last came back.
    pub good_since: Timestamp,
}

impl Record {
    /// It is set aside now; for how long.
    fn eject(&mut self, health: &Health, now: Timestamp) -> Timestamp {
        if now.since(self.good_since) >= health.max_ejection {
            self.ejections = 0;
        }
        self.ejections = self.ejections.saturating_add(1);
        self.failures = 0;
        let time = health.ejection.saturating_mul(self.ejections);
        let longest = health.max_ejection.max(health.ejection);
        now + time.min(longest).max(LEAST_EJECTION)
    }
}

impl Pool {
    /// Notes how a request on a ready instance ended; true if that changed whether the instance
    /// gets requests.
    pub(super) fn note_outcome(
        &mut self,
        id: InstanceId,
        outcome: Outcome,
        effects: &mut Effects,
    ) -> bool {
        match outcome {
            Outcome::Answered => self.note_answer(id),
            Outcome::Failed => self.note_failure(id, effects),
            Outcome::Unknown => false,
        }
    }

    fn note_answer(&mut self, id: InstanceId) -> bool {
        let now = self.now;
        let Some(instance) = self.fleet.get_mut(id) else {
            return false;
        };
        if instance.standing != Standing::Trial {
            return false;
        }
        instance.record.good_since = now;
        self.fleet.set_standing(id, Standing::Good, now);
        true
    }

    fn note_failure(&mut self, id: InstanceId, effects: &mut Effects) -> bool {
        let limit = self.spec.health.failures;
        let Some(instance) = self.fleet.get_mut(id) else {
            return false;
        };
        if limit == 0 || instance.state != InstanceState::Ready {
            return false;
        }
        let on_trial = match instance.standing {
            Standing::Good => false,
            Standing::Trial => true,
            // Of a request that was under way when it was set aside.
            Standing::Aside { .. } => return false,
        };
        instance.record.failures = instance.record.failures.saturating_add(1);
        if !on_trial && (instance.record.failures < limit || !self.may_eject_one_more()) {
            return false;
        }
        self.eject(id, effects);
        true
    }

    fn eject(&mut self, id: InstanceId, effects: &mut Effects) {
        let now = self.now;
        let Some(instance) = self.fleet.get_mut(id) else {
            return;
        };
        let until = instance.record.eject(&self.spec.health, now);
        if instance.record.ejections > self.spec.health.replace_after {
            // Its drain is final; the policy starts another one if one is needed.
            instance.evicted = true;
            self.drain(id, effects);
            return;
        }
        self.fleet.set_standing(id, Standing::Aside { until }, now);
        self.want(until);
    }

    /// Instances that may be aside at once: the share in the settings, and never all.
    pub(super) fn ejectable(&self) -> u32 {
        let ready = self.fleet.count().ready;
        let share = f64::from(ready) * self.spec.health.max_ejected_percentage / 100.0;
        // The cast rounds down and saturates.
        (share as u32).min(ready.saturating_sub(1))
    }

    fn may_eject_one_more(&self) -> bool {
        self.fleet.count().aside < self.ejectable()
    }

    /// Takes instances back, those first whose time is over first, until no more are aside than
    /// may be; true if there was one.
    pub(super) fn uphold_floor(&mut self) -> bool {
        let mut any = false;
        while self.fleet.count().aside > 0 && self.fleet.count().aside > self.ejectable() {
            let aside = self
                .fleet
                .iter()
                .filter(|(_, instance)| instance.standing.is_aside());
            let Some(id) = aside
                .min_by_key(|(id, it)| (due(it), *id))
                .map(|(id, _)| id)
            else {
                break;
            };
            if let Some(instance) = self.fleet.get_mut(id) {
                instance.record.good_since = self.now;
            }
            self.fleet.set_standing(id, Standing::Good, self.now);
            any = true;
        }
        any
    }

    /// Lets those be tried whose time is over, and those take more that have been up for longer.
    pub(super) fn refresh(&mut self, effects: &mut Effects) {
        let count = self.fleet.count();
        if count.aside + count.warming > 0 {
            self.fleet.refresh(self.now);
            self.dispatch(effects);
        }
    }
}

/// When it is to be tried; those on trial come first.
pub(super) fn due(instance: &Instance) -> Timestamp {
    match instance.standing {
        Standing::Aside { until } => until,
        Standing::Good | Standing::Trial => Timestamp::ZERO,
    }
}
