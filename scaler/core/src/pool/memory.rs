//! What a pool remembers beyond its instances and waiters, for another pool to go on with.
//!
//! The averages of the load, what the policy remembers and has learned, and the schedule. Whoever
//! reads it may be of another release or have other settings: what does not fit is left out, and
//! then the policy looks at the instances as after a restart.

use crate::pool::Pool;
use crate::window::Window;
use crate::words::{Reader, Words};
use crate::{FloorStep, Learning, Policy, PolicyState};

use super::schedule::Schedule;

/// The form of the numbers; another one is not read.
const FORMAT: u64 = 1;

impl Pool {
    /// All of it, as numbers.
    pub(super) fn memory(&self) -> Vec<u64> {
        let mut words = Words::default();
        words.number(FORMAT);
        words.count(self.level);
        self.window.save(&mut words);
        self.schedule.save(&mut words);
        words.number(place(self.spec.policy));
        self.state.save(&mut words);
        words.flag(self.state.learned.is_some());
        if let Some(learned) = &self.state.learned {
            learned.save(&mut words);
        }
        words.into_inner()
    }

    /// Goes on with what another pool remembered; true if that is also what this policy remembered.
    pub(super) fn recall(&mut self, memory: &[u64]) -> bool {
        let mut words = Reader(memory);
        self.recall_all(&mut words).unwrap_or(false)
    }

    fn recall_all(&mut self, words: &mut Reader<'_>) -> Option<bool> {
        if words.number()? != FORMAT {
            return None;
        }
        let level = words.count()?;
        let mut window = Window::load(words, self.now)?;
        let schedule = Schedule::load(words)?;
        window.advance(level, self.now);
        window.resize(self.spec.stable_window);
        self.window = window;
        if self.schedule.is_empty() {
            self.schedule = schedule;
            self.schedule.advance(self.now);
        }
        if words.number()? != place(self.spec.policy) {
            return None;
        }
        let mut state = PolicyState::load(words)?;
        let learned = match words.flag()? {
            true => Some(Learning::load(&self.spec, words)?),
            false => None,
        };
        state.learned = learned.or_else(|| Learning::of(&self.spec));
        self.state = state;
        Some(true)
    }
}

impl Schedule {
    fn save(&self, words: &mut Words) {
        let steps = self.rest();
        words.number(steps.len() as u64);
        for step in steps {
            words.time(step.at);
            words.count(step.min_scale);
        }
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        let steps = (0..words.length(Schedule::MOST_STEPS)?).map(|_| {
            Some(FloorStep {
                at: words.time()?,
                min_scale: words.count()?,
            })
        });
        Some(Schedule::new(steps.collect::<Option<_>>()?))
    }
}

/// The policy's number in the memory.
fn place(policy: Policy) -> u64 {
    let mut all = Policy::ALL.iter();
    all.position(|other| *other == policy)
        .map_or(u64::MAX, |place| place as u64)
}
