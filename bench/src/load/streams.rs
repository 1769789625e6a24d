//! The connections of one thread to one endpoint over HTTP/2, and which of them carries a request.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::OnceCell;

use crate::client::{Endpoint, Fault, Multiplexed};

/// Connections that carry many requests at once each.
#[derive(Default)]
pub(super) struct Streams {
    slots: Vec<Rc<Slot>>,
}

/// One connection, opened by the first request that is to go on it.
#[derive(Default)]
struct Slot {
    connection: OnceCell<Multiplexed>,
    /// Requests that it carries, or that wait until it is open.
    active: Cell<usize>,
}

/// A place on a connection, until it is dropped.
pub(super) struct Place {
    slot: Rc<Slot>,
    /// The connection had been open before.
    pub(super) kept: bool,
}

impl Streams {
    /// A place on the connection that carries least. While there are fewer connections than `most`,
    /// a new one is preferred to one that carries something.
    pub(super) fn enter(&mut self, most: usize) -> Place {
        self.slots.retain(|slot| slot.is_usable());
        let least = self.slots.iter().min_by_key(|slot| slot.active.get());
        let slot = match least {
            Some(slot) if slot.active.get() == 0 || self.slots.len() >= most => Rc::clone(slot),
            _ => {
                let slot = Rc::new(Slot::default());
                self.slots.push(Rc::clone(&slot));
                slot
            }
        };
        slot.active.set(slot.active.get() + 1);
        let kept = slot.connection.initialized();
        Place { slot, kept }
    }
}

impl Slot {
    /// Not known to be closed.
    fn is_usable(&self) -> bool {
        self.connection.get().is_none_or(Multiplexed::is_usable)
    }
}

impl Place {
    /// The connection. Those who come while it is opened wait for that.
    pub(super) async fn connection(&self, endpoint: &Endpoint) -> Result<Multiplexed, Fault> {
        let opened = self
            .slot
            .connection
            .get_or_try_init(|| Multiplexed::open(endpoint));
        opened.await.cloned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let active = &self.slot.active;
        active.set(active.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::Streams;

    #[test]
    fn requests_are_spread_over_so_many_connections() {
        let mut streams = Streams::default();
        let places: Vec<_> = (0..12).map(|_| streams.enter(3)).collect();
        let loads: Vec<_> = streams.slots.iter().map(|slot| slot.active.get()).collect();
        assert_eq!(loads, [4, 4, 4]);
        drop(places);
        // One after the other needs but one.
        for _ in 0..5 {
            drop(streams.enter(3));
        }
        let busy = streams.enter(3);
        let loads: Vec<_> = streams.slots.iter().map(|slot| slot.active.get()).collect();
        assert_eq!(loads.iter().sum::<usize>(), 1);
        drop(busy);
        let mut fresh = Streams::default();
        for _ in 0..5 {
            drop(fresh.enter(3));
        }
        assert_eq!(fresh.slots.len(), 1);
    }
}
