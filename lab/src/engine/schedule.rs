//! Minimum numbers of instances by the time of day, from the wall clock to virtual time.

use std::time::Duration;

use stoker_core::{Event, FloorStep, Timestamp};

use super::Engine;
use super::queue::Happening;

/// Changes that a pool is told ahead, as by the gateway.
const CHANGES: usize = 4;
/// When to look again if no change is told: windows may begin again and again while they are open,
/// and a schedule looks no further than some times of that kind, which come once a minute at most.
const QUIET: Duration = Duration::from_secs(600);

impl Engine {
    /// Tells the pool what its schedule asks for now and next, and plans to do so again at the last
    /// change of those.
    pub(super) fn tell_schedule(&mut self, function: u32) {
        let schedule = &self.functions[function as usize].setup.schedule;
        if schedule.is_empty() {
            return;
        }
        let begin = self.world.begin;
        let wall = begin + self.now.since(Timestamp::ZERO);
        let steps: Vec<FloorStep> = schedule
            .changes(wall, CHANGES)
            .into_iter()
            .map(|change| {
                let since = change.at.duration_since(begin);
                FloorStep {
                    at: Timestamp::ZERO + since.unwrap_or(Duration::ZERO),
                    min_scale: change.min_scale,
                }
            })
            .collect();
        let last = steps.last().map(|step| step.at);
        self.apply(function, Event::Schedule(steps));
        let next = last
            .filter(|last| *last > self.now)
            .unwrap_or(self.now + QUIET);
        if next < Timestamp::MAX {
            self.queue.push(next, function, Happening::Schedule);
        }
    }
}
