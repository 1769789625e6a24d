//! From words to a condition.

use super::tokens::{Kind, Token, tokens};
use super::{Arithmetic, Expression, Fault, MAX_BYTES, Operator, Quantity, Reference, Term, Unit};
use crate::statistics::{Figure, Measure};

/// Parentheses within each other.
const MAX_DEPTH: usize = 32;

const QUANTITIES: &str =
    "min, mean, p50, p90, p99, p99.9, max, count, failed, failed%, rate, discarded and late";

pub(super) fn parse(text: &str) -> Result<Expression, Fault> {
    if text.len() > MAX_BYTES {
        let message = format!(
            "the condition has {} bytes, and at most {MAX_BYTES} are read",
            text.len()
        );
        return Err(Fault::new(text, 0, message));
    }
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let expression = parser.or()?;
    match parser.kind() {
        Kind::End => Ok(expression),
        Kind::Close => Err(parser.fault("this parenthesis closes none")),
        _ => Err(parser.fault("here should be 'and', 'or' or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn kind(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    /// The end is never passed.
    fn next(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.text, self.tokens[self.at].at, message)
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.kind(), Kind::Word(word) if word == wanted)
    }

    fn or(&mut self) -> Result<Expression, Fault> {
        let mut all = vec![self.and()?];
        while self.is_word("or") {
            self.next();
            all.push(self.and()?);
        }
        Ok(match all.len() {
            1 => all.swap_remove(0),
            _ => Expression::Or(all),
        })
    }

    fn and(&mut self) -> Result<Expression, Fault> {
        let mut all = vec![self.one()?];
        while self.is_word("and") {
            self.next();
            all.push(self.one()?);
        }
        Ok(match all.len() {
            1 => all.swap_remove(0),
            _ => Expression::And(all),
        })
    }

    fn one(&mut self) -> Result<Expression, Fault> {
        if *self.kind() == Kind::Open && self.opens_expression() {
            self.enter()?;
            let inner = self.or()?;
            self.leave()?;
            return Ok(inner);
        }
        let start = self.tokens[self.at].at;
        let (left, left_unit) = self.sum()?;
        let &Kind::Compare(operator) = self.kind() else {
            return Err(self.fault("here should be one of <, <=, >, >=, == and !="));
        };
        self.next();
        let (right, right_unit) = self.sum()?;
        if left_unit != right_unit {
            let example = match left_unit {
                Unit::Duration => "20ms",
                Unit::Share => "1%",
                Unit::Number => "3",
            };
            let message =
                format!("{left_unit} is compared with {right_unit}: compare it with {example}");
            return Err(Fault::new(self.text, start, message));
        }
        Ok(Expression::Compare(left, operator, right))
    }

    /// True if a comparison stands between this parenthesis and its end.
    fn opens_expression(&self) -> bool {
        let mut depth = 0_usize;
        for token in &self.tokens[self.at..] {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                Kind::Compare(_) => return true,
                _ => {}
            }
            if depth == 0 {
                return false;
            }
        }
        false
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} parentheses within each other");
            return Err(self.fault(message));
        }
        self.next();
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        if *self.kind() != Kind::Close {
            return Err(self.fault("here should be a closing parenthesis"));
        }
        self.depth -= 1;
        self.next();
        Ok(())
    }

    fn sum(&mut self) -> Result<(Term, Unit), Fault> {
        let mut left = self.product()?;
        while let &Kind::Calculate(sign @ (Arithmetic::Add | Arithmetic::Subtract)) = self.kind() {
            let at = self.tokens[self.at].at;
            self.next();
            let right = self.product()?;
            if left.1 != right.1 {
                let message = format!("{} and {} cannot be added up", left.1, right.1);
                return Err(Fault::new(self.text, at, message));
            }
            left = (calculate(left.0, sign, right.0), left.1);
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<(Term, Unit), Fault> {
        let mut left = self.factor()?;
        while let &Kind::Calculate(sign @ (Arithmetic::Multiply | Arithmetic::Divide)) = self.kind()
        {
            let at = self.tokens[self.at].at;
            self.next();
            let right = self.factor()?;
            let unit = match (left.1, sign, right.1) {
                (unit, _, Unit::Number) => unit,
                (Unit::Number, Arithmetic::Multiply, unit) => unit,
                (a, Arithmetic::Divide, b) if a == b => Unit::Number,
                (a, _, b) => {
                    let message = format!("{a} and {b} have no product or ratio here");
                    return Err(Fault::new(self.text, at, message));
                }
            };
            left = (calculate(left.0, sign, right.0), unit);
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<(Term, Unit), Fault> {
        let kind = self.kind().clone();
        match kind {
            Kind::Open => {
                self.enter()?;
                let inner = self.sum()?;
                self.leave()?;
                Ok(inner)
            }
            Kind::Value(value, unit) => {
                self.next();
                Ok((Term::Value(value), unit))
            }
            Kind::Word(word) => {
                let reference = self.reference(&word)?;
                self.next();
                let unit = reference.quantity.unit();
                Ok((Term::Figure(reference), unit))
            }
            _ => {
                Err(self.fault("here should be a figure such as cold.p99 or a value such as 20ms"))
            }
        }
    }

    /// `SERIES.QUANTITY`; the name of a series may have points in it itself, and so may a phase's.
    fn reference(&self, word: &str) -> Result<Reference, Fault> {
        if let Some((series, name)) = word.split_once(".figure.")
            && !(series.is_empty() || name.is_empty())
        {
            return Ok(Reference {
                series: series.to_owned(),
                quantity: Quantity::Extra(name.to_owned()),
                text: word.to_owned(),
            });
        }
        let found = Quantity::ALL.iter().find_map(|(name, quantity)| {
            let before = word.strip_suffix(name)?.strip_suffix('.')?;
            Some((before, quantity.clone()))
        });
        let Some((series, quantity)) = found else {
            return Err(self.fault(match word.contains('.') {
                true => format!("{word:?} names no figure: its end should be one of {QUANTITIES}"),
                false => format!("{word:?} names no figure: write SERIES.FIGURE, as in cold.p99"),
            }));
        };
        let (series, quantity) = match quantity {
            Quantity::Duration(_, figure) => {
                let (series, measure) = measure(series);
                (series, Quantity::Duration(measure, figure))
            }
            other => (series, other),
        };
        if series.is_empty() {
            return Err(self.fault(format!(
                "{word:?} does not say of which series, as in cold.p99"
            )));
        }
        Ok(Reference {
            series: series.to_owned(),
            quantity,
            text: word.to_owned(),
        })
    }
}

/// Splits the measure from what is in front of a figure of durations.
fn measure(word: &str) -> (&str, Measure) {
    if let Some((series, phase)) = word.split_once(".phase.") {
        return (series, Measure::Phase(phase.to_owned()));
    }
    if let Some(series) = word.strip_suffix(".total") {
        return (series, Measure::Total);
    }
    let series = word.strip_suffix(".first-byte").unwrap_or(word);
    (series, Measure::FirstByte)
}

fn calculate(left: Term, sign: Arithmetic, right: Term) -> Term {
    Term::Calculate(Box::new(left), sign, Box::new(right))
}

impl Quantity {
    const ALL: [(&'static str, Quantity); 13] = [
        ("min", Quantity::Duration(Measure::FirstByte, Figure::Min)),
        ("mean", Quantity::Duration(Measure::FirstByte, Figure::Mean)),
        ("p50", Quantity::Duration(Measure::FirstByte, Figure::P50)),
        ("p90", Quantity::Duration(Measure::FirstByte, Figure::P90)),
        ("p99", Quantity::Duration(Measure::FirstByte, Figure::P99)),
        (
            "p99.9",
            Quantity::Duration(Measure::FirstByte, Figure::P999),
        ),
        ("max", Quantity::Duration(Measure::FirstByte, Figure::Max)),
        ("count", Quantity::Count),
        ("failed", Quantity::Failed),
        ("failed%", Quantity::FailedShare),
        ("rate", Quantity::Rate),
        ("discarded", Quantity::Discarded),
        ("late", Quantity::Late),
    ];

    fn unit(&self) -> Unit {
        match self {
            Quantity::Duration(..) => Unit::Duration,
            Quantity::FailedShare => Unit::Share,
            _ => Unit::Number,
        }
    }
}

impl Operator {
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Operator::Less => left < right,
            Operator::AtMost => left <= right,
            Operator::Greater => left > right,
            Operator::AtLeast => left >= right,
            Operator::Equal => left == right,
            Operator::Different => left != right,
        }
    }
}
