//! What a report tells of its command line.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgMatches, Subcommand as _};

/// Headers whose values are nobody's business.
const SECRET: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-functions-key",
];
/// What keys of the gateway begin with.
const KEY: &str = "stk_";
const HIDDEN: &str = "...";

/// This process's command line without secrets, and every setting that was in force, by the name of
/// its option.
pub(super) fn read() -> (Vec<String>, BTreeMap<String, String>) {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let settings = settings(words.iter().skip(1).map(String::as_str));
    (hide(&words), settings)
}

/// Every setting of the command `bench ...`; none if there is no such command.
fn settings<'w>(words: impl Iterator<Item = &'w str>) -> BTreeMap<String, String> {
    let command = super::Mode::augment_subcommands(clap::Command::new("bench"));
    let matches = command.no_binary_name(false).try_get_matches_from(words);
    let mut settings = BTreeMap::new();
    if let Some((_, matches)) = matches.ok().as_ref().and_then(ArgMatches::subcommand) {
        for id in matches.ids() {
            // Groups of arguments are named like the types that they come from.
            let is_group = id
                .as_str()
                .starts_with(|first: char| first.is_ascii_uppercase());
            let Some(values) = matches.get_raw(id.as_str()).filter(|_| !is_group) else {
                continue;
            };
            let values: Vec<String> = values
                .map(|value| hide_word(&value.to_string_lossy()))
                .collect();
            settings.insert(id.as_str().replace('_', "-"), values.join(" "));
        }
    }
    settings
}

fn hide(words: &[String]) -> Vec<String> {
    words.iter().map(|word| hide_word(word)).collect()
}

/// The word without a secret that is in it: the value of some headers, and keys.
fn hide_word(word: &str) -> String {
    if let Some((before, _)) = word.split_once(':') {
        let name = before.rsplit(['=', 'H']).next().unwrap_or_default();
        let whole = [before, name].map(|name| name.trim().to_ascii_lowercase());
        if SECRET
            .iter()
            .any(|secret| whole.iter().any(|name| name == secret))
        {
            return format!("{before}: {HIDDEN}");
        }
    }
    without_keys(word)
}

/// The text without keys of the gateway.
pub(super) fn without_keys(text: &str) -> String {
    let mut parts = text.split(KEY);
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest =
            part.trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '_');
        hidden.push_str(KEY);
        hidden.push_str(HIDDEN);
        hidden.push_str(rest);
    }
    hidden
}

/// UTC to the second, as RFC 3339 has it.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

/// Year, month and day of a day since 1970 (Hinnant, "chrono-compatible low-level date algorithms",
/// `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_rfc3339() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(at(1_700_000_000), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn secrets_are_hidden() {
        for (word, shown) in [
            ("Authorization: Bearer abc", "Authorization: ..."),
            ("--header=cookie: a=b", "--header=cookie: ..."),
            ("-HX-Functions-Key:abc", "-HX-Functions-Key: ..."),
            (
                "http://h/f?code=stk_AbC_9&x=1",
                "http://h/f?code=stk_...&x=1",
            ),
            ("Accept: text/plain", "Accept: text/plain"),
            ("http://h:80/", "http://h:80/"),
        ] {
            assert_eq!(hide_word(word), shown);
        }
    }

    #[test]
    fn settings_are_told_with_their_defaults() {
        let settings = settings(["bench", "cold", "hello", "--count", "7"].into_iter());
        let told = |name: &str| settings.get(name).map(String::as_str);
        assert_eq!(told("count"), Some("7"));
        assert_eq!(told("repetitions"), Some("5"));
        assert_eq!(told("targets"), Some("hello"));
        assert_eq!(told("cold-header"), Some("stoker-start=cold"));
        assert!(settings.keys().all(|name| !name.ends_with("Args")));
    }
}
