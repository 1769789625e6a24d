//! `cold`: how long a request takes that finds no instance.
//!
//! It goes in rounds: all targets are made cold, each is called, and then each is called again warm.
//! Only the cold calls of a round are within its time, so that the rate of a series is that of cold
//! starts alone.

use std::time::{Duration, Instant};

use super::Force;
use crate::load::{Plan, Wanted};
use crate::run::{Bench, Failure};
use crate::schedule::{Arrivals, Schedule};

/// Where the samples of a kind are noted.
const COLD: usize = 0;
const WARM: usize = 1;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Cold {
    /// The name of the series.
    pub(crate) name: String,
    /// How the next request is made cold.
    pub(crate) force: Force,
    /// Cold samples in a repetition, at least.
    pub(crate) count: u64,
    /// Repetitions.
    pub(crate) repetitions: u32,
    /// Rounds before the first one that counts.
    pub(crate) warm_up: u32,
    /// Requests in flight at once, and the least in a round.
    pub(crate) concurrent: usize,
    /// Requests per second within a round; none for a closed loop.
    pub(crate) rate: Option<f64>,
    /// Whether an answer that does not say its kind counts as cold.
    pub(crate) trusting: bool,
    /// Whether each cold call is followed by a warm one.
    pub(crate) warm: bool,
}

/// What the rounds of a repetition took.
#[derive(Default)]
struct Spans {
    cold: Duration,
    warm: Duration,
    all: Duration,
}

impl Cold {
    /// Measures.
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<(), Failure> {
        bench.progress.part("warm-up".into());
        for _ in 0..self.warm_up {
            self.round(bench, Wanted::Nothing, &mut Spans::default())?;
        }
        for number in 1..=self.repetitions {
            if bench.stop.is_set() {
                break;
            }
            let label = format!("{} {number}/{}", self.name, self.repetitions);
            bench.progress.part(label);
            self.repetition(bench)?;
        }
        self.note_starts(bench);
        Ok(())
    }

    fn repetition(&self, bench: &mut Bench) -> Result<(), Failure> {
        let wanted = Wanted::Cold {
            trusting: self.trusting,
        };
        let starts = starts(bench);
        let per_round = self.per_round(bench) as u64;
        let mut rounds_left = 2 * self.count.div_ceil(per_round) + 10;
        let mut spans = Spans::default();
        while !bench.stop.is_set() && bench.crew.look(COLD).answered < self.count {
            self.round(bench, wanted, &mut spans)?;
            let look = bench.crew.look(COLD);
            let done = look.answered as f64 / self.count as f64;
            let counted = (look.answered, look.failed);
            let (answered, failed) = counted;
            bench.progress.show(
                Some(done),
                format_args!("{answered} answered, {failed} failed"),
            );
            rounds_left -= 1;
            if rounds_left == 0 {
                bench.note(format!(
                    "a repetition of {} ended with {} samples in place of {}: {} were of the wrong \
                     kind and {} failed",
                    self.name, look.answered, self.count, look.discarded, look.failed
                ));
                break;
            }
        }
        let (mut cold, _, _) = bench.harvest(COLD, spans.cold, self.rate);
        if let (Some(before), Some(after)) = (starts, self::starts(bench)) {
            cold.figures
                .insert("starts".into(), after.saturating_sub(before) as f64);
        }
        cold.figures
            .insert("with_forcing_s".into(), spans.all.as_secs_f64());
        bench.add(&self.name, cold);
        if self.warm {
            let (warm, _, _) = bench.harvest(WARM, spans.warm, None);
            bench.add("warm", warm);
        }
        Ok(())
    }

    fn round(&self, bench: &mut Bench, wanted: Wanted, spans: &mut Spans) -> Result<(), Failure> {
        let begun = Instant::now();
        self.force.apply(bench)?;
        if bench.stop.is_set() {
            return Ok(());
        }
        let count = self.per_round(bench);
        let schedule = match self.rate {
            // Half a distance more, or else rounding decides whether the last one is in.
            Some(rate) => Schedule::Open {
                rate,
                duration: Duration::from_secs_f64((count as f64 - 0.5) / rate),
                arrivals: Arrivals::Constant,
            },
            None => Schedule::Closed {
                count: Some(count as u64),
                duration: None,
            },
        };
        spans.cold += bench.run(Plan {
            schedule,
            in_flight: self.concurrent,
            wanted,
            slot: COLD,
        })?;
        spans.all += begun.elapsed();
        if self.warm && !bench.stop.is_set() {
            let wanted = match wanted {
                Wanted::Nothing => Wanted::Nothing,
                _ => Wanted::Warm,
            };
            spans.warm += bench.run(Plan {
                schedule: Schedule::Closed {
                    count: Some(bench.targets as u64),
                    duration: None,
                },
                in_flight: self.concurrent,
                wanted,
                slot: WARM,
            })?;
        }
        Ok(())
    }

    /// Requests of a round: one for each target, or more if so many are to be in flight.
    fn per_round(&self, bench: &Bench) -> usize {
        bench.targets.max(self.concurrent)
    }

    /// A start may serve several cold requests.
    fn note_starts(&self, bench: &mut Bench) {
        let Some(series) = bench.series.iter().find(|series| series.name == self.name) else {
            return;
        };
        let repetitions = &series.repetitions;
        let starts = repetitions
            .iter()
            .filter_map(|one| one.figures.get("starts"));
        let starts: f64 = starts.sum();
        let answered: u64 = repetitions.iter().map(|one| one.answered).sum();
        let seconds: f64 = repetitions.iter().map(|one| one.elapsed_s).sum();
        if seconds == 0.0 {
            return;
        }
        if starts > 0.0 {
            bench.note(format!(
                "{answered} cold answers, {starts} instances started: {:.0} starts per second within \
                 the rounds, evictions not included",
                starts / seconds
            ));
        }
    }
}

/// None if the target does not tell.
fn starts(bench: &Bench) -> Option<u64> {
    bench.admin.as_ref()?.starts(&bench.functions).ok()
}
