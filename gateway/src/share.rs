//! What the functions share of the gateway, so that none takes everything.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A function may hold this many times what is free of the common part: so one alone gets four
/// fifths of it, and what is left is there for the next one.
const FACTOR: usize = 4;
/// One part in this many is divided into what each function is sure of.
const SURE_PARTS: usize = 5;

/// One kind of thing that there is a limited number of: places for waiting requests, bytes,
/// connections.
///
/// A fifth of it is divided evenly: so many each function gets whatever the others do. The rest is
/// common, under a dynamic threshold: a function may hold at most [`FACTOR`] times what is free of
/// it (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
/// 1998). One function alone may use most of it; where several want much, each gets less, and
/// something stays free for those who come next.
#[derive(Debug)]
pub(crate) struct Common {
    limit: AtomicUsize,
    /// Each function is sure of so many.
    sure: AtomicUsize,
    /// What may be held beyond that, by all.
    common: AtomicUsize,
    used: AtomicUsize,
    /// Of both parts.
    held: AtomicUsize,
}

/// One function's part.
#[derive(Debug)]
pub(crate) struct Share {
    common: Arc<Common>,
    /// Of what it is sure of.
    sure: AtomicUsize,
    /// Of what is common.
    used: AtomicUsize,
}

/// So many are held until this is dropped.
pub(crate) struct Held {
    share: Arc<Share>,
    sure: usize,
    used: usize,
}

/// Why nothing more may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// This function holds its share.
    Share,
    /// Nothing is left for anybody.
    All,
}

impl Common {
    /// `limit` for `functions`.
    pub(crate) fn new(limit: usize, functions: usize) -> Arc<Self> {
        let common = Common {
            limit: AtomicUsize::new(0),
            sure: AtomicUsize::new(0),
            common: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
        };
        common.set(limit, functions);
        Arc::new(common)
    }

    /// Changes the limit and the number of functions; what is held stays.
    pub(crate) fn set(&self, limit: usize, functions: usize) {
        let functions = functions.max(1);
        let sure = limit / SURE_PARTS / functions;
        self.limit.store(limit, Ordering::Relaxed);
        self.sure.store(sure, Ordering::Relaxed);
        self.common
            .store(limit - sure * functions, Ordering::Relaxed);
    }

    /// All that there is.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// How many are held, and how many there may be.
    pub(crate) fn level(&self) -> (usize, usize) {
        (self.held.load(Ordering::Relaxed), self.limit())
    }

    /// True while so little of it is held that it is no cause of any shortage.
    pub(crate) fn is_nearly_unused(&self) -> bool {
        self.held.load(Ordering::Relaxed) <= 16
    }

    /// A function that holds nothing yet.
    pub(crate) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share {
            common: Arc::clone(self),
            sure: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
        })
    }
}

impl Share {
    /// One more.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Held, Full> {
        let mut held = self.hold();
        self.common.held.fetch_add(1, Ordering::Relaxed);
        held.sure = self.take_sure(1);
        if held.sure > 0 {
            return Ok(held);
        }
        // Counted first and looked at then: two at once may both be refused, never both let in.
        let own = self.used.fetch_add(1, Ordering::Relaxed);
        let all = self.common.used.fetch_add(1, Ordering::Relaxed);
        held.used = 1;
        match self.allows(own, all) {
            None => Ok(held),
            Some(full) => Err(full),
        }
    }

    /// Nothing yet, to grow.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        Held {
            share: Arc::clone(self),
            sure: 0,
            used: 0,
        }
    }

    /// True if one more may be held now.
    pub(crate) fn has_room(&self) -> bool {
        let sure = self.common.sure.load(Ordering::Relaxed);
        if self.sure.load(Ordering::Relaxed) < sure {
            return true;
        }
        let own = self.used.load(Ordering::Relaxed);
        let all = self.common.used.load(Ordering::Relaxed);
        self.allows(own, all).is_none()
    }

    /// What all functions have together.
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// What is in the way of one more.
    fn allows(&self, own: usize, all: usize) -> Option<Full> {
        let common = self.common.common.load(Ordering::Relaxed);
        let free = common.saturating_sub(all);
        match (free, own < free.saturating_mul(FACTOR)) {
            (0, _) => Some(Full::All),
            (_, false) => Some(Full::Share),
            (_, true) => None,
        }
    }

    /// As many of `count` as it is still sure of.
    fn take_sure(&self, count: usize) -> usize {
        let sure = self.common.sure.load(Ordering::Relaxed);
        let taken = |used: usize| count.min(sure.saturating_sub(used));
        let add = |used| Some(used + taken(used));
        let order = Ordering::Relaxed;
        let before = self.sure.fetch_update(order, order, add);
        before.map_or(0, taken)
    }
}

impl Held {
    /// `count` more, whether there is room or not: for what has been received already.
    pub(crate) fn grow(&mut self, count: usize) {
        self.share.common.held.fetch_add(count, Ordering::Relaxed);
        let sure = self.share.take_sure(count);
        self.sure += sure;
        let count = count - sure;
        self.share.used.fetch_add(count, Ordering::Relaxed);
        self.share.common.used.fetch_add(count, Ordering::Relaxed);
        self.used += count;
    }

    /// How many it is.
    pub(crate) fn count(&self) -> usize {
        self.sure + self.used
    }
}

impl Held {
    /// True while at most half of all there is are held, so that there is no need to save.
    pub(crate) fn leaves_half(&self) -> bool {
        let (held, limit) = self.share.common.level();
        held <= limit / 2
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = &self.share.common.held;
        held.fetch_sub(self.count(), Ordering::Relaxed);
        if self.sure > 0 {
            self.share.sure.fetch_sub(self.sure, Ordering::Relaxed);
        }
        if self.used > 0 {
            self.share.used.fetch_sub(self.used, Ordering::Relaxed);
            let common = &self.share.common.used;
            common.fetch_sub(self.used, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("count", &self.count())
            .finish()
    }
}

#[cfg(test)]
mod tests;
