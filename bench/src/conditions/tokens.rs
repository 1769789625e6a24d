//! The words of a condition.

use super::{Arithmetic, Fault, Operator, Unit};

/// A word and where it begins, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// In nanoseconds if it is a duration, in [0, 1] if a share.
    Value(f64, Unit),
    /// A figure, `and` or `or`.
    Word(String),
    Compare(Operator),
    Calculate(Arithmetic),
    Open,
    Close,
    End,
}

/// All words of the text, the end being the last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = match first {
            '0'..='9' => value(text, at)?,
            '-' => (Kind::Calculate(Arithmetic::Subtract), 1),
            _ if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Kind::Word(rest[..length].to_owned()), length)
            }
            _ => sign(text, at)?,
        };
        tokens.push(Token { at, kind });
        at += length;
    }
    tokens.push(Token {
        at: text.len(),
        kind: Kind::End,
    });
    Ok(tokens)
}

/// What names of series and phases are made of. A minus at the beginning of a word is a minus.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '%')
}

fn sign(text: &str, at: usize) -> Result<(Kind, usize), Fault> {
    const SIGNS: [(&str, Kind); 12] = [
        ("<=", Kind::Compare(Operator::AtMost)),
        (">=", Kind::Compare(Operator::AtLeast)),
        ("==", Kind::Compare(Operator::Equal)),
        ("!=", Kind::Compare(Operator::Different)),
        ("<", Kind::Compare(Operator::Less)),
        (">", Kind::Compare(Operator::Greater)),
        ("=", Kind::Compare(Operator::Equal)),
        ("(", Kind::Open),
        (")", Kind::Close),
        ("+", Kind::Calculate(Arithmetic::Add)),
        ("*", Kind::Calculate(Arithmetic::Multiply)),
        ("/", Kind::Calculate(Arithmetic::Divide)),
    ];
    let rest = &text[at..];
    for (sign, kind) in SIGNS {
        if rest.starts_with(sign) {
            return Ok((kind, sign.len()));
        }
    }
    let found: String = rest.chars().take(1).collect();
    let message = format!(
        "{found:?} means nothing here: a condition is like 'cold.p99 > 20ms and cold.failed == 0'"
    );
    Err(Fault::new(text, at, message))
}

fn value(text: &str, at: usize) -> Result<(Kind, usize), Fault> {
    let rest = &text[at..];
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let digits = digits.unwrap_or(rest.len());
    let tail = &rest[digits..];
    let unit = tail.find(|c: char| !c.is_alphabetic() && c != '%');
    let unit = &tail[..unit.unwrap_or(tail.len())];
    let number = rest[..digits].replace('_', "");
    let number: f64 = number.parse().map_err(|_| {
        let message = format!("{:?} is no number", &rest[..digits]);
        Fault::new(text, at, message)
    })?;
    let (factor, kind) = match unit {
        "" => (1.0, Unit::Number),
        "%" => (0.01, Unit::Share),
        "ns" => (1.0, Unit::Duration),
        // The signs for micro and mu look alike.
        "us" | "µs" | "μs" => (1e3, Unit::Duration),
        "ms" => (1e6, Unit::Duration),
        "s" => (1e9, Unit::Duration),
        "m" => (60e9, Unit::Duration),
        "h" => (3600e9, Unit::Duration),
        _ => {
            let message = format!("{unit:?} is no unit: it is one of ns, us, ms, s, m, h and %");
            return Err(Fault::new(text, at + digits, message));
        }
    };
    Ok((Kind::Value(number * factor, kind), digits + unit.len()))
}
