//! What a pool gives up for want of room on the machine.

use crate::pool::events::Follow;
use crate::pool::{InstanceState, Pool};
use crate::{Effects, InstanceId, Timestamp};

impl Pool {
    /// Since when the instance is idle that [`Event::Reclaim`](crate::Event::Reclaim) may stop;
    /// none if there is none. Whether it stops it, the policy says then.
    pub fn reclaimable(&self) -> Option<Timestamp> {
        let (_, since) = self.fleet.idlest()?;
        let spare = self.held.is_none() && self.fleet.serving() > self.floor();
        spare.then_some(since)
    }

    /// A start that has not begun costs nothing to give up.
    pub(super) fn on_forgo(&mut self, id: InstanceId, effects: &mut Effects) -> Follow {
        let starting = self
            .fleet
            .get(id)
            .is_some_and(|instance| instance.state == InstanceState::Starting);
        if !starting || !self.has_surplus() {
            return Follow::Rest;
        }
        self.stop(id, effects);
        Follow::Settle
    }

    pub(super) fn on_reclaim(&mut self, effects: &mut Effects) -> Follow {
        if self.reclaimable().is_some()
            && self.has_surplus()
            && let Some((id, _)) = self.fleet.idlest()
        {
            self.stop(id, effects);
            // Fewer may be set aside now.
            return Follow::Settle;
        }
        Follow::Rest
    }

    /// More instances serve or will than are wanted now.
    fn has_surplus(&mut self) -> bool {
        if self.is_decision_due() {
            self.ask_policy();
        }
        self.target = self.govern().0;
        self.fleet.serving() > self.target
    }
}
