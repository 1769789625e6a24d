//! How long the caller says that it will wait.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// `Prefer: wait=10` (RFC 7240 section 4.3), in whole seconds.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Our own, with a unit: `250ms`, `1.5s`; seconds without one.
const STOKER_WAIT: HeaderName = HeaderName::from_static("stoker-wait");
/// gRPC's deadline: up to eight digits and one of `H`, `M`, `S`, `m`, `u`, `n`.
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Even who will not wait at all is served by an instance that is free.
const LEAST: Duration = Duration::from_millis(1);

/// The shortest of what the headers say, at least 1 ms. What cannot be read says nothing.
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    shortest(headers).map(|wait| wait.max(LEAST))
}

/// The deadline of a gRPC call, from its arrival.
pub(crate) fn of_call(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(GRPC_TIMEOUT)?
        .to_str()
        .ok()
        .and_then(grpc_timeout)
}

fn shortest(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    [
        headers.get_all(PREFER).iter().find_map(|value| {
            let preferences = value.to_str().ok()?.split(',');
            preferences.into_iter().find_map(prefer_wait)
        }),
        text(&STOKER_WAIT).and_then(stoker_wait),
        text(&GRPC_TIMEOUT).and_then(grpc_timeout),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// One preference: `wait=N`, its value perhaps in quotes, perhaps with parameters behind it.
fn prefer_wait(preference: &str) -> Option<Duration> {
    let (name, value) = preference.split(';').next()?.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    whole(unquoted.unwrap_or(value)).map(Duration::from_secs)
}

fn stoker_wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let number = number.trim_end();
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = number.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(number * unit).ok()
}

/// `Timeout` of gRPC over HTTP/2: `TimeoutValue TimeoutUnit`.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back().filter(char::is_ascii_alphabetic)?;
    let digits = &text[..text.len() - 1];
    let value = whole(digits).filter(|_| digits.len() <= 8)?;
    Some(match unit {
        'H' => Duration::from_secs(value * 3600),
        'M' => Duration::from_secs(value * 60),
        'S' => Duration::from_secs(value),
        'm' => Duration::from_millis(value),
        'u' => Duration::from_micros(value),
        'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

fn whole(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&'static str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        shortest(&headers).map(|wait| wait.as_nanos() as u64)
    }

    #[test]
    fn prefer_is_in_seconds_and_its_first_wait_counts() {
        let second = 1_000_000_000;
        for (value, expected) in [
            ("wait=3", Some(3 * second)),
            ("respond-async, wait=10", Some(10 * second)),
            ("Wait = \"7\"; foo=bar, wait=1", Some(7 * second)),
            ("wait", None),
            ("wait=", None),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("await=3", None),
            ("return=minimal", None),
            ("wait=99999999999999999999", None),
        ] {
            assert_eq!(told(&[("prefer", value)]), expected, "{value}");
        }
        let two = [("prefer", "respond-async"), ("prefer", "wait=2")];
        assert_eq!(told(&two), Some(2 * second));
    }

    #[test]
    fn our_own_header_has_a_unit() {
        for (value, millis) in [
            ("250ms", Some(250)),
            ("2", Some(2_000)),
            ("1.5s", Some(1_500)),
            (" 3 s", Some(3_000)),
            ("0", Some(0)),
            ("", None),
            ("-1s", None),
            ("1e3", None),
            ("inf", None),
            ("5m", None),
        ] {
            let expected = millis.map(|millis: u64| millis * 1_000_000);
            assert_eq!(told(&[("stoker-wait", value)]), expected, "{value}");
        }
    }

    #[test]
    fn grpc_has_six_units() {
        for (value, nanos) in [
            ("1H", Some(3_600_000_000_000)),
            ("2M", Some(120_000_000_000)),
            ("3S", Some(3_000_000_000)),
            ("99999999m", Some(99_999_999_000_000)),
            ("5u", Some(5_000)),
            ("6n", Some(6)),
            ("100000000n", None),
            ("1s", None),
            ("1", None),
            ("S", None),
            ("", None),
            ("1é", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.insert(GRPC_TIMEOUT, value.clone());
            assert!(of(&headers).is_none_or(|wait| wait >= LEAST));
            let found = shortest(&headers).map(|wait| wait.as_nanos() as u64);
            assert_eq!(found, nanos, "{value:?}");
        }
    }

    #[test]
    fn the_shortest_counts() {
        let all = [
            ("prefer", "wait=3"),
            ("stoker-wait", "700ms"),
            ("grpc-timeout", "1S"),
        ];
        assert_eq!(told(&all), Some(700_000_000));
        assert_eq!(told(&[]), None);
    }
}
