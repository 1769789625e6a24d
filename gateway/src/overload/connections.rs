//! The connections of callers, counted, and how long they may be idle.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::metrics::OpenConnection;

/// So many are always taken, however short of memory the process is: the memory may be that of
/// requests long over, and with nobody let in nothing would ever change.
const ALWAYS: u32 = 64;
/// The shortest time that a connection may be idle, as a part of the longest.
const LEAST_PARTS: u32 = 20;

/// The connections of callers.
#[derive(Debug)]
pub(crate) struct Connections {
    open: AtomicU32,
    refusals: AtomicU32,
    limit: u32,
    /// The next answer on each is the last one.
    leaving: AtomicBool,
    /// The same, for those who wait for it.
    left: watch::Sender<bool>,
    /// Rung whenever one is closed.
    closed: Notify,
}

/// One open connection, counted until this is dropped.
pub(crate) struct Open {
    connections: Arc<Connections>,
    /// Among those of its listener.
    listener: Option<OpenConnection>,
}

/// One connection that is being refused, counted until this is dropped.
pub(crate) struct Refusing(Arc<Connections>);

impl Connections {
    /// At most `limit` at once.
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Connections {
            open: AtomicU32::new(0),
            refusals: AtomicU32::new(0),
            limit,
            leaving: AtomicBool::new(false),
            left: watch::Sender::new(false),
            closed: Notify::new(),
        })
    }

    /// Counts one more; none if there are too many, by the limit or, `short` of memory, at all.
    pub(crate) fn enter(self: &Arc<Self>, short: bool) -> Option<Open> {
        let open = Open {
            connections: Arc::clone(self),
            listener: None,
        };
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        (before < self.limit && !(short && before >= ALWAYS)).then_some(open)
    }

    /// A place among those that are told why they are refused; further ones are just closed.
    pub(crate) fn enter_refusal(self: &Arc<Self>) -> Option<Refusing> {
        const REFUSALS: u32 = 128;
        let refusing = Refusing(Arc::clone(self));
        let before = self.refusals.fetch_add(1, Ordering::AcqRel);
        (before < REFUSALS).then_some(refusing)
    }

    /// How many there are.
    pub(crate) fn open(&self) -> u32 {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until there is none.
    pub(crate) async fn closed(&self) {
        loop {
            let mut closed = pin!(self.closed.notified());
            closed.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// From now on the next answer on each of them is the last one.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.left.send_replace(true);
    }

    /// Turns true when [`Connections::leave`] is called.
    pub(crate) fn left(&self) -> watch::Receiver<bool> {
        self.left.subscribe()
    }

    /// Whether the next answer is the last one.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// How long one may be idle that could be for `longest` otherwise: all of it up to four fifths
    /// of the limit, from there on less in proportion, and a twentieth of it at the limit. So those
    /// idle for the longest time make room for new ones.
    pub(crate) fn idle(&self, longest: Duration) -> Duration {
        let high = self.limit - self.limit.div_ceil(5);
        let open = self.open.load(Ordering::Relaxed);
        if open <= high {
            return longest;
        }
        let left = self.limit.saturating_sub(open);
        let shrunk = longest.saturating_mul(left) / (self.limit - high).max(1);
        shrunk.max(longest / LEAST_PARTS)
    }
}

impl Open {
    /// Counted with its listener too.
    pub(crate) fn counted(self, listener: OpenConnection) -> Self {
        let mut this = self;
        this.listener = Some(listener);
        this
    }

    /// Turns true when the next answer is the last one.
    pub(crate) fn left(&self) -> watch::Receiver<bool> {
        self.connections.left()
    }

    /// How long the connection may be idle that could be for `longest` otherwise.
    pub(crate) fn idle(&self, longest: Duration) -> Duration {
        self.connections.idle(longest)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.listener = None;
        self.connections.open.fetch_sub(1, Ordering::AcqRel);
        self.connections.closed.notify_waiters();
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.refusals.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_ones_are_closed_the_sooner_the_more_there_are() {
        let connections = Connections::new(100);
        let longest = Duration::from_secs(10);
        let mut open = Vec::new();
        let mut idle = Vec::new();
        for _ in 0..100 {
            open.push(connections.enter(false).unwrap());
            idle.push(connections.idle(longest).as_millis());
        }
        assert!(connections.enter(false).is_none());
        assert_eq!(connections.open(), 100);
        assert_eq!((idle[0], idle[79], idle[80]), (10_000, 10_000, 9_500));
        assert_eq!((idle[89], idle[98], idle[99]), (5_000, 500, 500));
        drop(open);
        assert_eq!(connections.idle(longest), longest);
    }

    #[test]
    fn one_place_is_full_with_one() {
        let connections = Connections::new(1);
        let longest = Duration::from_secs(10);
        assert_eq!(connections.idle(longest), longest);
        let _open = connections.enter(false).unwrap();
        assert_eq!(connections.idle(longest), longest / 20);
        assert!(connections.enter(false).is_none());
    }

    #[test]
    fn short_of_memory_a_few_are_taken_all_the_same() {
        let connections = Connections::new(1000);
        let open: Vec<_> = std::iter::from_fn(|| connections.enter(true)).collect();
        assert_eq!(open.len(), 64);
        assert!(connections.enter(false).is_some());
    }
}
