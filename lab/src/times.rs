//! How long something takes.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

use stoker_config::{format_duration, parse_duration};

use stoker_traces::random::Random;

/// The longest sample: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// A distribution of times.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    /// Always the same: `20ms`.
    Fixed(Duration),
    /// Exponential with this mean: `exponential(20ms)`.
    Exponential(Duration),
    /// Log-normal with this median and this standard deviation of the logarithm:
    /// `lognormal(20ms,0.5)`.
    LogNormal(Duration, f64),
    /// Shares in [0, 1] and the times that they do not exceed, ascending in both, even in between:
    /// `quantiles(0=5ms,0.5=20ms,1=300ms)`, or `quantiles(5ms,20ms,300ms)` at equal distances.
    Quantiles(Vec<(f64, Duration)>),
}

/// What a text should have been.
const EXPECTED: &str = "a time such as 20ms, or lognormal(20ms,0.5) of a median and a standard \
     deviation of the logarithm, exponential(20ms) of a mean, or quantiles(0=5ms,0.5=20ms,1=300ms)";

impl Times {
    /// One sample, at most a day.
    pub(crate) fn sample(&self, draw: &mut Random) -> Duration {
        match self {
            Times::Fixed(time) => *time,
            Times::Exponential(mean) => scaled(*mean, -(1.0 - draw.unit()).ln()),
            Times::LogNormal(median, sigma) => scaled(*median, (sigma * draw.normal()).exp()),
            Times::Quantiles(quantiles) => between(quantiles, draw.unit()),
        }
    }
}

impl Default for Times {
    /// 20 ms: a native program on an idle machine.
    fn default() -> Self {
        Times::Fixed(Duration::from_millis(20))
    }
}

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text.trim()).ok_or_else(|| format!("{text:?} is not {EXPECTED}"))
    }
}

impl Display for Times {
    /// As it is written.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let span = |time: &Duration| format_duration(*time);
        match self {
            Times::Fixed(time) => f.write_str(&span(time)),
            Times::Exponential(mean) => write!(f, "exponential({})", span(mean)),
            Times::LogNormal(median, sigma) => write!(f, "lognormal({},{sigma})", span(median)),
            Times::Quantiles(all) => {
                let all = all
                    .iter()
                    .map(|(share, time)| format!("{share}={}", span(time)));
                write!(f, "quantiles({})", all.collect::<Vec<_>>().join(","))
            }
        }
    }
}

fn parse(text: &str) -> Option<Times> {
    let Some((name, inner)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) else {
        return Some(Times::Fixed(time(text)?));
    };
    let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
    match (name.trim(), parts.as_slice()) {
        ("exponential", [mean]) => Some(Times::Exponential(time(mean)?)),
        ("lognormal", [median, sigma]) => {
            let sigma: f64 = sigma.parse().ok()?;
            let valid = (0.0..=10.0).contains(&sigma);
            valid.then_some(Times::LogNormal(time(median)?, sigma))
        }
        ("quantiles", all) => quantiles(all),
        _ => None,
    }
}

fn quantiles(parts: &[&str]) -> Option<Times> {
    let last = parts.len().checked_sub(1).filter(|last| *last > 0)?;
    let pairs = parts
        .iter()
        .enumerate()
        .map(|(index, part)| match part.split_once('=') {
            Some((share, text)) => Some((share.trim().parse().ok()?, time(text)?)),
            None => Some((index as f64 / last as f64, time(part)?)),
        });
    let pairs: Vec<(f64, Duration)> = pairs.collect::<Option<_>>()?;
    let ascending = pairs
        .windows(2)
        .all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1);
    let within = pairs.iter().all(|(share, _)| (0.0..=1.0).contains(share));
    (ascending && within).then_some(Times::Quantiles(pairs))
}

fn time(text: &str) -> Option<Duration> {
    parse_duration(text.trim())
        .ok()
        .filter(|time| *time <= LONGEST)
}

/// Linear between the neighbours of `share`; the outermost times beyond them.
fn between(quantiles: &[(f64, Duration)], share: f64) -> Duration {
    let above = quantiles.partition_point(|(at, _)| *at <= share);
    let below = quantiles
        .get(above.wrapping_sub(1))
        .or_else(|| quantiles.first());
    let above = quantiles.get(above).or_else(|| quantiles.last());
    let (Some(&(from, least)), Some(&(to, most))) = (below, above) else {
        return Duration::ZERO;
    };
    if to <= from {
        return least;
    }
    least + scaled(most.saturating_sub(least), (share - from) / (to - from))
}

fn scaled(time: Duration, factor: f64) -> Duration {
    let seconds = (time.as_secs_f64() * factor).clamp(0.0, LONGEST.as_secs_f64());
    Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests;
