//! The request's name: `X-Request-Id` and `traceparent`, kept or made.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::upstream::FieldSink;

/// The request's id, towards both sides.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The trace context of the W3C.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A caller's id longer than this is replaced.
const ID_LIMIT: usize = 128;

/// The id and the trace context of one request. A made id is the trace's id too, so that either
/// finds the other.
#[derive(Clone)]
pub(crate) struct RequestId {
    kept: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
    /// The gateway has spans of it.
    traced: bool,
    /// 32 hexadecimal digits of the trace, 16 of the span.
    digits: [u8; 48],
}

impl RequestId {
    /// Keeps what the caller sent if it is well formed, makes the rest.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kept = headers
            .get(REQUEST_ID)
            .filter(|value| is_id(value.as_bytes()))
            .cloned();
        let traceparent = headers
            .get(TRACEPARENT)
            .filter(|value| is_traceparent(value.as_bytes()))
            .cloned();
        let mut digits = [0; 48];
        for (word, place) in digits.chunks_exact_mut(16).enumerate() {
            let mut value = random();
            if word != 1 && value == 0 {
                // An id of zeros is not valid.
                value = 1;
            }
            hex(value, place);
        }
        RequestId {
            kept,
            traceparent,
            traced: false,
            digits,
        }
    }

    /// The gateway makes spans of it: the function is told the one that it is called in.
    pub(crate) fn set_traced(&mut self) {
        self.traced = true;
    }

    /// Whether the gateway makes spans of it.
    pub(crate) fn is_traced(&self) -> bool {
        self.traced
    }

    /// The trace's id: 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> &[u8] {
        match &self.traceparent {
            Some(value) => &value.as_bytes()[3..35],
            None => &self.digits[..32],
        }
    }

    /// The id of the span that the function is called in: 16 hexadecimal digits.
    pub(crate) fn span_id(&self) -> &[u8] {
        &self.digits[32..]
    }

    /// The caller's span, 16 hexadecimal digits, and whether the caller has it traced (W3C Trace
    /// Context, section 3.2.2.5.1).
    pub(crate) fn parent(&self) -> Option<(&[u8], bool)> {
        let value = self.traceparent.as_ref()?.as_bytes();
        let sampled = matches!(
            value[54],
            b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'
        );
        Some((&value[36..52], sampled))
    }

    /// A number of the request's own, evenly spread: what decides whether it is in a sample.
    pub(crate) fn lot(&self) -> u64 {
        let digits = &self.digits[16..32];
        digits.iter().fold(0, |lot, &digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                _ => digit - b'a' + 10,
            };
            lot << 4 | u64::from(value)
        })
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        let made = || std::str::from_utf8(&self.digits[..32]).unwrap_or_default();
        self.kept
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .unwrap_or_else(made)
    }

    /// The id for the response.
    pub(crate) fn to_header(&self) -> HeaderValue {
        match &self.kept {
            Some(value) => value.clone(),
            None => {
                HeaderValue::from_bytes(&self.digits[..32]).expect("hexadecimal digits are valid")
            }
        }
    }

    /// Appends both header lines for the function.
    pub(crate) fn encode(&self, out: &mut impl FieldSink) {
        out.field(REQUEST_ID.as_str(), self.as_str().as_bytes());
        match &self.traceparent {
            Some(value) if !self.traced => out.field(TRACEPARENT.as_str(), value.as_bytes()),
            _ => {
                let mut value = *b"00-................................-................-00";
                value[3..35].copy_from_slice(self.trace_id());
                value[36..52].copy_from_slice(self.span_id());
                if self.traced {
                    value[54] = b'1';
                }
                out.field(TRACEPARENT.as_str(), &value);
            }
        }
    }
}

fn is_id(value: &[u8]) -> bool {
    (1..=ID_LIMIT).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, ids not all zeros; later versions may be longer, in plain ASCII.
fn is_traceparent(value: &[u8]) -> bool {
    let hex = |range: std::ops::Range<usize>| {
        value[range]
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |range: std::ops::Range<usize>| value[range].iter().any(|&byte| byte != b'0');
    value.len() >= 55
        && (value.len() == 55 || (!value.starts_with(b"00") && value[55] == b'-'))
        && value[2] == b'-'
        && value[35] == b'-'
        && value[52] == b'-'
        && hex(0..2)
        && hex(3..35)
        && hex(36..52)
        && hex(53..55)
        && !value.starts_with(b"ff")
        && value[55..].iter().all(u8::is_ascii_graphic)
        && some(3..35)
        && some(36..52)
}

fn hex(value: u64, place: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (index, digit) in place.iter_mut().enumerate() {
        *digit = DIGITS[(value >> (60 - 4 * index)) as usize & 15];
    }
}

/// SplitMix64 seeded per thread from the system: ids must differ, not be secret.
pub(crate) fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::process::id()));
    }
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mut value = next;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn what_the_caller_sent_is_kept() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let id = RequestId::of(&headers(&[
            ("x-request-id", "abc-1"),
            ("traceparent", trace),
        ]));
        assert_eq!(id.as_str(), "abc-1");
        let mut out = BytesMut::new();
        id.encode(&mut out);
        assert_eq!(
            out,
            format!("x-request-id: abc-1\r\ntraceparent: {trace}\r\n").as_bytes()
        );
    }

    #[test]
    fn a_traced_request_names_our_span() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut id = RequestId::of(&headers(&[("traceparent", trace)]));
        assert_eq!(id.parent(), Some((&b"00f067aa0ba902b7"[..], true)));
        id.set_traced();
        let mut out = BytesMut::new();
        id.encode(&mut out);
        let text = String::from_utf8(out.to_vec()).unwrap();
        let span = std::str::from_utf8(id.span_id()).unwrap();
        let told = format!("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01\r\n");
        assert!(text.ends_with(&told), "{text}");
        assert_ne!(span, "00f067aa0ba902b7");

        let mut made = RequestId::of(&HeaderMap::new());
        assert_eq!(made.parent(), None);
        made.set_traced();
        out.clear();
        made.encode(&mut out);
        assert!(out.ends_with(b"-01\r\n"));
    }

    #[test]
    fn what_is_missing_or_malformed_is_made() {
        for bad in [
            "",
            "has space",
            "00-zz",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-m re",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-m\tre",
        ] {
            let id = RequestId::of(&headers(&[("traceparent", bad)]));
            let mut out = BytesMut::new();
            id.encode(&mut out);
            let text = String::from_utf8(out.to_vec()).unwrap();
            let made = text
                .lines()
                .nth(1)
                .unwrap()
                .strip_prefix("traceparent: ")
                .unwrap();
            assert!(is_traceparent(made.as_bytes()), "{made}");
            assert!(made.contains(id.as_str()));
        }
        let first = RequestId::of(&HeaderMap::new());
        assert_ne!(first.as_str(), RequestId::of(&HeaderMap::new()).as_str());
    }
}
