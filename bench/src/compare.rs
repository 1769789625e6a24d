//! What differs between two runs, and whether it is more than noise.
//!
//! Runs of the same thing differ, and by more than the samples within a run would make one think. So
//! the repetitions decide: a ratio's interval comes from drawing whole repetitions anew (bootstrap of
//! the highest level: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section
//! 3.8), whose deviation of the logarithm is scaled by the root of n / (n - 1) and, by Welch's degrees
//! of freedom, Student's t, since a few repetitions know their own spread badly. A difference must
//! also show in the order of the repetitions' figures, if there are enough of them for that (Mann and
//! Whitney).

mod bootstrap;
mod differences;
mod show;

use std::path::Path;
use std::{fs, io};

use serde::Serialize;

pub use differences::Difference;

use crate::Report;
use crate::intervals::{mann_whitney, student};
use crate::report::{FORMAT, Series};
use crate::statistics::{self, Figure, Measure};
use bootstrap::Spread;

/// With fewer repetitions on a side there is no verdict: nothing says how runs differ.
pub const MIN_REPETITIONS: usize = 3;

/// From so many repetitions on both sides, their order alone can show a difference at the level of
/// 5 % (4 and 4: 2 orders of 70).
const MIN_FOR_ORDER: usize = 4;

/// Chance that two runs of the same thing get a verdict other than `no difference`, per figure.
const LEVEL: f64 = 0.05;

/// What the histograms' buckets do to the logarithm of a figure.
const RESOLUTION: f64 = 0.000_5;

/// How two reports are compared.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions {
    /// Equal seeds give equal intervals.
    pub seed: u64,
    /// Times that repetitions are drawn, at least 2.
    pub draws: usize,
}

impl Default for CompareOptions {
    fn default() -> Self {
        CompareOptions {
            seed: 1,
            draws: 2000,
        }
    }
}

/// What [`compare`] found. It is printed by [`Comparison::text`], and serialised for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What differs between the runs themselves, which may be the reason of all else.
    pub differences: Vec<Difference>,
    /// Every figure of every series that both have.
    pub figures: Vec<Compared>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// One figure in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The series' name.
    pub series: String,
    /// `first byte`, `total` or `rate`.
    pub measure: String,
    /// `p99`; `rate` of a rate.
    pub figure: String,
    /// `ns` or `per_s`.
    pub unit: String,
    /// In the first run; none if too few samples carry it.
    pub first: Option<f64>,
    /// In the second run.
    pub second: Option<f64>,
    /// The second by the first.
    pub ratio: Option<f64>,
    /// The lower end of the ratio's 95 % interval.
    pub low: Option<f64>,
    /// The upper end of the ratio's 95 % interval.
    pub high: Option<f64>,
    /// How likely repetitions of the same thing are ordered so by chance.
    pub chance: Option<f64>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// How the second run is to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Faster beyond noise.
    #[serde(rename = "faster")]
    Faster,
    /// Slower beyond noise.
    #[serde(rename = "slower")]
    Slower,
    /// What differs may be noise.
    #[serde(rename = "no difference beyond noise")]
    NoDifference,
    /// Too few samples or repetitions to say.
    #[serde(rename = "too few samples")]
    TooFew,
}

impl Verdict {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::NoDifference => "no difference beyond noise",
            Verdict::TooFew => "too few samples",
        }
    }
}

/// Reads a report that `--json` wrote. An error names the file.
pub fn read(path: &Path) -> io::Result<Report> {
    let fault = |cause: String| {
        let message = format!("{} is no report of stoker bench: {cause}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let text = fs::read(path).map_err(|cause| {
        let message = format!("{} cannot be read: {cause}", path.display());
        io::Error::new(cause.kind(), message)
    })?;
    let report: Report = serde_json::from_slice(&text).map_err(|cause| fault(cause.to_string()))?;
    match report.format {
        FORMAT => Ok(report),
        other => Err(fault(format!(
            "its format is {other}, and {FORMAT} is read"
        ))),
    }
}

/// Compares every figure of the series that both reports have.
pub fn compare(first: &Report, second: &Report, options: CompareOptions) -> Comparison {
    let mut figures = Vec::new();
    for one in &first.series {
        if let Some(other) = second.series.iter().find(|other| other.name == one.name) {
            for measure in [Measure::FirstByte, Measure::Total] {
                figures.extend(durations(one, other, &measure, options));
            }
            figures.extend(rates(one, other, options));
        }
    }
    Comparison {
        differences: differences::between(first, second),
        notes: notes(first, second, &figures),
        figures,
    }
}

const FIGURES: [Figure; 5] = [
    Figure::Mean,
    Figure::P50,
    Figure::P90,
    Figure::P99,
    Figure::P999,
];

fn durations(
    first: &Series,
    second: &Series,
    measure: &Measure,
    options: CompareOptions,
) -> Vec<Compared> {
    if measure.samples(first).count() == 0 || measure.samples(second).count() == 0 {
        return Vec::new();
    }
    let spreads = [(first, 1), (second, 2)].map(|(series, salt)| {
        bootstrap::durations(series, measure, &FIGURES, options.salted(salt))
    });
    let each = FIGURES.iter().enumerate().map(|(index, &figure)| {
        let side = |series: &Series, spread: &[Spread]| Side {
            value: statistics::estimate(series, measure, figure)
                .ok()
                .map(|estimate| estimate.value.as_nanos() as f64),
            spread: spread[index],
            figures: statistics::figures(series, measure, figure).unwrap_or_default(),
        };
        let sides = [side(first, &spreads[0]), side(second, &spreads[1])];
        let mut compared = judge(sides, false);
        compared.series = first.name.clone();
        compared.measure = measure.to_string();
        figure.name().clone_into(&mut compared.figure);
        "ns".clone_into(&mut compared.unit);
        compared
    });
    each.collect()
}

/// Rates that were found, not scheduled: those say nothing of the target.
fn rates(first: &Series, second: &Series, options: CompareOptions) -> Option<Compared> {
    let side = |series: &Series, salt| {
        let mut all = series.repetitions.iter();
        if all.any(|one| one.offered_per_s.is_some() || one.elapsed_s <= 0.0) {
            return None;
        }
        let rates = series.repetitions.iter();
        let rates: Vec<f64> = rates
            .map(|one| one.answered as f64 / one.elapsed_s)
            .collect();
        Some(Side {
            value: statistics::rate(series).map(|rate| rate.value),
            spread: bootstrap::numbers(&rates, options.salted(salt)),
            figures: rates,
        })
    };
    let mut compared = judge([side(first, 1)?, side(second, 2)?], true);
    compared.series = first.name.clone();
    "rate".clone_into(&mut compared.measure);
    "rate".clone_into(&mut compared.figure);
    "per_s".clone_into(&mut compared.unit);
    Some(compared)
}

impl CompareOptions {
    /// The two runs are drawn from independently.
    fn salted(self, salt: u64) -> Self {
        CompareOptions {
            seed: self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt,
            ..self
        }
    }
}

/// One figure of one run.
struct Side {
    value: Option<f64>,
    spread: Spread,
    /// Of every repetition; none if one of them does not carry it.
    figures: Vec<f64>,
}

fn judge(sides: [Side; 2], more_is_faster: bool) -> Compared {
    let [first, second] = sides;
    let positive = |value: Option<f64>| value.filter(|value| *value > 0.0);
    let ratio = positive(first.value)
        .zip(positive(second.value))
        .map(|(a, b)| b / a);
    let reach = ratio.and_then(|_| reach(first.spread, second.spread));
    let enough = first.figures.len().min(second.figures.len()) >= MIN_FOR_ORDER;
    let chance = enough
        .then(|| mann_whitney(&first.figures, &second.figures))
        .flatten();
    let verdict = match (ratio, reach) {
        (Some(ratio), Some(reach)) => {
            let beyond = ratio.ln().abs() > reach && chance.is_none_or(|chance| chance < LEVEL);
            match (beyond, (ratio > 1.0) == more_is_faster) {
                (false, _) => Verdict::NoDifference,
                (true, true) => Verdict::Faster,
                (true, false) => Verdict::Slower,
            }
        }
        _ => Verdict::TooFew,
    };
    let end = |sign: f64| Some(rounded((ratio?.ln() + sign * reach?).exp()));
    Compared {
        series: String::new(),
        measure: String::new(),
        figure: String::new(),
        unit: String::new(),
        first: first.value,
        second: second.value,
        ratio: ratio.map(rounded),
        low: end(-1.0),
        high: end(1.0),
        chance: chance.map(rounded),
        verdict,
    }
}

/// To six places, which is more than can be known.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// How far the logarithm of the ratio may be off; none if too few repetitions say so.
fn reach(first: Spread, second: Spread) -> Option<f64> {
    if first.repetitions.min(second.repetitions) < MIN_REPETITIONS {
        return None;
    }
    let parts = [first, second].map(|spread| {
        let n = spread.repetitions as f64;
        let deviation = spread.deviation?.max(RESOLUTION);
        Some((deviation.powi(2) * n / (n - 1.0), n - 1.0))
    });
    let [Some((a, a_degrees)), Some((b, b_degrees))] = parts else {
        return None;
    };
    let degrees = (a + b).powi(2) / (a.powi(2) / a_degrees + b.powi(2) / b_degrees);
    Some(student((degrees as usize).max(1)) * (a + b).sqrt())
}

fn notes(first: &Report, second: &Report, figures: &[Compared]) -> Vec<String> {
    let mut notes = Vec::new();
    for (label, one, other) in [("A", first, second), ("B", second, first)] {
        let lacks = |name: &str| other.series.iter().all(|series| series.name != name);
        let only = one.series.iter().map(|series| series.name.as_str());
        let only: Vec<&str> = only.filter(|name| lacks(name)).collect();
        if !only.is_empty() {
            notes.push(format!("only in {label}: {}", only.join(", ")));
        }
    }
    for series in &first.series {
        let Some(other) = second.series.iter().find(|other| other.name == series.name) else {
            continue;
        };
        for (what, of) in [
            ("failed", statistics::failed as fn(&Series) -> u64),
            ("were discarded", statistics::discarded),
        ] {
            let (a, b) = (of(series), of(other));
            if a > 0 || b > 0 {
                let name = &series.name;
                let all =
                    [series, other].map(|one| statistics::answered(one).saturating_add(of(one)));
                notes.push(format!(
                    "{name}: {a} of {} {what} in A, {b} of {} in B",
                    all[0], all[1]
                ));
            }
        }
        let fewest = series.repetitions.len().min(other.repetitions.len());
        if fewest < MIN_REPETITIONS {
            notes.push(format!(
                "{}: {fewest} of at least {MIN_REPETITIONS} repetitions that tell how runs differ; \
                 better are 5 or more",
                series.name
            ));
        }
    }
    let judged = figures
        .iter()
        .filter(|one| one.verdict != Verdict::TooFew)
        .count();
    if judged > 5 {
        notes.push(format!(
            "of {judged} verdicts about {} may be chance",
            (judged as f64 * LEVEL).ceil()
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
