//! The calls that have no answer yet.

use std::time::Duration;

use stoker_core::{Timestamp, WaiterId};

/// A call that has no slot yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) since: Timestamp,
    pub(super) service: Duration,
}

/// All of them. A waiter is known by its place, which the next one gets when it was answered: most
/// are at once.
#[derive(Debug, Default)]
pub(super) struct Waitings {
    places: Vec<Option<Waiting>>,
    vacant: Vec<usize>,
}

impl Waitings {
    pub(super) fn add(&mut self, waiting: Waiting) -> WaiterId {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(waiting);
        WaiterId(place as u64)
    }

    /// The call that is answered now; none if it was already.
    pub(super) fn take(&mut self, waiter: WaiterId) -> Option<Waiting> {
        let place = waiter.0 as usize;
        let waiting = self.places.get_mut(place)?.take()?;
        self.vacant.push(place);
        Some(waiting)
    }
}
