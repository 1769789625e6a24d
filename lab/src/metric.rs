//! Figures of a report by their names.

use crate::Report;

/// A figure of a report, of which less is better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// As it is written.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// None is more than every number.
    pub(crate) read: fn(&Report) -> Option<f64>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A duration.
    Seconds,
    /// Of all calls.
    Share,
    Number,
}

/// Every figure that goals and costs may name.
pub(crate) const METRICS: [Metric; 16] = [
    metric("wait.mean", Unit::Seconds, |it| Some(it.wait.mean)),
    metric("wait.p50", Unit::Seconds, |it| it.wait.p50),
    metric("wait.p99", Unit::Seconds, |it| it.wait.p99),
    metric("wait.p99.9", Unit::Seconds, |it| it.wait.p999),
    metric("wait.max", Unit::Seconds, |it| match it.refused {
        0 => Some(it.wait.max),
        _ => None,
    }),
    metric("delayed", Unit::Share, |it| Some(it.delayed_share())),
    metric("refused", Unit::Share, |it| share(it.refused, it.calls)),
    metric("cold", Unit::Share, |it| share(it.cold, it.calls)),
    metric("slowdown", Unit::Number, |it| {
        Some(it.slowdown.geometric_mean)
    }),
    metric("starts", Unit::Number, |it| Some(it.starts as f64)),
    metric("start-cpu", Unit::Seconds, |it| {
        Some(it.start_cpu.as_secs_f64())
    }),
    metric("instance-seconds", Unit::Number, |it| {
        Some(it.instance_seconds)
    }),
    metric("gb-seconds", Unit::Number, |it| Some(it.gb_seconds)),
    metric("alive-over-busy", Unit::Number, |it| {
        Some(it.alive_over_busy)
    }),
    metric("peak-instances", Unit::Number, |it| {
        Some(f64::from(it.peak_instances))
    }),
    metric("reversals", Unit::Number, |it| Some(it.reversals as f64)),
];

const fn metric(name: &'static str, unit: Unit, read: fn(&Report) -> Option<f64>) -> Metric {
    Metric { name, unit, read }
}

fn share(count: u64, all: u64) -> Option<f64> {
    Some(count as f64 / all.max(1) as f64)
}

impl Metric {
    /// By name; an error names all.
    pub(crate) fn find(name: &str) -> Result<&'static Metric, String> {
        let found = METRICS.iter().find(|metric| metric.name == name);
        found.ok_or_else(|| {
            let all: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
            format!(
                "{name:?} is no figure of a report, expected one of {}",
                all.join(", ")
            )
        })
    }

    /// Its value, infinite where there is none.
    pub(crate) fn of(&self, report: &Report) -> f64 {
        (self.read)(report).unwrap_or(f64::INFINITY)
    }
}
