//! The lower bound that changes with the time of day.

use crate::Timestamp;
use crate::pool::Pool;

use super::events::Follow;

/// From a time on there are to be at least so many instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorStep {
    /// The time, as the pool counts it.
    pub at: Timestamp,
    /// Held until the next step.
    pub min_scale: u32,
}

/// The steps that are known, and the one in force.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Times ascend; the first may be in force.
    steps: Vec<FloorStep>,
    /// Steps whose time has come.
    passed: usize,
}

impl Schedule {
    /// So many steps are kept at most; later ones are for a later [`Event::Schedule`].
    ///
    /// [`Event::Schedule`]: crate::Event::Schedule
    pub(super) const MOST_STEPS: usize = 64;

    /// Of steps in any order.
    pub(super) fn new(mut steps: Vec<FloorStep>) -> Self {
        steps.sort_by_key(|step| step.at);
        steps.truncate(Self::MOST_STEPS);
        Schedule { steps, passed: 0 }
    }

    /// Goes on to `now`; true if another bound is in force then.
    pub(super) fn advance(&mut self, now: Timestamp) -> bool {
        let before = self.floor();
        let due = |step: &&FloorStep| step.at <= now;
        self.passed += self.steps[self.passed..].iter().take_while(due).count();
        self.floor() != before
    }

    /// The bound in force; zero before the first step.
    pub(super) fn floor(&self) -> u32 {
        let last = self.passed.checked_sub(1);
        last.map_or(0, |last| self.steps[last].min_scale)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step in force and those to come.
    pub(super) fn rest(&self) -> &[FloorStep] {
        &self.steps[self.passed.saturating_sub(1)..]
    }

    /// When the next step comes, if one is known.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.steps.get(self.passed).map(|step| step.at)
    }
}

impl Pool {
    /// Never fewer instances than this now, by the settings and the schedule.
    pub(super) fn floor(&self) -> u32 {
        let scheduled = self.schedule.floor().min(self.spec.max_scale);
        self.spec.min_scale.max(scheduled)
    }

    pub(super) fn on_schedule(&mut self, steps: Vec<FloorStep>) -> Follow {
        let before = self.schedule.floor();
        self.schedule = Schedule::new(steps);
        self.schedule.advance(self.now);
        // Another time may be the next one.
        self.due = self.now;
        match self.schedule.floor() == before {
            true => Follow::Settle,
            false => Follow::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn step(seconds: u64, min_scale: u32) -> FloorStep {
        let at = Timestamp::ZERO + Duration::from_secs(seconds);
        FloorStep { at, min_scale }
    }

    #[test]
    fn the_last_step_that_has_come_is_in_force() {
        let mut schedule = Schedule::new(vec![step(30, 0), step(10, 3), step(20, 3)]);
        let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
        assert!(!schedule.advance(at(9)));
        assert_eq!((schedule.floor(), schedule.next()), (0, Some(at(10))));
        assert!(schedule.advance(at(10)));
        assert_eq!((schedule.floor(), schedule.next()), (3, Some(at(20))));
        assert!(!schedule.advance(at(25)));
        assert!(schedule.advance(at(99)));
        assert_eq!((schedule.floor(), schedule.next()), (0, None));
        // No step says that nothing is wanted.
        assert_eq!(Schedule::default().floor(), 0);
    }

    #[test]
    fn there_are_no_more_steps_than_the_bound() {
        let steps = (0..1_000).map(|number| step(number, 1)).collect();
        assert_eq!(Schedule::new(steps).steps.len(), Schedule::MOST_STEPS);
    }
}
