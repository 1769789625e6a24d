//! The gate of starts in virtual time, driven as the scaler does it.

use std::collections::BTreeSet;
use std::time::Duration;

use stoker_core::{Event, Gate, InstanceId, NewStart, StartLimits, Timestamp};

use super::Engine;
use super::queue::Happening;

/// The gate and who waits there.
#[derive(Debug)]
pub(super) struct Starts {
    gate: Gate,
    /// Asked for and not begun.
    waiting: BTreeSet<InstanceId>,
    /// Something happened that may let one begin.
    due: bool,
    /// When a look is planned, and the number of the one that counts.
    look_at: Timestamp,
    look: u64,
}

impl Starts {
    pub(super) fn new(limits: StartLimits) -> Self {
        Starts {
            gate: Gate::new(limits, Timestamp::ZERO),
            waiting: BTreeSet::new(),
            due: false,
            look_at: Timestamp::MAX,
            look: 0,
        }
    }

    /// There is something to settle.
    pub(super) fn is_waited_for(&self) -> bool {
        self.due || !self.waiting.is_empty()
    }

    /// A start is over, or its instance is gone before that.
    pub(super) fn end(&mut self, instance: InstanceId) {
        self.gate.end(instance);
        self.due = !self.waiting.is_empty();
    }

    /// A look is due, if it is this one that counts.
    pub(super) fn look(&mut self, number: u64) {
        if self.look == number {
            self.look_at = Timestamp::MAX;
            self.due = true;
        }
    }

    /// True if the instance waits; it does so no more.
    fn forget(&mut self, function: u32, instance: InstanceId) -> bool {
        let waited = self.waiting.remove(&instance);
        if waited && !self.gate.withdraw(function, instance) {
            // It was let in just now.
            self.end(instance);
        }
        waited
    }
}

impl Engine {
    /// A pool wants an instance.
    pub(super) fn ask_start(&mut self, index: u32, instance: InstanceId) {
        if let Some(starts) = &mut self.starts {
            let start = NewStart {
                function: index,
                instance,
                need_bytes: 0,
            };
            if starts.gate.enter(start, self.now, |_| true).is_some() {
                starts.waiting.insert(instance);
                starts.due = true;
                return;
            }
        }
        self.begin_start(index, instance);
    }

    /// A pool wants an instance no more; true if it has not begun to start, and ends so.
    pub(super) fn gives_up_start(&mut self, index: u32, instance: InstanceId) -> bool {
        let given_up = match &mut self.starts {
            Some(starts) => starts.forget(index, instance),
            None => false,
        };
        if given_up {
            self.plan(Duration::ZERO, index, Happening::NotStarted { instance });
        }
        given_up
    }

    /// What follows an event of this function: its starts that nobody needs any more are given up,
    /// the youngest first, and of all those that may begin by now are let in.
    pub(super) fn settle_starts(&mut self, index: u32) {
        while let Some(starts) = &self.starts
            && !starts.waiting.is_empty()
            && let Some(instance) = starts.gate.youngest(index)
            && self.forgo(index, instance)
        {}
        while let Some(starts) = &mut self.starts
            && std::mem::take(&mut starts.due)
        {
            let look = starts.gate.look(self.now, |_| true);
            if let Some(at) = look.at
                && at < starts.look_at
            {
                starts.look_at = at;
                starts.look += 1;
                let number = starts.look;
                self.queue.push(at, 0, Happening::Look { number });
            }
            for instance in look.admitted {
                let function = instance.pool();
                if !self.forgo(function, instance) {
                    if let Some(starts) = &mut self.starts {
                        starts.waiting.remove(&instance);
                    }
                    self.begin_start(function, instance);
                }
            }
        }
    }

    /// Gives up a start that has not begun, unless it is needed; true if it was given up.
    fn forgo(&mut self, index: u32, instance: InstanceId) -> bool {
        let Some(pool) = &mut self.functions[index as usize].pool else {
            return false;
        };
        let effects = pool.apply(Event::Forgo { instance }, self.now);
        effects.carry_out(|effect| self.carry_out(index, effect));
        let starts = self.starts.as_ref();
        starts.is_some_and(|starts| !starts.waiting.contains(&instance))
    }
}
