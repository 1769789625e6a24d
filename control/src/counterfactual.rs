//! What other settings would have given, by replaying the record.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stoker_config::{Changes, FunctionSpec};
use stoker_core::{InstanceId, StartLimits, Timestamp};
use stoker_lab::{Arrival, Engine, Report, Setup, Times, World};
use stoker_scaler::record::{Chunk, TraceRow, What, trace};

use crate::wire::{Counterfactual, Outcome};

/// Replays what these chunks have of one function since a time, under the settings in force and
/// under changed ones. `living` are the instances that are there now, and when they were asked
/// for, and `starts` how much was started at the same time; of other functions nothing is known, so
/// that what their starts held is not replayed.
pub(crate) fn counterfactual(
    (spec, changed): (&FunctionSpec, &FunctionSpec),
    changes: &Changes,
    (record, starts): (&Recorded, &StartLimits),
) -> Counterfactual {
    Counterfactual {
        changes: changes.to_string(),
        seconds: record.span().as_secs_f64(),
        recorded: record.outcome(),
        actual: outcome(&record.replay(setup(spec), starts)),
        changed: outcome(&record.replay(setup(changed), starts)),
    }
}

/// What is recorded of one function since a time.
pub(crate) struct Recorded {
    rows: Vec<TraceRow>,
    starts: Vec<Duration>,
    /// From the first arrival to the last.
    from: u64,
    to: u64,
    instance_seconds: f64,
}

impl Recorded {
    pub(crate) fn new(
        chunks: Vec<Arc<Chunk>>,
        living: &[(InstanceId, u64)],
        since: u64,
    ) -> Recorded {
        let mut lives: HashMap<InstanceId, (u64, u64)> = living
            .iter()
            .map(|(id, begun)| (*id, (*begun, u64::MAX)))
            .collect();
        let mut starts = Vec::new();
        for entry in chunks.iter().flat_map(|chunk| chunk.entries()) {
            match entry.what {
                What::Started { instance, took, .. } if entry.at >= since => {
                    starts.push(took);
                    let begun = before(entry.at, took);
                    lives.entry(instance).or_insert((begun, u64::MAX));
                }
                What::Ended { instance, lived } => {
                    lives.insert(instance, (before(entry.at, lived), entry.at));
                }
                _ => {}
            }
        }
        let rows: Vec<TraceRow> = trace(chunks, since).collect();
        let (from, to) = match (rows.first(), rows.last()) {
            (Some(first), Some(last)) => (first.arrived, last.arrived),
            _ => (since, since),
        };
        let alive = lives.values().map(|(begun, ended)| {
            let (begun, ended) = ((*begun).max(from), (*ended).min(to));
            ended.saturating_sub(begun) as f64 / 1e6
        });
        Recorded {
            // The sum of nothing is -0.
            instance_seconds: alive.sum::<f64>().max(0.0),
            rows,
            starts,
            from,
            to,
        }
    }

    /// From the first arrival to the last.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_micros(self.to.saturating_sub(self.from))
    }

    /// The same requests under these settings, from an empty pool on.
    pub(crate) fn replay(&self, setup: Setup, starts: &StartLimits) -> Report {
        let mut engine = Engine::new(World {
            tail: Duration::ZERO,
            begin: SystemTime::UNIX_EPOCH + Duration::from_micros(self.from),
            starts: Some(starts.clone()),
            ..World::default()
        });
        let setup = Setup {
            start: Arc::new(times(self.starts.clone())),
            ..setup
        };
        let function = engine.add("function", setup);
        let mean = self.mean_service();
        for row in &self.rows {
            let at = Duration::from_micros(row.arrived.saturating_sub(self.from));
            engine.feed(Arrival {
                at: Timestamp::ZERO + at,
                function,
                service: row.service.unwrap_or(mean),
                start: row.start,
            });
        }
        engine.finish()
    }

    /// What really happened.
    pub(crate) fn outcome(&self) -> Outcome {
        let served = self.rows.iter().filter(|row| row.service.is_some());
        let mut waits: Vec<Duration> = served.map(|row| row.waited).collect();
        waits.sort_unstable();
        let calls = self.rows.len();
        let rank = |share: f64| {
            let rank = ((share * calls as f64).ceil() as usize).max(1);
            waits.get(rank - 1).map(|wait| millis(*wait))
        };
        Outcome {
            requests: calls as u64,
            delayed: waits.iter().filter(|wait| !wait.is_zero()).count() as u64,
            refused: (calls - waits.len()) as u64,
            wait_p50_ms: rank(0.5),
            wait_p99_ms: rank(0.99),
            wait_max_ms: waits.last().map_or(0.0, |wait| millis(*wait)),
            starts: self.starts.len() as u64,
            instance_seconds: self.instance_seconds,
        }
    }

    /// Stands for requests that got no slot.
    fn mean_service(&self) -> Duration {
        let served = self.rows.iter().filter_map(|row| row.service);
        let (mut sum, mut count) = (Duration::ZERO, 0);
        for service in served {
            sum += service;
            count += 1;
        }
        sum.checked_div(count).unwrap_or_default()
    }
}

/// How the function is set up in the gateway, with the lab's own start times.
pub(crate) fn setup(spec: &FunctionSpec) -> Setup {
    Setup {
        patience: spec.timeouts.queue,
        schedule: spec.schedule.clone(),
        ..Setup::new(Arc::clone(&spec.scaling))
    }
}

/// What a replay found.
pub(crate) fn outcome(report: &Report) -> Outcome {
    let wait = |share| report.wait_quantile(share).map(millis);
    Outcome {
        requests: report.calls,
        delayed: report.delayed,
        refused: report.refused,
        wait_p50_ms: wait(0.5),
        wait_p99_ms: wait(0.99),
        wait_max_ms: report.wait.max * 1000.0,
        starts: report.starts,
        instance_seconds: report.instance_seconds,
    }
}

/// The start times that were measured, as a distribution; the lab's own if there are none.
pub(crate) fn times(mut starts: Vec<Duration>) -> Times {
    starts.sort_unstable();
    match starts.as_slice() {
        [] => Times::default(),
        [one] => Times::Fixed(*one),
        all => {
            let last = (all.len() - 1) as f64;
            let share = |(place, time): (usize, &Duration)| (place as f64 / last, *time);
            Times::Quantiles(all.iter().enumerate().map(share).collect())
        }
    }
}

fn before(at: u64, time: Duration) -> u64 {
    at.saturating_sub(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests;
