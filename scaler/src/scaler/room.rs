//! What the machine may be asked for, over all functions.

use std::sync::Arc;

use super::{Scaler, Shared};
use crate::StartSettings;

impl<C: Send + 'static> Scaler<C> {
    /// Changes what the machine may be asked for; until then nothing is held.
    pub fn set_starts(&self, settings: StartSettings) {
        self.shared.gate.configure(settings);
    }
}

impl<C: Send + 'static> Shared<C> {
    /// Lets starts begin whose time comes without another event.
    pub(super) async fn watch_starts(self: Arc<Self>) {
        loop {
            let look = self.gate.look();
            if let Some(function) = look.short
                && self.gate.evicts_idle()
            {
                self.make_room(function);
            }
            self.gate.wait(look.at).await;
        }
    }

    /// Stops the instance that is idle for the longest time, of any function but this one.
    fn make_room(&self, except: u32) {
        let mut idle: Vec<_> = self
            .functions()
            .into_iter()
            .filter(|function| function.number() != except)
            .filter_map(|function| Some((function.reclaimable()?, function)))
            .collect();
        idle.sort_by_key(|(since, _)| *since);
        // Its policy may want it all the same.
        idle.iter().any(|(_, function)| function.reclaim());
    }
}
