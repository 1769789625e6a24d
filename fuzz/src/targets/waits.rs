//! How long callers say that they wait.

use std::time::Duration;

use http::header::HeaderMap;
use stoker_gateway::fuzzing::{call_deadline, caller_wait};

use super::header_map;

const PREFER: &str = "prefer";
const STOKER_WAIT: &str = "stoker-wait";
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// A wait is the least of what the three headers say, one at a time; gRPC's is what its
/// specification says, and the others are in the unit that they name.
pub(crate) fn run(data: &[u8]) {
    let headers = header_map(data);
    let wait = caller_wait(&headers);
    let each = [PREFER, STOKER_WAIT, GRPC_TIMEOUT].map(|name| caller_wait(&only(&headers, name)));
    assert_eq!(wait, each.into_iter().flatten().min());
    assert!(wait.is_none_or(|wait| wait >= Duration::from_millis(1)));

    let deadline = headers
        .get(GRPC_TIMEOUT)
        .and_then(|value| grpc(value.as_bytes()));
    assert_eq!(
        call_deadline(&headers).map(|time| time.as_nanos()),
        deadline
    );
    let least = |nanos: u128| nanos.max(1_000_000);
    assert_eq!(each[2].map(|wait| wait.as_nanos()), deadline.map(least));

    if let (Some(wait), Some(text)) = (each[1], text(&headers, STOKER_WAIT)) {
        let plain = |c: char| c.is_ascii_digit() || "ms. \t".contains(c);
        assert!(text.chars().all(plain), "{text:?} is {wait:?}");
        assert!(text.contains(|c: char| c.is_ascii_digit()), "{text:?}");
        let whole: Option<u64> = text.trim().parse().ok();
        let agrees = |seconds| wait.as_secs() == seconds || wait < Duration::from_millis(2);
        // A double holds these exactly.
        let exact = whole.filter(|&seconds| seconds < 1 << 53);
        assert!(exact.is_none_or(agrees), "{text:?} is {wait:?}");
    }
    if let Some(wait) = each[0] {
        let lines = headers.get_all(PREFER).iter();
        let said: Vec<u8> = lines.flat_map(|line| line.as_bytes()).copied().collect();
        let said = String::from_utf8_lossy(&said).to_ascii_lowercase();
        assert!(said.contains("wait"), "{said:?}");
        let digits = match wait.as_secs() {
            0 => "0".to_owned(),
            seconds => seconds.to_string(),
        };
        assert!(said.contains(&digits), "{said:?} is {wait:?}");
    }
}

fn only(headers: &HeaderMap, name: &'static str) -> HeaderMap {
    let mut one = HeaderMap::new();
    for value in headers.get_all(name) {
        one.append(name, value.clone());
    }
    one
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `TimeoutValue TimeoutUnit` in nanoseconds (gRPC over HTTP/2, Requests).
fn grpc(value: &[u8]) -> Option<u128> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let mut count = 0;
    for digit in digits {
        count = count * 10 + u128::from(digit.checked_sub(b'0').filter(|&digit| digit < 10)?);
    }
    let nanos = match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    Some(count * nanos)
}
