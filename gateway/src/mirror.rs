//! Copies of requests, whose answers nobody gets: how many there may be, and who sends them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::gateway::Gateway;
use crate::proxy::mirror::Copied;

/// The copies of all functions.
pub(crate) struct Mirrors {
    under_way: Arc<AtomicUsize>,
    /// What is in it has a permit each, so it is bounded.
    queue: UnboundedSender<Copied>,
    /// Until somebody sends them.
    waiting: Mutex<Option<UnboundedReceiver<Copied>>>,
}

/// One copy may be under way until this is dropped.
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Default for Mirrors {
    fn default() -> Self {
        let (queue, waiting) = unbounded_channel();
        Mirrors {
            under_way: Arc::default(),
            queue,
            waiting: Mutex::new(Some(waiting)),
        }
    }
}

impl Mirrors {
    /// One more, of at most `most`.
    pub(crate) fn permit(&self, most: usize) -> Option<Permit> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(Arc::clone(&self.under_way));
        (before < most).then_some(permit)
    }

    /// Where copies are handed over.
    pub(crate) fn queue(&self) -> UnboundedSender<Copied> {
        self.queue.clone()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends the copies, each in a task of its own, for as long as there is the gateway.
pub(crate) async fn send_always(gateway: Weak<Gateway>) {
    let take = |gateway: Arc<Gateway>| gateway.mirrors().waiting.lock().take();
    let Some(mut copies) = gateway.upgrade().and_then(take) else {
        return;
    };
    while let Some(copy) = copies.recv().await {
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        tokio::spawn(async move { copy.send(&gateway).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let mirrors = Mirrors::default();
        let first = mirrors.permit(2).unwrap();
        let _second = mirrors.permit(2).unwrap();
        assert!(mirrors.permit(2).is_none());
        assert!(mirrors.permit(2).is_none());
        drop(first);
        let _third = mirrors.permit(2).unwrap();
        assert!(mirrors.permit(2).is_none());
        assert!(mirrors.permit(0).is_none());
    }
}
