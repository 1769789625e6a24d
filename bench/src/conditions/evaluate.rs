//! What a condition says of a report.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{Arithmetic, Condition, Expression, Quantity, Reference, Term};
use crate::Report;
use crate::report::Series;
use crate::statistics::{self, estimate};
use stoker_show::text;

/// What became of a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether it is true.
    pub holds: bool,
    /// The figures that it names, as they are written, with what was measured.
    pub figures: Vec<(String, String)>,
}

impl Display for Outcome {
    /// `cold.p99 is 23.1ms, cold.failed is 0`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.figures.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name} is {value}")?;
        }
        Ok(())
    }
}

/// Why a condition is neither true nor false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided(String);

impl Display for Undecided {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undecided {}

impl Condition {
    /// Whether it is true of the report. A figure that is not there, or that too few samples carry,
    /// leaves it undecided, unless the others decide it.
    pub fn check(&self, report: &Report) -> Result<Outcome, Undecided> {
        let mut figures = Vec::new();
        let holds = expression(&self.expression, report, &mut figures);
        let holds = holds.map_err(|cause| {
            Undecided(format!(
                "the condition {:?} cannot be judged: {cause}",
                self.text
            ))
        })?;
        Ok(Outcome { holds, figures })
    }
}

type Figures = Vec<(String, String)>;

/// Kleene's logic of three values: what is not known matters only if it could change the answer.
fn expression(node: &Expression, report: &Report, figures: &mut Figures) -> Result<bool, String> {
    let (all, decides) = match node {
        Expression::Or(all) => (all, true),
        Expression::And(all) => (all, false),
        Expression::Compare(left, operator, right) => {
            let left = term(left, report, figures)?;
            let right = term(right, report, figures)?;
            return Ok(operator.holds(left, right));
        }
    };
    let mut unknown = None;
    for one in all {
        match expression(one, report, figures) {
            Ok(value) if value == decides => return Ok(decides),
            Ok(_) => {}
            Err(cause) => unknown = unknown.or(Some(cause)),
        }
    }
    unknown.map_or(Ok(!decides), Err)
}

/// Finite; durations in nanoseconds, shares in [0, 1].
fn term(node: &Term, report: &Report, figures: &mut Figures) -> Result<f64, String> {
    let (left, sign, right) = match node {
        Term::Value(value) => return Ok(*value),
        Term::Figure(reference) => {
            let (value, shown) = reference.measured(report)?;
            let figure = (reference.text.clone(), shown);
            if !figures.contains(&figure) {
                figures.push(figure);
            }
            return Ok(value);
        }
        Term::Calculate(left, sign, right) => (left, sign, right),
    };
    let left = term(left, report, figures)?;
    let right = term(right, report, figures)?;
    let result = match sign {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
    };
    match result.is_finite() {
        true => Ok(result),
        false => Err("it divides by zero".to_owned()),
    }
}

impl Reference {
    /// The value and how people read it.
    fn measured(&self, report: &Report) -> Result<(f64, String), String> {
        let series = self.series(report)?;
        let number = |count: u64| Ok((count as f64, text::count(count)));
        match &self.quantity {
            Quantity::Duration(measure, figure) => {
                let estimate = estimate(series, measure, *figure);
                let value = estimate
                    .map_err(|few| format!("{} {few}", self.text))?
                    .value;
                Ok((nanoseconds(value), text::span(value)))
            }
            Quantity::Count => number(statistics::answered(series)),
            Quantity::Failed => number(statistics::failed(series)),
            Quantity::Discarded => number(statistics::discarded(series)),
            Quantity::Late => number(statistics::late(series)),
            Quantity::Extra(name) => {
                let extra = statistics::extra(series, name);
                let extra = extra.ok_or_else(|| format!("{} was not measured", self.text))?;
                Ok((extra.value, text::number(extra.value)))
            }
            Quantity::FailedShare => {
                let share = statistics::failed_share(series);
                let share = share.ok_or_else(|| format!("{} has no requests", self.text))?;
                Ok((share, text::percent(share)))
            }
            Quantity::Rate => {
                let rate = statistics::rate(series);
                let rate = rate.ok_or_else(|| format!("{} took no time", self.text))?;
                Ok((rate.value, format!("{}/s", text::number(rate.value))))
            }
        }
    }

    fn series<'a>(&self, report: &'a Report) -> Result<&'a Series, String> {
        let found = report.series.iter().find(|one| one.name == self.series);
        found.ok_or_else(|| {
            let names: Vec<&str> = report.series.iter().map(|one| one.name.as_str()).collect();
            let names = match names.is_empty() {
                true => "none".to_owned(),
                false => names.join(", "),
            };
            format!("there is no series {:?}, there are: {names}", self.series)
        })
    }
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}
