//! What the figures of a series are, and how sure they are.
//!
//! A figure that too few samples carry is not given: what is left out is better than what misleads.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::Histogram;
use crate::intervals;
use crate::report::{Repetition, Series};
use crate::samples::{Samples, duration};

/// From so many repetitions on, their spread says how sure a figure is.
pub const REPETITIONS: usize = 5;

/// From so many samples on, an average has an interval without repetitions (central limit theorem).
const SAMPLES_FOR_MEAN: u64 = 30;

/// What a duration is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// From the scheduled arrival to the first byte of the answer.
    FirstByte,
    /// From the scheduled arrival to the end of the answer.
    Total,
    /// A phase by the name that the target gives it.
    Phase(String),
}

impl Measure {
    /// The durations in one repetition; none if the target did not tell this phase.
    pub fn of<'a>(&self, repetition: &'a Repetition) -> Option<&'a Histogram> {
        match self {
            Measure::FirstByte => Some(&repetition.first_byte),
            Measure::Total => Some(&repetition.total),
            Measure::Phase(name) => repetition.phases.get(name),
        }
    }

    pub(crate) fn samples(&self, series: &Series) -> Samples {
        Samples::of(series.repetitions.iter().filter_map(|one| self.of(one)))
    }
}

impl Display for Measure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Measure::FirstByte => f.write_str("first byte"),
            Measure::Total => f.write_str("total"),
            Measure::Phase(name) => f.write_str(name),
        }
    }
}

/// A figure of many durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The shortest.
    Min,
    /// The average.
    Mean,
    /// The median.
    P50,
    /// What 90 % are at most.
    P90,
    /// What 99 % are at most.
    P99,
    /// What 99.9 % are at most.
    P999,
    /// The longest.
    Max,
}

impl Figure {
    /// All, in the order in which people read them.
    pub const ALL: [Figure; 7] = [
        Figure::Min,
        Figure::Mean,
        Figure::P50,
        Figure::P90,
        Figure::P99,
        Figure::P999,
        Figure::Max,
    ];

    /// `p99`, as in conditions and tables.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Min => "min",
            Figure::Mean => "mean",
            Figure::P50 => "p50",
            Figure::P90 => "p90",
            Figure::P99 => "p99",
            Figure::P999 => "p99.9",
            Figure::Max => "max",
        }
    }

    /// The share of samples that are at most this long, if it is a quantile.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Figure::P50 => Some(0.5),
            Figure::P90 => Some(0.9),
            Figure::P99 => Some(0.99),
            Figure::P999 => Some(0.999),
            Figure::Min | Figure::Mean | Figure::Max => None,
        }
    }

    /// The samples below which it is not given: for a quantile, those without which no interval for
    /// it exists (p50 6, p90 36, p99 368, p99.9 3,688).
    pub fn samples_needed(self) -> u64 {
        self.quantile().map_or(1, intervals::samples_for)
    }

    /// In nanoseconds; none of nothing.
    pub(crate) fn value(self, samples: &Samples) -> Option<f64> {
        let exact = match self {
            Figure::Min => samples.min(),
            Figure::Max => samples.max(),
            Figure::Mean => return (samples.count() > 0).then(|| samples.mean_ns()),
            _ => samples.quantile(self.quantile()?),
        };
        exact.map(|ns| ns as f64)
    }
}

/// A figure, and between what it is with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate<T> {
    /// Of all samples of all repetitions.
    pub value: T,
    /// None where too little is known to give one, and for the shortest and the longest.
    pub interval: Option<Interval<T>>,
}

/// A two-sided 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval<T> {
    /// Its lower end.
    pub low: T,
    /// Its upper end.
    pub high: T,
    /// What it is made of.
    pub basis: Basis,
}

/// What says how sure a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The spread of the repetitions' figures: Student's t interval. It holds even if the samples of
    /// one repetition depend on each other.
    Repetitions,
    /// The samples, taken as independent: order statistics for a quantile, the normal approximation
    /// for an average. It does not know how runs differ.
    Samples,
}

/// Why there is no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// Samples that there are.
    pub has: u64,
    /// Samples that it takes.
    pub needs: u64,
}

impl Display for TooFew {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "needs at least {} samples, has {}", self.needs, self.has)
    }
}

/// A figure of the durations of all repetitions.
///
/// From [`REPETITIONS`] on, if each of them carries the figure alone, its interval is Student's t
/// interval of their figures, widened if need be so that it holds the figure of all samples together.
/// Otherwise it is that of all samples, see [`Basis::Samples`].
pub fn estimate(
    series: &Series,
    measure: &Measure,
    figure: Figure,
) -> Result<Estimate<Duration>, TooFew> {
    let samples = measure.samples(series);
    let (has, needs) = (samples.count(), figure.samples_needed());
    let value = figure.value(&samples).filter(|_| has >= needs);
    let value = value.ok_or(TooFew { has, needs })?;
    let interval = match figure {
        Figure::Min | Figure::Max => None,
        _ => of_repetitions(series, measure, figure)
            .map(|(mean, reach)| Interval {
                low: f64::min(mean - reach, value),
                high: f64::max(mean + reach, value),
                basis: Basis::Repetitions,
            })
            .or_else(|| of_samples(&samples, figure)),
    };
    Ok(Estimate {
        value: duration(value),
        interval: interval.map(|interval| Interval {
            low: duration(interval.low),
            high: duration(interval.high),
            basis: interval.basis,
        }),
    })
}

/// The figure of every repetition in nanoseconds; none if one of them does not carry it alone.
pub(crate) fn figures(series: &Series, measure: &Measure, figure: Figure) -> Option<Vec<f64>> {
    let each = series.repetitions.iter().map(|repetition| {
        let samples = Samples::of(measure.of(repetition));
        let enough = samples.count() >= figure.samples_needed();
        enough.then(|| figure.value(&samples)).flatten()
    });
    each.collect()
}

fn of_repetitions(series: &Series, measure: &Measure, figure: Figure) -> Option<(f64, f64)> {
    let enough = series.repetitions.len() >= REPETITIONS;
    let figures = enough.then(|| figures(series, measure, figure)).flatten()?;
    intervals::mean(&figures)
}

fn of_samples(samples: &Samples, figure: Figure) -> Option<Interval<f64>> {
    let (low, high) = match figure.quantile() {
        Some(quantile) => {
            let (low, high) = intervals::ranks(samples.count(), quantile)?;
            (samples.at_rank(low)? as f64, samples.at_rank(high)? as f64)
        }
        None if samples.count() >= SAMPLES_FOR_MEAN => {
            let reach = intervals::NORMAL * samples.standard_error_ns();
            (samples.mean_ns() - reach, samples.mean_ns() + reach)
        }
        None => return None,
    };
    let basis = Basis::Samples;
    Some(Interval { low, high, basis })
}

/// Answers per second over all repetitions; none if no time passed. The interval is that of the
/// repetitions' rates, from [`REPETITIONS`] on.
pub fn rate(series: &Series) -> Option<Estimate<f64>> {
    let of = |answered: u64, elapsed_s: f64| {
        (elapsed_s > 0.0 && elapsed_s.is_finite()).then(|| answered as f64 / elapsed_s)
    };
    let each = series.repetitions.iter();
    let value = of(
        answered(series),
        each.clone().map(|one| one.elapsed_s).sum(),
    )?;
    let rates: Option<Vec<f64>> = each.map(|one| of(one.answered, one.elapsed_s)).collect();
    let rates = rates.filter(|rates| rates.len() >= REPETITIONS);
    let interval = rates.and_then(|rates| intervals::mean(&rates));
    Some(Estimate {
        value,
        interval: interval.map(|(mean, reach)| Interval {
            low: (mean - reach).max(0.0).min(value),
            high: (mean + reach).max(value),
            basis: Basis::Repetitions,
        }),
    })
}

/// Requests that were answered, over all repetitions.
pub fn answered(series: &Series) -> u64 {
    sum(series.repetitions.iter().map(|one| one.answered))
}

/// Requests that failed, over all repetitions.
pub fn failed(series: &Series) -> u64 {
    let each = series.repetitions.iter();
    sum(each.flat_map(|one| one.failed.values()).copied())
}

/// Requests that failed among those that were answered or failed, in [0, 1]; none if there were
/// none.
pub fn failed_share(series: &Series) -> Option<f64> {
    let (answered, failed) = (answered(series), failed(series));
    let all = answered.saturating_add(failed);
    (all > 0).then(|| failed as f64 / all as f64)
}

/// Samples of the wrong kind, over all repetitions.
pub fn discarded(series: &Series) -> u64 {
    let each = series.repetitions.iter();
    sum(each.flat_map(|one| one.discarded.values()).copied())
}

/// Requests that the generator sent late, over all repetitions.
pub fn late(series: &Series) -> u64 {
    sum(series.repetitions.iter().map(|one| one.late))
}

/// The names of what else was measured.
pub fn extra_names(series: &Series) -> BTreeSet<String> {
    let names = series.repetitions.iter().flat_map(|one| one.figures.keys());
    names.cloned().collect()
}

/// What else was measured, averaged over the repetitions that have it; none if none has. The interval
/// is that of the repetitions, from [`REPETITIONS`] on.
pub fn extra(series: &Series, name: &str) -> Option<Estimate<f64>> {
    let each = series
        .repetitions
        .iter()
        .filter_map(|one| one.figures.get(name).copied());
    let values: Vec<f64> = each.collect();
    let enough = values.len() >= REPETITIONS;
    let interval = enough.then(|| intervals::mean(&values)).flatten();
    Some(Estimate {
        value: match values.len() {
            0 => return None,
            count => values.iter().sum::<f64>() / count as f64,
        },
        interval: interval.map(|(mean, reach)| Interval {
            low: mean - reach,
            high: mean + reach,
            basis: Basis::Repetitions,
        }),
    })
}

/// A file may say anything.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
