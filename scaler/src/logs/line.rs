//! One line of a function's log.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stoker_core::InstanceId;

use super::time::LogTime;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// The instance's standard output: `out`.
    #[serde(rename = "out")]
    Stdout,
    /// The instance's standard error: `err`.
    #[serde(rename = "err")]
    Stderr,
    /// The gateway itself: `sys`.
    #[serde(rename = "sys")]
    Sys,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
            Stream::Sys => "sys",
        })
    }
}

/// One line of a function's log. `Display` is the form in the files, and `FromStr` reads it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When its end was read.
    pub time: LogTime,
    /// The function's name.
    pub function: Arc<str>,
    /// Which instance, if one: `12-3`.
    #[serde(serialize_with = "write_instance", deserialize_with = "read_instance")]
    pub instance: Option<InstanceId>,
    /// Where it came from.
    pub stream: Stream,
    /// Without the newline.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = Head {
            time: self.time,
            function: &self.function,
            instance: self.instance,
            stream: self.stream,
        };
        write!(f, "{head}{}", self.text)
    }
}

impl FromStr for LogLine {
    type Err = ParseLogLineError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut parts = line.splitn(5, ' ');
        let mut next = || parts.next().ok_or(ParseLogLineError::Incomplete);
        Ok(LogLine {
            time: next()?.parse()?,
            function: Arc::from(next()?),
            instance: parse_instance(next()?)?,
            stream: match next()? {
                "out" => Stream::Stdout,
                "err" => Stream::Stderr,
                "sys" => Stream::Sys,
                _ => return Err(ParseLogLineError::Stream),
            },
            text: next()?.to_owned(),
        })
    }
}

/// What stands before the text, up to the last space. All lines of a burst share one.
pub(super) struct Head<'a> {
    pub(super) time: LogTime,
    pub(super) function: &'a str,
    pub(super) instance: Option<InstanceId>,
    pub(super) stream: Stream,
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.time, self.function)?;
        match self.instance {
            Some(instance) => write!(f, "{instance} {} ", self.stream),
            None => write!(f, "- {} ", self.stream),
        }
    }
}

/// Why a line is none of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseLogLineError {
    /// It ends before its text begins.
    Incomplete,
    /// Its time is not one.
    Time,
    /// Its instance is not one.
    Instance,
    /// Its stream is not one.
    Stream,
}

impl fmt::Display for ParseLogLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseLogLineError::Incomplete => "a log line has a time, function, instance and stream",
            ParseLogLineError::Time => "the time is not like 2026-11-21T01:02:03.123456Z",
            ParseLogLineError::Instance => "the instance is neither like 12-3 nor -",
            ParseLogLineError::Stream => "the stream is none of out, err, sys",
        })
    }
}

impl std::error::Error for ParseLogLineError {}

fn parse_instance(text: &str) -> Result<Option<InstanceId>, ParseLogLineError> {
    if text == "-" {
        return Ok(None);
    }
    let (pool, count) = text.split_once('-').ok_or(ParseLogLineError::Instance)?;
    let number = |text: &str| text.parse().map_err(|_| ParseLogLineError::Instance);
    Ok(Some(InstanceId::new(number(pool)?, number(count)?)))
}

fn write_instance<S: Serializer>(id: &Option<InstanceId>, s: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => s.collect_str(id),
        None => s.serialize_none(),
    }
}

fn read_instance<'de, D: Deserializer<'de>>(d: D) -> Result<Option<InstanceId>, D::Error> {
    match Option::<String>::deserialize(d)? {
        Some(text) => parse_instance(&text).map_err(serde::de::Error::custom),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(instance: Option<InstanceId>, text: &str) -> LogLine {
        LogLine {
            time: LogTime::from_unix_micros(1_795_222_923_123_456),
            function: Arc::from("hello"),
            instance,
            stream: Stream::Stdout,
            text: text.into(),
        }
    }

    #[test]
    fn writes_and_reads_the_form_on_disk() {
        let line = line(Some(InstanceId::new(3, 1)), "some text");
        let disk = "2026-11-21T01:02:03.123456Z hello 3-1 out some text";
        assert_eq!(line.to_string(), disk);
        assert_eq!(disk.parse(), Ok(line));
    }

    #[test]
    fn texts_survive_as_they_are() {
        for text in [
            "",
            " ",
            "  two  spaces ",
            "\ttab\rreturn\0nul",
            "ünïcödé …",
            "- out -",
        ] {
            for instance in [None, Some(InstanceId::new(u32::MAX, 7))] {
                let line = line(instance, text);
                assert_eq!(line.to_string().parse(), Ok(line));
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let parse = |text: &str| text.parse::<LogLine>().unwrap_err();
        let time = "2026-11-21T01:02:03.123456Z";
        assert_eq!(parse(""), ParseLogLineError::Time);
        assert_eq!(parse("yesterday hello 3-1 out x"), ParseLogLineError::Time);
        assert_eq!(
            parse(&format!("{time} hello 3 out x")),
            ParseLogLineError::Instance
        );
        assert_eq!(
            parse(&format!("{time} hello 3-1 up x")),
            ParseLogLineError::Stream
        );
        assert_eq!(
            parse(&format!("{time} hello 3-1 out")),
            ParseLogLineError::Incomplete
        );
    }

    #[test]
    fn json_is_readable() {
        let line = line(Some(InstanceId::new(3, 1)), "x");
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(
            json,
            r#"{"time":"2026-11-21T01:02:03.123456Z","function":"hello","instance":"3-1","stream":"out","text":"x"}"#
        );
        assert_eq!(serde_json::from_str::<LogLine>(&json).unwrap(), line);
    }
}
