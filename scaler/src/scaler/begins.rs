//! Starts to whose instances requests are sent before their programs run.
//!
//! Such an instance counts as ready while nobody knows yet whether it will run, which no other
//! gateway could make sense of. So before this one is succeeded no more of these are begun, and
//! those under way come to their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many are under way, and whether there may be more.
#[derive(Debug, Default)]
pub(crate) struct Begins {
    forbidden: AtomicBool,
    count: AtomicUsize,
    ended: Notify,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub(crate) struct Begin(Arc<Begins>);

impl Begins {
    /// One more, if there may be.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Begin> {
        // Counted first and looked at then: `settle` forbids first and counts then.
        self.count.fetch_add(1, Ordering::SeqCst);
        let begin = Begin(Arc::clone(self));
        (!self.forbidden.load(Ordering::SeqCst)).then_some(begin)
    }

    /// There may be some again.
    pub(crate) fn allow(&self) {
        self.forbidden.store(false, Ordering::SeqCst);
    }

    /// No more of them; answers when none is under way.
    pub(crate) async fn settle(&self) {
        self.forbidden.store(true, Ordering::SeqCst);
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Begin {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn settling_waits_for_those_under_way_and_lets_no_other_in() {
        let begins = Arc::new(Begins::default());
        let first = begins.enter().expect("allowed");
        let waiting = tokio::spawn({
            let begins = Arc::clone(&begins);
            async move { begins.settle().await }
        });
        while begins.enter().is_some() {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.expect("it settles");
        begins.allow();
        assert!(begins.enter().is_some());
    }
}
