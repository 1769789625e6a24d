//! What a replay found.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde::ser::Serializer;
use stoker_core::Timestamp;

use crate::function::Function;
use crate::tally::{Refused, Tally};

/// Functions that are told of one by one, those first whose calls were slowed down most.
const SHOWN_FUNCTIONS: usize = 20;

/// Shares of the calls, or of the functions, at which quantiles are told.
const SHARES: [f64; 3] = [0.5, 0.99, 0.999];

/// Costs and waits of one policy.
///
/// Times are in seconds where they are numbers. Nothing here depends on anything but the calls, the
/// settings and the seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Virtual time from zero to the end of the tail.
    #[serde(serialize_with = "seconds")]
    pub span: Duration,
    /// Functions that were called.
    pub functions: u64,
    /// Calls.
    pub calls: u64,
    /// Calls that got a slot.
    pub served: u64,
    /// Calls that got none.
    pub refused: u64,
    /// Refused, for too many were waiting.
    pub refused_queue_full: u64,
    /// Refused at once, for it was clear that they would wait for too long.
    pub refused_too_late: u64,
    /// Refused after they had waited for as long as they may.
    pub refused_expired: u64,
    /// Served after a wait.
    pub delayed: u64,
    /// Served by an instance that was not ready when they came.
    pub cold: u64,
    /// How long calls waited for a slot.
    pub wait: Quantiles,
    /// Instances started.
    pub starts: u64,
    /// The same per minute, on average.
    pub starts_per_minute: f64,
    /// Processor time of the starts.
    #[serde(serialize_with = "seconds")]
    pub start_cpu: Duration,
    /// Instances alive times time, from the start of each to its end.
    pub instance_seconds: f64,
    /// Instances with at least one call times time.
    pub busy_seconds: f64,
    /// `instance_seconds / busy_seconds`; zero without calls.
    pub alive_over_busy: f64,
    /// Instance-seconds times the memory of an instance, in GB (10^9 bytes) seconds.
    pub gb_seconds: f64,
    /// The most instances alive at once.
    pub peak_instances: u32,
    /// How often a function's number of instances turned round, from starts to stops or back.
    pub reversals: u64,
    /// How many times longer calls took than without waits: the geometric mean over each
    /// function's calls, over functions.
    pub slowdown: Slowdowns,
    /// The functions with the largest slowdowns, at most 20.
    pub slowest: Vec<FunctionReport>,
    /// What happened when.
    pub timeline: Moments,
    /// Of calls that waited, in nanoseconds.
    #[serde(skip)]
    waits: Histogram<u64>,
    #[serde(skip)]
    longest_wait: Duration,
    #[serde(skip)]
    wait_time: Duration,
}

/// Quantiles of the wait over all calls, in seconds. A call that was refused counts as one that
/// waits for ever, which is null here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Of the calls that were served.
    pub mean: f64,
    /// Half of the calls waited no longer.
    pub p50: Option<f64>,
    /// 99 % of the calls waited no longer.
    pub p99: Option<f64>,
    /// 99.9 % of the calls waited no longer.
    pub p999: Option<f64>,
    /// No call that was served waited longer.
    pub max: f64,
}

/// The distribution of slowdowns over functions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slowdowns {
    /// Over functions.
    pub geometric_mean: f64,
    /// Of the function with the largest.
    pub max: f64,
    /// Shares of the functions, and the slowdown that they do not exceed.
    pub cdf: Vec<(f64, f64)>,
}

/// One function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunctionReport {
    /// Its name in the trace.
    pub name: String,
    /// Its calls.
    pub calls: u64,
    /// Served after a wait.
    pub delayed: u64,
    /// Got no slot.
    pub refused: u64,
    /// Instances started.
    pub starts: u64,
    /// Instances alive times time.
    pub instance_seconds: f64,
    /// Geometric mean over its calls.
    pub slowdown: f64,
}

/// What happened when, in buckets of equal width from time zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Moments {
    /// Of one bucket, in seconds.
    pub width_seconds: f64,
    /// Calls that came.
    pub calls: Vec<u64>,
    /// Calls that got a slot after a wait.
    pub delayed: Vec<u64>,
    /// Calls that were refused.
    pub refused: Vec<u64>,
    /// Instances started.
    pub starts: Vec<u64>,
    /// Instances alive, on average.
    pub instances: Vec<f64>,
    /// Instances with a call, on average.
    pub busy: Vec<f64>,
    /// The longest wait of the calls answered then, in seconds.
    pub longest_wait: Vec<f64>,
}

impl Report {
    pub(crate) fn new(functions: &mut [Function], tally: Tally, end: Timestamp) -> Self {
        let span = end.since(Timestamp::ZERO);
        let sum = |count: fn(&Function) -> u64, all: &[Function]| all.iter().map(count).sum();
        let all: &[Function] = functions;
        let calls: u64 = sum(|it| it.count.arrivals, all);
        let served: u64 = sum(|it| it.count.served, all);
        let reversals = sum(|it| it.count.reversals, all);
        let called = sum(|it| u64::from(it.count.arrivals > 0), all);
        let delayed = sum(|it| it.count.delayed, all);
        let Refused {
            queue_full,
            too_late,
            expired,
        } = tally.refused;
        let (alive, bytes) = costs(functions, end);
        let busy = tally.busy_time as f64 / 1e9;
        let (slowdown, slowest) = slowdowns(functions, end);
        let mut report = Report {
            span,
            functions: called,
            calls,
            served,
            refused: tally.refused.sum(),
            refused_queue_full: queue_full,
            refused_too_late: too_late,
            refused_expired: expired,
            delayed,
            cold: tally.cold,
            wait: Quantiles {
                mean: 0.0,
                p50: None,
                p99: None,
                p999: None,
                max: 0.0,
            },
            starts: tally.starts,
            starts_per_minute: rounded(ratio(tally.starts as f64 * 60.0, span.as_secs_f64())),
            start_cpu: tally.start_cpu,
            instance_seconds: rounded(alive),
            busy_seconds: rounded(busy),
            alive_over_busy: rounded(ratio(alive, busy)),
            gb_seconds: rounded(bytes / 1e9),
            peak_instances: tally.peak,
            reversals,
            slowdown,
            slowest,
            timeline: moments(tally.timeline),
            waits: tally.waits,
            longest_wait: tally.longest_wait,
            wait_time: tally.wait_time,
        };
        report.wait = report.quantiles();
        report
    }

    /// The wait that a share in [0, 1] of all calls did not exceed, with three digits; none if so many were refused
    /// that there is no such wait, or if there were no calls.
    pub fn wait_quantile(&self, share: f64) -> Option<Duration> {
        let rank = ((share * self.calls as f64).ceil() as u64).max(1);
        if rank > self.served {
            return None;
        }
        let at_once = self.served - self.waits.len();
        if rank <= at_once {
            return Some(Duration::ZERO);
        }
        let of_waits = (rank - at_once) as f64 / self.waits.len() as f64;
        let wait = Duration::from_nanos(self.waits.value_at_quantile(of_waits));
        Some(wait.min(self.longest_wait))
    }

    /// The wait of the calls that were served, on average; zero if there were none.
    pub fn mean_wait(&self) -> Duration {
        let seconds = ratio(self.wait_time.as_secs_f64(), self.served as f64);
        Duration::from_secs_f64(seconds)
    }

    /// The share of all calls that waited, or were refused.
    pub fn delayed_share(&self) -> f64 {
        ratio((self.delayed + self.refused) as f64, self.calls as f64)
    }

    fn quantiles(&self) -> Quantiles {
        let [p50, p99, p999] = SHARES.map(|share| {
            self.wait_quantile(share)
                .map(|wait| rounded(wait.as_secs_f64()))
        });
        Quantiles {
            mean: rounded(self.mean_wait().as_secs_f64()),
            p50,
            p99,
            p999,
            max: rounded(self.longest_wait.as_secs_f64()),
        }
    }
}

/// Instance-seconds, and byte-seconds.
fn costs(functions: &mut [Function], end: Timestamp) -> (f64, f64) {
    let (mut alive, mut bytes) = (0_u128, 0.0);
    for function in functions {
        let time = function.alive_time(end);
        alive += time;
        bytes += time as f64 / 1e9 * function.setup.memory_bytes as f64;
    }
    (alive as f64 / 1e9, bytes)
}

fn slowdowns(functions: &mut [Function], end: Timestamp) -> (Slowdowns, Vec<FunctionReport>) {
    let mut order: Vec<(f64, usize)> = functions
        .iter()
        .enumerate()
        .filter(|(_, function)| function.count.served > 0)
        .map(|(place, function)| {
            let count = &function.count;
            (count.log_slowdown / count.served as f64, place)
        })
        .collect();
    // Equal ones in the order of their numbers.
    order.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    let slowest = order.iter().take(SHOWN_FUNCTIONS).map(|&(log, place)| {
        let function = &mut functions[place];
        FunctionReport {
            name: function.name.to_string(),
            calls: function.count.arrivals,
            delayed: function.count.delayed,
            refused: function.count.refused,
            starts: function.count.starts,
            instance_seconds: rounded(function.alive_time(end) as f64 / 1e9),
            slowdown: rounded(log.exp()),
        }
    });
    let slowest = slowest.collect();
    let logs: Vec<f64> = order.iter().rev().map(|(log, _)| *log).collect();
    let mean = ratio(logs.iter().sum(), logs.len() as f64);
    let at = |share: f64| {
        let rank = (share * logs.len() as f64).ceil() as usize;
        let log = logs.get(rank.clamp(1, logs.len().max(1)) - 1);
        rounded(log.copied().unwrap_or_default().exp())
    };
    let shares = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
    let slowdowns = Slowdowns {
        geometric_mean: rounded(mean.exp()),
        max: at(1.0),
        cdf: shares.iter().map(|&share| (share, at(share))).collect(),
    };
    (slowdowns, slowest)
}

fn moments(timeline: crate::tally::Timeline) -> Moments {
    let (width, buckets) = timeline.finish();
    let average = |time: u128| rounded(time as f64 / width as f64);
    Moments {
        width_seconds: width as f64 / 1e9,
        calls: buckets.iter().map(|it| it.arrivals).collect(),
        delayed: buckets.iter().map(|it| it.delayed).collect(),
        refused: buckets.iter().map(|it| it.refused).collect(),
        starts: buckets.iter().map(|it| it.starts).collect(),
        instances: buckets.iter().map(|it| average(it.alive_time)).collect(),
        busy: buckets.iter().map(|it| average(it.busy_time)).collect(),
        longest_wait: buckets
            .iter()
            .map(|it| rounded(it.longest_wait as f64 / 1e9))
            .collect(),
    }
}

/// Zero if nothing is divided.
fn ratio(sum: f64, count: f64) -> f64 {
    match count > 0.0 {
        true => sum / count,
        false => 0.0,
    }
}

/// To nine significant digits: what lies beyond is the order of sums, and the platform.
pub(crate) fn rounded(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(duration.as_secs_f64()))
}
