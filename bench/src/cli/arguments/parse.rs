//! Values that are no plain text.

use std::time::Duration;

use http::HeaderName;
use stoker_config::parse_duration;

/// Requests per second, at most.
const FASTEST: f64 = 10_000_000.0;

/// Requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    /// So many.
    PerSecond(f64),
    /// As many as the connections carry.
    Max,
}

impl Rate {
    /// None for as many as the connections carry.
    pub(crate) fn per_second(self) -> Option<f64> {
        match self {
            Rate::PerSecond(rate) => Some(rate),
            Rate::Max => None,
        }
    }
}

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    match text {
        "max" => Ok(Rate::Max),
        _ => number(text).map(Rate::PerSecond),
    }
}

pub(super) fn number(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches("/s").parse::<f64>().ok();
    number
        .filter(|number| (0.001..=FASTEST).contains(number))
        .ok_or_else(|| "give requests per second, from 0.001 to 10000000".to_owned())
}

pub(super) fn whole(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse::<usize>().ok();
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

/// A name that conditions can hold.
pub(super) fn name(text: &str) -> Result<String, String> {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    match begins && text.len() <= 40 && text.bytes().all(valid) {
        true if text != "warm" => Ok(text.to_owned()),
        true => Err("\"warm\" is the name of the series beside it".to_owned()),
        false => Err("a name is of a-z, 0-9 and -, and begins with a letter".to_owned()),
    }
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("give NAME=TARGET, with an equals sign between".to_owned()),
    }
}

pub(super) fn named_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("give NAME=VALUE, with an equals sign between")?;
    let name: HeaderName = name
        .parse()
        .map_err(|_| format!("{name:?} is no header name"))?;
    Ok((name.as_str().to_owned(), value.trim().to_owned()))
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    whole(text, 64)
}

pub(super) fn connections(text: &str) -> Result<usize, String> {
    whole(text, 100_000)
}

/// More than servers allow on one connection; what is beyond that waits in the client.
pub(super) fn streams(text: &str) -> Result<usize, String> {
    whole(text, 1000)
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("give more than nothing".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_or_max() {
        assert_eq!(rate("max"), Ok(Rate::Max));
        assert_eq!(rate("1000"), Ok(Rate::PerSecond(1000.0)));
        assert_eq!(rate("0.5/s"), Ok(Rate::PerSecond(0.5)));
        for wrong in ["", "0", "-1", "nan", "inf", "fast", "1e9"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_fit_into_conditions() {
        assert!(name("thaw-2").is_ok());
        for wrong in ["", "warm", "2", "a.b", "A", "a b"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
