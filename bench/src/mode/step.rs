//! `step`: rising rates, until the target does not keep up.

use std::time::Duration;

use super::warm::Load;
use crate::load::{Apart, Wanted};
use crate::report::Repetition;
use crate::run::{Bench, Failure};

/// A step that answers less than this share of what was offered, or fails more than the other, is
/// beyond what the target sustains.
const LEAST_ANSWERED: f64 = 0.95;
const MOST_FAILED: f64 = 0.01;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What is applied at each rate.
    pub(crate) load: Load,
    /// Requests per second, ascending.
    pub(crate) rates: Vec<f64>,
    /// No step whose p99 to the first byte is longer is sustained.
    pub(crate) limit: Option<Duration>,
    /// Steps to go on beyond what is sustained.
    pub(crate) beyond: u32,
}

impl Step {
    /// Measures.
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<(), Failure> {
        let first = self.rates.first().copied();
        let gentle = Load {
            rate: first,
            ..self.load.clone()
        };
        gentle.warm_up(bench)?;
        let (mut knee, mut beyond) = (None, 0);
        for (index, rate) in self.rates.iter().enumerate() {
            if bench.stop.is_set() {
                break;
            }
            match self.step(bench, index + 1, *rate)? {
                true if beyond == 0 => knee = Some(*rate),
                true => {}
                false => beyond += 1,
            }
            if beyond > self.beyond {
                break;
            }
        }
        bench.note(match (knee, beyond) {
            (None, _) => "no rate was sustained: begin lower".to_owned(),
            (Some(rate), 0) => format!("every rate up to {rate} per second was sustained"),
            (Some(rate), _) => format!("the highest rate that was sustained is {rate} per second"),
        });
        Ok(())
    }

    /// All repetitions at a rate; whether it was sustained in most of them.
    fn step(&self, bench: &mut Bench, number: usize, rate: f64) -> Result<bool, Failure> {
        let load = Load {
            rate: Some(rate),
            ..self.load.clone()
        };
        let name = format!("step-{number}");
        let mut sustained = 0;
        for repetition in 1..=load.repetitions {
            if bench.stop.is_set() {
                break;
            }
            bench
                .progress
                .part(format!("{name} {rate}/s {repetition}/{}", load.repetitions));
            let elapsed = bench.run(load.plan(repetition, load.duration, Wanted::Both))?;
            let (mut main, apart, _) = bench.harvest(0, elapsed, Some(rate));
            let kept_up = self.keeps_up(&main, &apart);
            main.figures.insert("sustained".into(), f64::from(kept_up));
            sustained += u32::from(kept_up);
            bench.add(&name, main);
            bench.add_apart(&name, apart);
        }
        Ok(2 * sustained > load.repetitions)
    }

    fn keeps_up(&self, main: &Repetition, apart: &Apart) -> bool {
        let apart: u64 = apart.values().map(|one| one.answered).sum();
        let answered = (main.answered + apart) as f64;
        let failed = main.failed.values().sum::<u64>() as f64;
        let offered = main.offered_per_s.unwrap_or_default();
        let seconds = main.elapsed_s.max(self.load.duration.as_secs_f64());
        let quick = self.limit.is_none_or(|limit| {
            let p99 = main.first_byte.quantile(0.99);
            p99.is_none_or(|p99| p99 <= limit)
        });
        answered >= LEAST_ANSWERED * offered * seconds
            && failed <= MOST_FAILED * (answered + failed)
            && quick
    }
}

/// So many rates from one to another, at equal distances.
pub(crate) fn rates(from: f64, to: f64, steps: u32) -> Vec<f64> {
    let last = f64::from(steps.max(2) - 1);
    (0..steps.max(2))
        .map(|step| from + (to - from) * f64::from(step) / last)
        .map(|rate| (rate * 100.0).round() / 100.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Arrivals;

    fn step(limit: Option<Duration>) -> Step {
        Step {
            load: Load {
                rate: None,
                arrivals: Arrivals::Constant,
                duration: Duration::from_secs(10),
                repetitions: 1,
                warm_up: Duration::ZERO,
                in_flight: 1,
            },
            rates: Vec::new(),
            limit,
            beyond: 0,
        }
    }

    fn repetition(answered: u64, failed: u64, elapsed_s: f64) -> Repetition {
        let mut repetition = Repetition {
            answered,
            elapsed_s,
            offered_per_s: Some(100.0),
            ..Repetition::default()
        };
        repetition.failed.insert("reset".into(), failed);
        repetition.first_byte.record(Duration::from_millis(5));
        repetition
    }

    #[test]
    fn rates_rise_evenly() {
        assert_eq!(rates(100.0, 500.0, 5), [100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(rates(1.0, 2.0, 1), [1.0, 2.0]);
    }

    #[test]
    fn a_knee_is_where_answers_fall_behind() {
        let none = Apart::new();
        let keeps_up = |one: Repetition| step(None).keeps_up(&one, &none);
        assert!(keeps_up(repetition(1000, 0, 10.0)));
        assert!(keeps_up(repetition(1000, 10, 10.0)));
        assert!(!keeps_up(repetition(1000, 30, 10.0)), "failures");
        assert!(!keeps_up(repetition(1000, 0, 20.0)), "they came too late");
        assert!(!keeps_up(repetition(900, 0, 10.0)), "they did not come");
        let slow = step(Some(Duration::from_millis(1)));
        assert!(!slow.keeps_up(&repetition(1000, 0, 10.0), &none));
        let cold = Apart::from([("cold".to_owned(), repetition(600, 0, 10.0))]);
        assert!(step(None).keeps_up(&repetition(400, 0, 10.0), &cold));
    }
}
