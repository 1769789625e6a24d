//! What is asked of a policy: `wait.p99<=50ms`.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use stoker_config::parse_duration;

use crate::Report;
use crate::metric::{Metric, Unit};

/// Conditions that hold together: `wait.p99<=50ms and refused<=0.1%`.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Condition {
    metric: &'static Metric,
    /// The bound itself is not enough.
    strict: bool,
    bound: f64,
    /// As it was written.
    text: String,
}

impl Aim {
    /// True if all of them hold.
    pub(crate) fn is_met(&self, report: &Report) -> bool {
        self.conditions.iter().all(|condition| {
            let value = condition.metric.of(report);
            value < condition.bound || (!condition.strict && value <= condition.bound)
        })
    }

    /// How far the worst of them is beyond its bound, as a factor.
    pub(crate) fn excess(&self, report: &Report) -> f64 {
        let each = self.conditions.iter().map(|condition| {
            let value = condition.metric.of(report);
            value / condition.bound.max(1e-9)
        });
        each.fold(0.0, f64::max)
    }
}

impl FromStr for Aim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(" and ").flat_map(|part| part.split(','));
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        let conditions: Vec<Condition> = parts.map(condition).collect::<Result<_, _>>()?;
        if conditions.is_empty() {
            return Err("there is no condition, expected one such as wait.p99<=50ms".to_owned());
        }
        Ok(Aim { conditions })
    }
}

impl Display for Aim {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.conditions.iter().enumerate() {
            if index > 0 {
                f.write_str(" and ")?;
            }
            f.write_str(&condition.text)?;
        }
        Ok(())
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    let malformed = || {
        format!("{text:?} is no condition, expected a figure, <= or <, and a bound: wait.p99<=50ms")
    };
    let (name, bound) = text.split_once('<').ok_or_else(malformed)?;
    let (strict, bound) = match bound.strip_prefix('=') {
        Some(bound) => (false, bound.trim()),
        None => (true, bound.trim()),
    };
    let metric = Metric::find(name.trim())?;
    let value = match metric.unit {
        Unit::Seconds => parse_duration(bound)?.as_secs_f64(),
        Unit::Share => match bound.strip_suffix('%') {
            Some(percent) => number(percent).ok_or_else(malformed)? / 100.0,
            None => number(bound).ok_or_else(malformed)?,
        },
        Unit::Number => number(bound).ok_or_else(malformed)?,
    };
    Ok(Condition {
        metric,
        strict,
        bound: value,
        text: text.to_owned(),
    })
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        let aim: Aim = "wait.p99<=50ms and refused < 0.1%".parse().unwrap();
        assert_eq!(aim.to_string(), "wait.p99<=50ms and refused < 0.1%");
        let bounds: Vec<f64> = aim.conditions.iter().map(|it| it.bound).collect();
        assert_eq!(bounds, [0.05, 0.001]);
        assert!(aim.conditions[1].strict && !aim.conditions[0].strict);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for (text, wanted) in [
            ("", "there is no condition"),
            ("wait.p99", "is no condition"),
            (
                "wait.p42<=1s",
                "is no figure of a report, expected one of wait.mean, ",
            ),
            ("wait.p99<=50", "is no duration"),
            ("starts<=-1", "is no condition"),
        ] {
            let refusal = text.parse::<Aim>().unwrap_err();
            assert!(refusal.contains(wanted), "{refusal}");
        }
    }
}
