//! One measurement, and its line.

use std::io;
use std::time::Duration;

use crate::exchange::{Answer, Timed};

/// One request and what it took.
pub(crate) struct Sample {
    pub(crate) kind: String,
    /// What the answer must say of its start.
    pub(crate) expected: String,
    /// Until the first byte.
    pub(crate) first_byte: Duration,
    /// What the answer said; an error instead makes the sample void.
    pub(crate) answer: Result<Answer, String>,
}

/// The samples of one turn.
pub(crate) struct Samples(pub(crate) Vec<Sample>);

impl Samples {
    pub(crate) fn print(self, round: usize) {
        for sample in self.0 {
            println!("{}", sample.line(round));
        }
    }
}

impl Sample {
    pub(crate) fn of(kind: String, expected: &str, outcome: io::Result<Timed>) -> Self {
        let (first_byte, answer) = match outcome {
            Ok((first_byte, answer)) => (first_byte, Ok(answer)),
            Err(error) => (Duration::ZERO, Err(error.to_string())),
        };
        Self {
            kind,
            expected: expected.to_owned(),
            first_byte,
            answer,
        }
    }

    fn line(&self, round: usize) -> String {
        let (status, start, timing, error) = match &self.answer {
            Ok(answer) => (answer.status, &*answer.start, &*answer.timing, ""),
            Err(error) => (0, "", "", &**error),
        };
        format!(
            "{{\"round\": {round}, \"kind\": \"{}\", \"ns\": {}, \"status\": {status}, \
             \"expected\": \"{}\", \"start\": \"{}\", \"timing\": \"{}\", \"error\": \"{}\"}}",
            escaped(&self.kind),
            self.first_byte.as_nanos(),
            escaped(&self.expected),
            escaped(start),
            escaped(timing),
            escaped(error),
        )
    }
}

/// As part of a JSON string; what has no place in a header becomes `?`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            ' '..='~' => escaped.push(character),
            _ => escaped.push('?'),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn json_strings() {
        assert_eq!(
            escaped("queue;desc=\"a\\b\"\r"),
            "queue;desc=\\\"a\\\\b\\\"?"
        );
    }
}
