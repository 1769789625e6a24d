//! Which starts may begin: so many at the same time and per second, and as memory allows. One gate
//! for all functions, in front of whatever starts their instances.
//!
//! Starts that may begin pass at once. The others wait in a line per function, and the lines take
//! turns, so that a function that needs a thousand instances holds up no other that needs one.
//! There are never more waiting than instances that the pools let start.

mod bucket;
mod held;
mod limits;
mod places;
mod queue;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{InstanceId, Timestamp};

use bucket::Bucket;
use places::Places;
use queue::Queue;

pub use held::{HeldBy, HeldStarts};
pub use limits::StartLimits;

/// Between two looks at the memory while starts wait for it, for the kernel tells nobody when
/// there is more of it.
const MEMORY_LOOK: Duration = Duration::from_millis(50);

/// Says which starts may begin.
///
/// Memory is not its own: whoever asks says by a closure whether so many bytes may be had for a
/// start, which takes them if so. It is asked when nothing else is in the way.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: StartLimits,
    bucket: Bucket,
    queue: Queue<NewStart>,
    places: Places,
}

/// A start that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewStart {
    /// The number of the function whose line it waits in.
    pub function: u32,
    /// The instance.
    pub instance: InstanceId,
    /// Memory that it is expected to take, in bytes.
    pub need_bytes: u64,
}

/// What came of a look at those who wait, and what is left to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Those that begin now, in order.
    pub admitted: Vec<InstanceId>,
    /// When to look again though nothing happened.
    pub at: Option<Timestamp>,
    /// The first function that waits for memory which others may be asked to leave.
    pub short: Option<u32>,
}

impl Gate {
    /// Nothing is under way.
    pub fn new(limits: StartLimits, now: Timestamp) -> Self {
        Gate {
            bucket: Bucket::new(&limits, now),
            limits,
            queue: Queue::default(),
            places: Places::default(),
        }
    }

    /// Changes the limits; what is under way stays.
    pub fn configure(&mut self, limits: StartLimits, now: Timestamp) {
        if self.limits != limits {
            self.bucket.set(&limits, now);
            self.limits = limits;
        }
    }

    /// Lets a start begin, or gives it a place in its line and says what it waits for.
    pub fn enter(
        &mut self,
        start: NewStart,
        now: Timestamp,
        reserve: impl FnMut(u64) -> bool,
    ) -> Option<HeldBy> {
        let by = match self.queue.held_before(start.function) {
            Some(by) => by,
            None => self.begin(start, now, reserve)?,
        };
        self.queue.push(start.function, start, by);
        Some(by)
    }

    /// Takes everybody out of the lines who may begin; blocked lines keep their places.
    pub fn look(&mut self, now: Timestamp, mut reserve: impl FnMut(u64) -> bool) -> Look {
        let mut look = Look::default();
        let mut place = 0;
        self.queue.set_common(None);
        while let Some((function, &start)) = self.queue.at(place) {
            match self.begin(start, now, &mut reserve) {
                None => {
                    self.queue.take(place);
                    look.admitted.push(start.instance);
                    continue;
                }
                Some(HeldBy::Rate) => {
                    self.queue.set_common(Some(HeldBy::Rate));
                    look.by(self.bucket.next(now));
                    break;
                }
                Some(HeldBy::AtOnce) => {
                    self.queue.note(function, HeldBy::AtOnce);
                    look.by(self.next_yield(now));
                    if self.is_full() {
                        self.queue.set_common(Some(HeldBy::AtOnce));
                        break;
                    }
                }
                Some(HeldBy::Memory) => {
                    self.queue.note(function, HeldBy::Memory);
                    look.by(now + MEMORY_LOOK);
                    look.short = look.short.or(Some(function));
                }
            }
            place += 1;
        }
        look
    }

    /// A start that began is over, whatever came of it. Its place is free, so that a look is due.
    pub fn end(&mut self, instance: InstanceId) {
        self.places.end(instance);
    }

    /// A start need not begin any more; false if it does not wait.
    pub fn withdraw(&mut self, function: u32, instance: InstanceId) -> bool {
        let is_it = |start: &NewStart| start.instance == instance;
        self.queue.remove(function, is_it).is_some()
    }

    /// The start of this function that would begin last.
    pub fn youngest(&self, function: u32) -> Option<InstanceId> {
        self.queue.last(function).map(|start| start.instance)
    }

    /// The start of this function that is next, if one waits.
    pub fn next(&self, function: u32) -> Option<NewStart> {
        self.queue.first(function).copied()
    }

    /// The starts of this function that wait.
    pub fn held(&self, function: u32) -> Option<HeldStarts> {
        let (count, by) = self.queue.line(function)?;
        Some(HeldStarts { count, by })
    }

    /// Begins a start unless something is in the way.
    fn begin(
        &mut self,
        start: NewStart,
        now: Timestamp,
        mut reserve: impl FnMut(u64) -> bool,
    ) -> Option<HeldBy> {
        self.places.yield_overdue(self.limits.yield_after, now);
        if !self.places.has_room(start.function, self.limits.at_once) {
            return Some(HeldBy::AtOnce);
        }
        if !self.bucket.has_one(now) {
            return Some(HeldBy::Rate);
        }
        if !reserve(start.need_bytes) {
            return Some(HeldBy::Memory);
        }
        self.bucket.take();
        self.places.begin(start.function, start.instance, now);
        None
    }

    /// When the next one is to yield its place.
    fn next_yield(&self, now: Timestamp) -> Timestamp {
        self.places.oldest().unwrap_or(now) + self.limits.yield_after
    }

    fn is_full(&self) -> bool {
        self.places.total() >= self.limits.at_once
    }
}

impl Look {
    /// No later than then.
    fn by(&mut self, at: Timestamp) {
        self.at = Some(self.at.map_or(at, |earlier| earlier.min(at)));
    }
}
