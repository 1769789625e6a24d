//! The stack of instances with a free slot: three doubly linked shelves.

use crate::Timestamp;
use crate::pool::fleet::{Fleet, Instance, Place};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelf {
    Partial,
    Idle,
    Frozen,
}

#[derive(Debug, Default)]
pub(super) struct Stack {
    pub(super) top: Option<Place>,
    pub(super) bottom: Option<Place>,
    pub(super) len: u32,
}

impl Fleet {
    /// Puts an instance where its state and its slots say.
    pub(super) fn reshelve(&mut self, place: Place, now: Timestamp) {
        let (slots, step) = self.usable(self.at(place), now);
        let instance = self.at_mut(place);
        (instance.slots, instance.step) = (slots, step);
        let shelf = instance.shelf_for();
        if shelf == instance.shelf {
            return;
        }
        instance.idle_since = shelf.is_some_and(Shelf::is_idle).then_some(now);
        self.unlink(place);
        if let Some(shelf) = shelf {
            self.push(place, shelf);
        }
    }

    /// Puts an instance that is on no shelf on top of one.
    pub(super) fn push(&mut self, place: Place, shelf: Shelf) {
        let stack = self.stack(shelf);
        stack.len += 1;
        let below = stack.top.replace(place);
        match below {
            None => stack.bottom = Some(place),
            Some(below) => self.at_mut(below).above = Some(place),
        }
        let instance = self.at_mut(place);
        instance.shelf = Some(shelf);
        instance.above = None;
        instance.below = below;
    }

    /// Takes an instance from its shelf, if it is on one.
    pub(super) fn unlink(&mut self, place: Place) {
        let instance = self.at_mut(place);
        let Some(shelf) = instance.shelf.take() else {
            return;
        };
        let (above, below) = (instance.above.take(), instance.below.take());
        self.stack(shelf).len -= 1;
        match above {
            None => self.stack(shelf).top = below,
            Some(above) => self.at_mut(above).below = below,
        }
        match below {
            None => self.stack(shelf).bottom = above,
            Some(below) => self.at_mut(below).above = above,
        }
    }

    /// The next one to give a slot out.
    pub(super) fn top(&self) -> Option<Place> {
        self.partial.top.or(self.idle.top).or(self.frozen.top)
    }

    fn stack(&mut self, shelf: Shelf) -> &mut Stack {
        match shelf {
            Shelf::Partial => &mut self.partial,
            Shelf::Idle => &mut self.idle,
            Shelf::Frozen => &mut self.frozen,
        }
    }
}

impl Instance {
    pub(super) fn shelf_for(&self) -> Option<Shelf> {
        match self.in_use {
            used if used >= self.slots => None,
            0 if self.frozen.is_some() => Some(Shelf::Frozen),
            0 => Some(Shelf::Idle),
            _ => Some(Shelf::Partial),
        }
    }
}

impl Shelf {
    pub(super) fn is_idle(self) -> bool {
        matches!(self, Shelf::Idle | Shelf::Frozen)
    }
}
