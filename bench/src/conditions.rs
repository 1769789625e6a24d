//! Conditions on a report, for `--fail-if`: `cold.p99 > 20ms`.
//!
//! ```text
//! expression = both { "or" both }
//! both       = one { "and" one }
//! one        = "(" expression ")" | sum OPERATOR sum
//! OPERATOR   = "<" | "<=" | ">" | ">=" | "==" | "!="
//! sum        = product { ( "+" | "-" ) product }
//! product    = factor { ( "*" | "/" ) factor }
//! factor     = "(" sum ")" | VALUE | FIGURE
//! VALUE      = a number, alone or with one of ns us ms s m h %
//! FIGURE     = SERIES "." ( [ "total." | "phase." NAME "." ] QUANTITY | "figure." NAME )
//! ```
//!
//! A QUANTITY of durations is one of `min`, `mean`, `p50`, `p90`, `p99`, `p99.9` and `max`: of the
//! time to the first byte, with `total.` to the end of the answer, with `phase.NAME.` of a phase.
//! Those of the whole series are `count` (answered), `failed`, `failed%`, `rate` (answers per second),
//! `discarded` and `late`. `figure.NAME` is what else was measured, as in `burst.figure.ratio`.

mod evaluate;
mod parse;
mod tokens;

use std::fmt::{self, Display, Formatter};

pub use evaluate::{Outcome, Undecided};

use crate::statistics::{Figure, Measure};

/// The longest expression, bytes.
pub const MAX_BYTES: usize = 4096;

/// A condition that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    expression: Expression,
}

impl Condition {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl std::str::FromStr for Condition {
    type Err = Fault;

    /// Reads an expression of at most [`MAX_BYTES`].
    fn from_str(text: &str) -> Result<Self, Fault> {
        let expression = parse::parse(text)?;
        let text = text.to_owned();
        Ok(Condition { text, expression })
    }
}

/// True or false.
#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Compare(Term, Operator, Term),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Different,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
enum Term {
    Value(f64),
    Figure(Reference),
    Calculate(Box<Term>, Arithmetic, Box<Term>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// What of the report is meant.
#[derive(Clone, Debug, PartialEq)]
struct Reference {
    series: String,
    quantity: Quantity,
    /// As it was written.
    text: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Quantity {
    Duration(Measure, Figure),
    Count,
    Failed,
    FailedShare,
    Rate,
    Discarded,
    Late,
    Extra(String),
}

/// Nanoseconds, a share in [0, 1] or a plain number: only like may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Duration,
    Share,
    Number,
}

impl Display for Unit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Duration => "a duration",
            Unit::Share => "a percentage",
            Unit::Number => "a number",
        })
    }
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One sentence: what is there and what would be right.
    pub message: String,
    /// Where it is, in bytes.
    pub at: usize,
    text: String,
}

impl Fault {
    fn new(text: &str, at: usize, message: impl Into<String>) -> Self {
        Fault {
            message: message.into(),
            at,
            text: text.to_owned(),
        }
    }
}

impl Display for Fault {
    /// The sentence, and below it the text with a caret under the place.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.text.len() > MAX_BYTES {
            return Ok(());
        }
        let before = self.text.get(..self.at).unwrap_or(&self.text);
        let shown = stoker_show::text::printable(&self.text);
        let blanks = " ".repeat(before.chars().count());
        write!(f, "\n  {shown}\n  {blanks}^")
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests;
