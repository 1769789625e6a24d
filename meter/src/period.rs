//! Minutes, hours, days and months of the calendar, in UTC, as seconds since 1970.

/// A part of the calendar. Leap seconds do not exist, as in POSIX time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// 60 seconds.
    Minute,
    /// 3600 seconds.
    Hour,
    /// 86,400 seconds, from midnight UTC.
    Day,
    /// From the first of a month, midnight UTC.
    Month,
}

impl Period {
    /// Those that rows are kept of.
    pub const KEPT: [Period; 3] = [Period::Minute, Period::Hour, Period::Day];

    /// Its number in the store.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Month => "month",
        }
    }

    /// From that word.
    pub fn parse(text: &str) -> Option<Period> {
        let all = [Period::Minute, Period::Hour, Period::Day, Period::Month];
        all.into_iter().find(|period| period.name() == text)
    }

    /// The beginning of the one that holds this second.
    pub fn start(self, second: u64) -> u64 {
        match self {
            Period::Minute => second - second % 60,
            Period::Hour => second - second % 3600,
            Period::Day => second - second % 86_400,
            Period::Month => {
                let (year, month, _) = civil(second / 86_400);
                days(year, month, 1) * 86_400
            }
        }
    }

    /// The beginning of the one after that.
    pub fn next(self, second: u64) -> u64 {
        let start = self.start(second);
        match self {
            Period::Minute => start + 60,
            Period::Hour => start + 3600,
            Period::Day => start + 86_400,
            Period::Month => {
                let (year, month, _) = civil(second / 86_400);
                start + days_of_month(year, month) * 86_400
            }
        }
    }
}

/// Days of a month, 1 to 12.
pub fn days_of_month(year: u64, month: u64) -> u64 {
    let next = match month {
        12 => days(year + 1, 1, 1),
        _ => days(year, month + 1, 1),
    };
    next - days(year, month, 1)
}

/// As `2026-11-21T22:05:00Z` (RFC 3339).
pub fn show_time(second: u64) -> String {
    let (year, month, day) = civil(second / 86_400);
    let rest = second % 86_400;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// From `2026-11-21`, `2026-11-21T22:05`, `2026-11-21T22:05:00Z` or seconds since 1970; all in UTC.
pub fn parse_time(text: &str) -> Option<u64> {
    if !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let number = |text: &str| {
        let digits = !text.is_empty() && text.len() <= 4;
        let digits = digits && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let mut parts = time.splitn(3, ':').map(number);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None => 0,
    };
    let fits = (1..=days_of_month(year, month)).contains(&day);
    let fits = fits && hour < 24 && minute < 60 && second < 60;
    fits.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since 1970 of a date of the Gregorian calendar, from 1970 on: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
pub fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let of_era = year - era * 400;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of so many days since 1970: the same, `civil_from_days`.
pub fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, second) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-11-21T22:05:00Z", 1_795_298_700),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(show_time(second), text);
            assert_eq!(parse_time(text), Some(second), "{text}");
        }
        assert_eq!(parse_time("2026-11-21"), parse_time("2026-11-21T00:00:00Z"));
        assert_eq!(parse_time("2026-11-21 22:05"), Some(1_795_298_700));
        assert_eq!(parse_time("1795298700"), Some(1_795_298_700));
        for wrong in [
            "",
            "x",
            "2026-13-01",
            "2026-02-29",
            "2026-11-21T24:00",
            "1969-12-31",
            "2026-11",
            "2026-11-21T1:2:3:4",
            "99999999999999",
            "2026--1-01",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
        let month = Period::Month.start(1_795_298_700);
        assert_eq!(show_time(month), "2026-11-01T00:00:00Z");
        assert_eq!(show_time(Period::Month.next(month)), "2026-12-01T00:00:00Z");
        assert_eq!(days_of_month(2024, 2), 29);
    }

    proptest! {
        #[test]
        fn periods_nest_and_hold_their_seconds(second in 0_u64..200_000_000_000) {
            for period in [Period::Minute, Period::Hour, Period::Day, Period::Month] {
                let (start, next) = (period.start(second), period.next(second));
                prop_assert!(start <= second && second < next);
                prop_assert_eq!(period.start(next - 1), start);
                prop_assert_eq!(period.start(next), next);
                prop_assert_eq!(Period::Minute.start(start), start);
            }
            if second < 250_000_000_000 {
                prop_assert_eq!(parse_time(&show_time(second)), (second < 253_402_300_800).then_some(second));
            }
        }
    }
}
