//! Which requests wait, and which ones that are served now had waited.

use std::collections::{BTreeSet, HashMap};

use stoker_core::{InstanceId, Timestamp, WaiterId};

/// Requests that found no free slot, until they end. Those that found one are not in here.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: HashMap<WaiterId, Timestamp>,
    /// By instance, when the slot was granted, and when they had arrived.
    served: BTreeSet<(InstanceId, Timestamp, Timestamp)>,
}

impl Requests {
    /// One begins to wait.
    pub(super) fn waits(&mut self, waiter: WaiterId, now: Timestamp) {
        self.waiting.insert(waiter, now);
    }

    /// Whether anybody waits.
    pub(super) fn is_any_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// One has a slot.
    pub(super) fn granted(&mut self, waiter: WaiterId, instance: InstanceId, now: Timestamp) {
        if let Some(arrived) = self.waiting.remove(&waiter)
            && arrived < now
        {
            self.served.insert((instance, now, arrived));
        }
    }

    /// One gets no slot; when it arrived, if it waited at all.
    pub(super) fn refused(&mut self, waiter: WaiterId) -> Option<Timestamp> {
        self.waiting.remove(&waiter)
    }

    /// One that had a slot since then ends; when it arrived. Of several that were granted together
    /// it does not matter which is which.
    pub(super) fn ended(&mut self, instance: InstanceId, granted: Timestamp) -> Timestamp {
        if self.served.is_empty() {
            return granted;
        }
        let since = (instance, granted, Timestamp::ZERO)..=(instance, granted, granted);
        let Some(entry) = self.served.range(since).next().copied() else {
            return granted;
        };
        self.served.remove(&entry);
        entry.2
    }

    /// An instance is gone, and so are its leases.
    pub(super) fn forget(&mut self, instance: InstanceId) {
        let all = (instance, Timestamp::ZERO, Timestamp::ZERO)
            ..=(instance, Timestamp::MAX, Timestamp::MAX);
        while let Some(entry) = self.served.range(all.clone()).next().copied() {
            self.served.remove(&entry);
        }
    }
}
