//! What is planned, by its time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use stoker_core::{InstanceId, Timestamp};

/// Something that is going to happen to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A call on this instance ends, which began then.
    Release {
        instance: InstanceId,
        since: Timestamp,
    },
    /// A starting instance serves.
    Ready { instance: InstanceId },
    /// A start that has not begun was given up.
    NotStarted { instance: InstanceId },
    /// The gate of starts is to be looked at; only its last wish counts.
    Look { number: u64 },
    /// A stopped instance is gone.
    Exit { instance: InstanceId },
    /// What the schedule says next is to be told.
    Schedule,
    /// The pool may want to be woken.
    Tick { turn: u64 },
}

/// In the order of times; equal times in the order of planning.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Planned>,
    planned: u64,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    at: Timestamp,
    /// Unique.
    sequence: u64,
    function: u32,
    happening: Happening,
}

impl Queue {
    pub(super) fn push(&mut self, at: Timestamp, function: u32, happening: Happening) {
        let turn = self.turn();
        self.push_in_turn((at, turn), function, happening);
    }

    /// The turn that something planned now has among what happens at the same time.
    pub(super) fn turn(&mut self) -> u64 {
        self.planned += 1;
        self.planned
    }

    /// Plans what was to be planned when it took its turn.
    pub(super) fn push_in_turn(
        &mut self,
        (at, turn): (Timestamp, u64),
        function: u32,
        happening: Happening,
    ) {
        self.heap.push(Planned {
            at,
            sequence: turn,
            function,
            happening,
        });
    }

    /// Takes the next one unless it is later than `time`.
    pub(super) fn pop_until(&mut self, time: Timestamp) -> Option<(Timestamp, u32, Happening)> {
        if self.heap.peek()?.at > time {
            return None;
        }
        let next = self.heap.pop()?;
        Some((next.at, next.function, next.happening))
    }
}

impl Ord for Planned {
    /// The earliest is the greatest, for the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Planned {}
