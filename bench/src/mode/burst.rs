//! `burst`: many requests at once to a target at zero.
//!
//! The series `burst` has one sample per burst: to the first byte of any answer, and to the end of the
//! last answer. The single requests are in `burst-cold`, if they waited for a start, and else in
//! `burst-rest`.

use std::time::Duration;

use super::Force;
use crate::load::{Apart, Plan, Wanted};
use crate::report::Repetition;
use crate::run::{Bench, Failure};
use crate::schedule::Schedule;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Burst {
    /// Requests at once.
    pub(crate) count: u64,
    /// How the target is brought to zero.
    pub(crate) force: Force,
    /// Bursts.
    pub(crate) repetitions: u32,
    /// Bursts before the first one that counts.
    pub(crate) warm_up: u32,
    /// What the target would need if starts took no time; none if that is not known.
    pub(crate) ideal: Option<Duration>,
}

/// The least time for so many requests of `work` each, if `slots` are served at once.
pub(crate) fn ideal(count: u64, work: Duration, slots: u64) -> Duration {
    let rounds = count.div_ceil(slots.max(1));
    work.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
}

impl Burst {
    /// Measures.
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<(), Failure> {
        bench.progress.part("warm-up".into());
        for _ in 0..self.warm_up {
            self.burst(bench, Wanted::Nothing)?;
        }
        for number in 1..=self.repetitions {
            if bench.stop.is_set() {
                break;
            }
            bench
                .progress
                .part(format!("burst {number}/{}", self.repetitions));
            let elapsed = self.burst(bench, Wanted::Both)?;
            let (mut rest, apart, tally) = bench.harvest(0, elapsed, None);
            // All are due at once, so how late the last one is sent is how long sending takes.
            rest.late = 0;
            let mut whole = self.whole(&rest, &apart, elapsed);
            if let Some(longest) = tally.lateness.max() {
                whole
                    .figures
                    .insert("sending_s".into(), longest.as_secs_f64());
            }
            bench.add("burst", whole);
            bench.add_apart("burst", apart);
            // Failures are told once, of the whole burst.
            rest.failed.clear();
            if rest.answered > 0 {
                bench.add("burst-rest", rest);
            }
        }
        if let Some(ideal) = self.ideal {
            bench.note(format!(
                "the ideal schedule of {} requests takes {}",
                self.count,
                stoker_show::text::span(ideal)
            ));
        }
        Ok(())
    }

    fn burst(&self, bench: &mut Bench, wanted: Wanted) -> Result<Duration, Failure> {
        self.force.apply(bench)?;
        // If it was stopped meanwhile, nothing is sent.
        bench.run(Plan {
            schedule: Schedule::AtOnce(self.count),
            in_flight: usize::try_from(self.count).unwrap_or(usize::MAX),
            wanted,
            slot: 0,
        })
    }

    fn whole(&self, rest: &Repetition, apart: &Apart, elapsed: Duration) -> Repetition {
        let mut whole = Repetition {
            answered: rest.answered + apart.values().map(|one| one.answered).sum::<u64>(),
            failed: rest.failed.clone(),
            elapsed_s: elapsed.as_secs_f64(),
            ..Repetition::default()
        };
        let first = apart.values().chain([rest]);
        if let Some(first) = first.filter_map(|one| one.first_byte.min()).min() {
            whole.first_byte.record(first);
            whole.total.record(elapsed);
        }
        if let Some(ideal) = self.ideal {
            let ratio = elapsed.as_secs_f64() / ideal.as_secs_f64();
            whole.figures.insert("ideal_s".into(), ideal.as_secs_f64());
            whole.figures.insert("ratio".into(), ratio);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_is_full_rounds() {
        let work = Duration::from_millis(20);
        assert_eq!(ideal(1000, work, 50), Duration::from_millis(400));
        assert_eq!(ideal(1001, work, 50), Duration::from_millis(420));
        assert_eq!(ideal(1, work, 50), work);
    }
}
