//! When a pool is to be woken.

use stoker_core::Timestamp;

use super::queue::{Happening, Queue};

/// The last wish of a pool to be woken, for which at most one tick that counts is planned: wishes
/// are many, and mostly later than the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    /// When, and its turn among what happens then.
    wish: Option<(Timestamp, u64)>,
    /// The tick that is planned, no later than that.
    planned: Option<(Timestamp, u64)>,
}

impl Ticks {
    /// The pool wants to be woken then and not at the time that it said before; never if that is
    /// [`Timestamp::MAX`].
    pub(super) fn wake_at(&mut self, queue: &mut Queue, time: Timestamp, function: u32) {
        let wish = (time, queue.turn());
        self.wish = (time < Timestamp::MAX).then_some(wish);
        self.plan(queue, function);
    }

    /// Whether the pool is to be woken by this tick.
    pub(super) fn is_due(
        &mut self,
        queue: &mut Queue,
        tick: (Timestamp, u64),
        function: u32,
    ) -> bool {
        if self.planned != Some(tick) {
            return false;
        }
        self.planned = None;
        if self.wish == Some(tick) {
            self.wish = None;
            return true;
        }
        self.plan(queue, function);
        false
    }

    fn plan(&mut self, queue: &mut Queue, function: u32) {
        if let Some(wish) = self.wish
            && self.planned.is_none_or(|planned| wish < planned)
        {
            self.planned = Some(wish);
            let (_, turn) = wish;
            queue.push_in_turn(wish, function, Happening::Tick { turn });
        }
    }
}
