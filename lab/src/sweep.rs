//! Many settings at once: ranges of a manifest's keys, tried coarse first and then finer where it
//! pays.

use std::str::FromStr;
use std::time::Duration;

use stoker_config::{Changes, format_duration, parse_duration};

/// Values of each range in the first round.
const COARSE: usize = 5;
/// Settings that are tried in all, at most.
const MAX_TRIED: usize = 500;
/// From this factor between its ends on, a range is divided by factors.
const LOGARITHMIC: f64 = 8.0;

/// Ranges of keys: `idle=1s..10m, target=0.5..0.9, policy=kpa|on-arrival`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sweep {
    axes: Vec<Axis>,
}

#[derive(Clone, Debug, PartialEq)]
struct Axis {
    key: String,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Each(Vec<String>),
    /// Seconds, if it is of durations.
    Range {
        low: f64,
        high: f64,
        kind: Kind,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Span,
    Whole,
    Number,
}

/// A place on each axis, in [0, 1] for ranges and a number for lists.
pub(crate) type Point = Vec<f64>;

/// The points that were tried, and those to try next.
#[derive(Debug)]
pub(crate) struct Search<'s> {
    sweep: &'s Sweep,
    finer_rounds: usize,
    tried: Vec<Point>,
    round: usize,
}

impl Sweep {
    /// What is written for a point, as part of a policy.
    pub(crate) fn settings(&self, point: &[f64]) -> String {
        let parts = self.axes.iter().zip(point);
        let parts = parts.map(|(axis, place)| format!("{}={}", axis.key, axis.value(*place)));
        parts.collect::<Vec<_>>().join(",")
    }

    /// Every combination of a few values of each axis.
    fn coarse(&self) -> Vec<Point> {
        let mut points = vec![Point::new()];
        for axis in &self.axes {
            let places = axis.coarse();
            points = points
                .iter()
                .flat_map(|point| {
                    places.iter().map(|place| {
                        let mut longer = point.clone();
                        longer.push(*place);
                        longer
                    })
                })
                .take(MAX_TRIED)
                .collect();
        }
        points
    }
}

impl<'s> Search<'s> {
    /// With so many rounds that look between the values that were best.
    pub(crate) fn new(sweep: &'s Sweep, finer_rounds: usize) -> Self {
        Search {
            sweep,
            finer_rounds,
            tried: Vec::new(),
            round: 0,
        }
    }

    /// The next points: all coarse ones at first, then those beside the `best` so far; none in the
    /// end. What is written the same is not tried twice.
    pub(crate) fn next(&mut self, best: &[Point]) -> Vec<Point> {
        let step = 0.5_f64.powi(self.round as i32) / (COARSE - 1) as f64;
        let wanted: Vec<Point> = match self.round {
            0 => self.sweep.coarse(),
            round if round > self.finer_rounds => Vec::new(),
            _ => best
                .iter()
                .flat_map(|point| self.sweep.beside(point, step))
                .collect(),
        };
        self.round += 1;
        let mut fresh: Vec<Point> = Vec::new();
        for point in wanted {
            let text = self.sweep.settings(&point);
            let mut known = self.tried.iter().chain(&fresh);
            let is_known = known.any(|other| self.sweep.settings(other) == text);
            if !is_known && self.tried.len() + fresh.len() < MAX_TRIED {
                fresh.push(point);
            }
        }
        self.tried.extend(fresh.iter().cloned());
        fresh
    }
}

impl Sweep {
    /// The neighbours of a point along each axis.
    fn beside(&self, point: &[f64], step: f64) -> Vec<Point> {
        let mut all = Vec::new();
        for (index, axis) in self.axes.iter().enumerate() {
            if matches!(axis.values, Values::Each(_)) {
                continue;
            }
            for moved in [point[index] - step, point[index] + step] {
                if (-1e-9..=1.0 + 1e-9).contains(&moved) {
                    let mut other = point.to_vec();
                    other[index] = moved.clamp(0.0, 1.0);
                    all.push(other);
                }
            }
        }
        all
    }
}

impl Axis {
    fn coarse(&self) -> Vec<f64> {
        match &self.values {
            Values::Each(all) => (0..all.len()).map(|index| index as f64).collect(),
            Values::Range { .. } => (0..COARSE)
                .map(|index| index as f64 / (COARSE - 1) as f64)
                .collect(),
        }
    }

    fn value(&self, place: f64) -> String {
        match &self.values {
            Values::Each(all) => all.get(place as usize).cloned().unwrap_or_default(),
            Values::Range { low, high, kind } => {
                let exact = match *low > 0.0 && high / low >= LOGARITHMIC {
                    true => low * (high / low).powf(place),
                    false => low + (high - low) * place,
                };
                // The ends are what was written.
                let value = match place {
                    place if place <= 0.0 => *low,
                    place if place >= 1.0 => *high,
                    _ => two_digits(exact).clamp(*low, *high),
                };
                match kind {
                    Kind::Span => format_duration(span(value)),
                    Kind::Whole => format!("{}", value.round()),
                    Kind::Number => format!("{value}"),
                }
            }
        }
    }
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let axes: Vec<Axis> = parts.map(axis).collect::<Result<_, _>>()?;
        if axes.is_empty() {
            return Err("there is no range, expected one such as idle=1s..10m".to_owned());
        }
        let mut count = 1_usize;
        for axis in &axes {
            // Whether the key is known, and its values are, is said before anything is replayed.
            Changes::default().set(&axis.key, &axis.value(0.0))?;
            count = count.saturating_mul(axis.coarse().len());
        }
        if count > MAX_TRIED {
            return Err(format!(
                "{text:?} has {count} combinations in the first round, expected at most {MAX_TRIED}"
            ));
        }
        Ok(Sweep { axes })
    }
}

fn axis(text: &str) -> Result<Axis, String> {
    let malformed = || {
        format!("{text:?} is no range, expected a key and values: idle=1s..10m or policy=kpa|fixed")
    };
    let (key, values) = text.split_once('=').ok_or_else(malformed)?;
    let values = match values.split_once("..") {
        None => Values::Each(values.split('|').map(|it| it.trim().to_owned()).collect()),
        Some((low, high)) => range(low.trim(), high.trim()).ok_or_else(malformed)?,
    };
    Ok(Axis {
        key: key.trim().to_owned(),
        values,
    })
}

fn range(low: &str, high: &str) -> Option<Values> {
    let spans = (parse_duration(low).ok(), parse_duration(high).ok());
    let (low, high, kind) = match spans {
        (Some(low), Some(high)) => (low.as_secs_f64(), high.as_secs_f64(), Kind::Span),
        _ => match (low.parse::<u32>(), high.parse::<u32>()) {
            (Ok(low), Ok(high)) => (f64::from(low), f64::from(high), Kind::Whole),
            _ => (low.parse().ok()?, high.parse().ok()?, Kind::Number),
        },
    };
    let valid = low.is_finite() && high.is_finite() && 0.0 <= low && low < high;
    valid.then_some(Values::Range { low, high, kind })
}

/// Whole microseconds, the shortest that people write.
fn span(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6).round() as u64)
}

/// Rounded to two significant digits: nobody writes more.
fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests;
