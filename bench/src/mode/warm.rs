//! `warm`: latencies at a rate, or the highest throughput.

use std::time::Duration;

use crate::load::{Plan, Wanted};
use crate::run::{Bench, Failure};
use crate::schedule::{Arrivals, Schedule};

/// A load that is applied for some time, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Requests per second; none for as many as the connections carry.
    pub(crate) rate: Option<f64>,
    /// How arrivals are spread.
    pub(crate) arrivals: Arrivals,
    /// Of a repetition.
    pub(crate) duration: Duration,
    /// Repetitions.
    pub(crate) repetitions: u32,
    /// The same load before the first one, which is not noted.
    pub(crate) warm_up: Duration,
    /// Requests in flight at once, at most.
    pub(crate) in_flight: usize,
}

impl Load {
    /// The plan of repetition `number`, each with arrivals of its own.
    pub(crate) fn plan(&self, number: u32, duration: Duration, wanted: Wanted) -> Plan {
        let arrivals = match self.arrivals {
            Arrivals::Constant => Arrivals::Constant,
            Arrivals::Poisson { seed } => Arrivals::Poisson {
                seed: seed.wrapping_add(u64::from(number)),
            },
        };
        let schedule = match self.rate {
            Some(rate) => Schedule::Open {
                rate,
                duration,
                arrivals,
            },
            None => Schedule::Closed {
                count: None,
                duration: Some(duration),
            },
        };
        Plan {
            schedule,
            in_flight: self.in_flight,
            wanted,
            slot: 0,
        }
    }

    /// Applies the load before anything is noted.
    pub(crate) fn warm_up(&self, bench: &mut Bench) -> Result<(), Failure> {
        if !self.warm_up.is_zero() {
            bench.progress.part("warm-up".into());
            bench.run(self.plan(0, self.warm_up, Wanted::Nothing))?;
        }
        Ok(())
    }

    /// Measures warm requests; cold ones are thrown out and counted.
    pub(crate) fn measure(&self, bench: &mut Bench) -> Result<(), Failure> {
        self.warm_up(bench)?;
        for number in 1..=self.repetitions {
            if bench.stop.is_set() {
                break;
            }
            bench
                .progress
                .part(format!("warm {number}/{}", self.repetitions));
            let elapsed = bench.run(self.plan(number, self.duration, Wanted::Warm))?;
            let (warm, _, _) = bench.harvest(0, elapsed, self.rate);
            bench.add("warm", warm);
        }
        Ok(())
    }
}
