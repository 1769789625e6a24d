//! Points in time as traces write them.

/// Seconds since 1970 of `2023-11-16 18:17:03.9799600`, in whole ones and nanoseconds; a `T` may
/// stand between day and time, and a `Z` or `+00:00` at the end. None if it is not like that.
pub(super) fn parse(text: &str) -> Option<(i64, u32)> {
    let text = text
        .strip_suffix('Z')
        .or_else(|| text.strip_suffix("+00:00"))
        .unwrap_or(text);
    let (day, time) = text.split_once([' ', 'T'])?;
    let mut day = day.splitn(3, '-').map(digits);
    let (year, month, day) = (day.next()??, day.next()??, day.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(digits);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid || fraction.len() > 9 {
        return None;
    }
    let nanoseconds = match fraction {
        "" => 0,
        digits => self::digits(digits)? * 10_i64.pow(9 - digits.len() as u32),
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds, u32::try_from(nanoseconds).ok()?))
}

fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Days since 1970: Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// date --utc --date '...' +%s
    #[test]
    fn times_are_those_of_date() {
        for (text, seconds, nanoseconds) in [
            ("1970-01-01 00:00:00", 0, 0),
            ("2023-11-16 18:17:03.9799600", 1_700_158_623, 979_960_000),
            ("2024-02-29T23:59:59.5Z", 1_709_251_199, 500_000_000),
            ("2024-03-01 00:00:00+00:00", 1_709_251_200, 0),
        ] {
            assert_eq!(parse(text), Some((seconds, nanoseconds)), "{text}");
        }
        for text in [
            "",
            "2023-11-16",
            "2023-13-16 18:17:03",
            "2023-11-16 18:17",
            "2023-11-16 24:00:00",
            "x-11-16 18:17:03",
            "2023-11-16 18:17:03.1234567890",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
