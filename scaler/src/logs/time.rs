//! Points of civil time, as in RFC 3339, UTC, to the microsecond.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stoker_meter::{civil, days};

use super::line::ParseLogLineError;

const MICROS: u64 = 1_000_000;
const DAY_SECONDS: u64 = 86_400;
/// The end of the year 9999, the last that RFC 3339 can write.
const MAX: u64 = 253_402_300_799_999_999;

/// When a line was read: microseconds since 1970, written `2026-11-21T01:02:03.123456Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTime(u64);

impl LogTime {
    /// Now, by the system's clock.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        LogTime::from_unix_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// The time so many microseconds after the beginning of 1970, at most the end of 9999.
    pub fn from_unix_micros(micros: u64) -> Self {
        LogTime(micros.min(MAX))
    }

    /// Microseconds since the beginning of 1970.
    pub fn as_unix_micros(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / MICROS;
        let (year, month, day) = civil(seconds / DAY_SECONDS);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let micros = self.0 % MICROS;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

impl FromStr for LogTime {
    type Err = ParseLogLineError;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(ParseLogLineError::Time)
    }
}

impl Serialize for LogTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn parse(text: &str) -> Option<LogTime> {
    const SHAPE: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";
    let fits = |(b, shape): (&u8, &u8)| match shape {
        b'0' => b.is_ascii_digit(),
        _ => b == shape,
    };
    let bytes = text.as_bytes();
    if bytes.len() != SHAPE.len() || !bytes.iter().zip(SHAPE).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let count = days(year, month, day);
    // The day is right if it survives the way back: that knows the lengths of the months.
    if civil(count) != (year, month, day) {
        return None;
    }
    let seconds = count * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    Some(LogTime(seconds * MICROS + number(20, 26)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_known_times() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_000_000_000_000_001, "2001-09-09T01:46:40.000001Z"),
            (1_795_222_923_123_456, "2026-11-21T01:02:03.123456Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999999Z"),
        ];
        for (micros, text) in cases {
            let time = LogTime::from_unix_micros(micros);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
    }

    #[test]
    fn every_day_survives_both_ways_and_follows_the_one_before() {
        let mut last = (0, 0, 0);
        for count in 0..2_932_897 {
            let date = civil(count);
            assert!(date > last, "{date:?} after {last:?}");
            assert_eq!(days(date.0, date.1, date.2), count);
            last = date;
        }
        assert_eq!(last, (9999, 12, 31));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-11-21T01:02:03Z",
            "2026-11-21 01:02:03.123456Z",
            "2026-02-29T01:02:03.123456Z",
            "2026-00-01T01:02:03.123456Z",
            "2026-01-00T01:02:03.123456Z",
            "2026-13-01T01:02:03.123456Z",
            "2026-11-21T24:02:03.123456Z",
            "1969-11-21T01:02:03.123456Z",
            "2026-11-21T01:02:03.+23456Z",
            "2026-11-21T01:02:03.12345éZ",
        ] {
            assert_eq!(
                text.parse::<LogTime>(),
                Err(ParseLogLineError::Time),
                "{text:?}"
            );
        }
    }
}
