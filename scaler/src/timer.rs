//! One timer for all functions: when to apply the next `Tick` to which pool.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stoker_core::Timestamp;
use tokio::sync::Notify;

use crate::Clock;

/// The pending wake-ups.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    heap: Mutex<BinaryHeap<Reverse<(Timestamp, u32)>>>,
    sooner: Notify,
}

impl Timer {
    /// Wakes pool `pool` at `at`. Earlier entries of the pool stay and come up as stale ones.
    pub(crate) fn arm(&self, pool: u32, at: Timestamp) {
        let mut heap = self.lock();
        let first = heap
            .peek()
            .is_none_or(|Reverse((earliest, _))| at < *earliest);
        heap.push(Reverse((at, pool)));
        drop(heap);
        if first {
            self.sooner.notify_one();
        }
    }

    /// Waits for the next entry that is due.
    pub(crate) async fn next(&self, clock: &Clock) -> (u32, Timestamp) {
        loop {
            let earliest = {
                let mut heap = self.lock();
                match heap.peek() {
                    Some(Reverse((at, _))) if *at <= clock.now() => {
                        let Reverse((at, pool)) = heap.pop().expect("it was just looked at");
                        return (pool, at);
                    }
                    Some(Reverse((at, _))) => Some(*at),
                    None => None,
                }
            };
            match earliest {
                None => self.sooner.notified().await,
                Some(at) => {
                    let due = tokio::time::sleep_until(clock.instant(at).into());
                    tokio::select! {
                        () = due => {}
                        () = self.sooner.notified() => {}
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<(Timestamp, u32)>>> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
