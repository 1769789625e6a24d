//! The header fields of a request, as the function is to see them.

use bytes::BytesMut;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Where the header fields of a request are written to: bytes for HTTP/1.1, a map for HTTP/2.
pub(crate) trait FieldSink {
    /// Begins a field.
    fn open(&mut self, name: &str);
    /// Adds to its value.
    fn push(&mut self, part: &[u8]);
    /// Ends it.
    fn close(&mut self);

    /// A whole field.
    fn field(&mut self, name: &str, value: &[u8]) {
        self.open(name);
        self.push(value);
        self.close();
    }
}

impl FieldSink for BytesMut {
    fn open(&mut self, name: &str) {
        self.reserve(name.len() + 64);
        self.extend_from_slice(name.as_bytes());
        self.extend_from_slice(b": ");
    }

    fn push(&mut self, part: &[u8]) {
        self.extend_from_slice(part);
    }

    fn close(&mut self) {
        self.extend_from_slice(b"\r\n");
    }
}

/// Fields for HTTP/2.
#[derive(Debug, Default)]
pub(crate) struct FieldMap {
    pub(crate) headers: HeaderMap,
    name: Option<HeaderName>,
    value: BytesMut,
}

impl FieldSink for FieldMap {
    fn open(&mut self, name: &str) {
        self.name = HeaderName::from_bytes(name.as_bytes()).ok();
    }

    fn push(&mut self, part: &[u8]) {
        self.value.extend_from_slice(part);
    }

    fn close(&mut self) {
        let value = HeaderValue::from_maybe_shared(self.value.split().freeze());
        // What is no field was checked before or came from one, and could not be sent anyway.
        if let (Some(name), Ok(value)) = (self.name.take(), value) {
            self.headers.append(name, value);
        }
    }
}

/// The end-to-end fields of a caller's request that `keep` lets through. Several `Cookie` fields
/// become one, as RFC 9113 section 8.2.3 wants it for those who know one only.
pub(crate) fn copy_fields(
    headers: &HeaderMap,
    out: &mut impl FieldSink,
    keep: impl Fn(&HeaderName) -> bool,
) {
    let named = names_headers(headers);
    let mut cookies = false;
    for (name, value) in headers {
        let hop = is_hop_by_hop(name) || *name == header::CONTENT_LENGTH || *name == header::EXPECT;
        if hop || (named && lists(headers, name)) || !keep(name) {
            continue;
        }
        if *name == header::COOKIE {
            cookies = true;
            continue;
        }
        out.field(name.as_str(), value.as_bytes());
    }
    if cookies {
        out.open("cookie");
        for (index, value) in headers.get_all(header::COOKIE).iter().enumerate() {
            if index > 0 {
                out.push(b"; ");
            }
            out.push(value.as_bytes());
        }
        out.close();
    }
}

/// True if the caller takes trailers (RFC 9110 section 10.1.4).
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::TE).iter();
    values.any(|value| has_token(value, "trailers"))
}

/// Headers that concern one connection only (RFC 9110 section 7.6.1 and the old habits).
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::TE
        || *name == header::UPGRADE
        || *name == header::PROXY_AUTHENTICATE
        || *name == header::PROXY_AUTHORIZATION
        || name.as_str() == "keep-alive"
        || name.as_str() == "proxy-connection"
        // Of the upgrade to HTTP/2 that RFC 9113 has abolished.
        || name.as_str() == "http2-settings"
}

/// True if `Connection` holds more than the words that name no header.
fn names_headers(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        let value = value.as_bytes();
        !value.eq_ignore_ascii_case(b"keep-alive") && !value.eq_ignore_ascii_case(b"close")
    })
}

fn lists(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .any(|value| has_token(value, name.as_str()))
}

pub(crate) fn has_token(value: &HeaderValue, token: &str) -> bool {
    value
        .as_bytes()
        .split(|&byte| byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a `Content-Length`.
pub(super) fn parse_length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    // `+3` is a number to Rust and none to HTTP.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(fields: &[(&'static str, &'static str)]) -> String {
        let headers: HeaderMap = fields
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let mut out = BytesMut::new();
        copy_fields(&headers, &mut out, |name| name != "x-dropped");
        let mut map = FieldMap::default();
        copy_fields(&headers, &mut map, |name| name != "x-dropped");
        let lines = map
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
        let text = String::from_utf8(out.to_vec()).unwrap();
        assert_eq!(lines.collect::<String>(), text);
        text
    }

    #[test]
    fn what_concerns_the_connection_stays_behind() {
        let text = copied(&[
            ("host", "example.org"),
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("content-length", "5"),
            ("upgrade", "h2c"),
            ("x-dropped", "1"),
            ("accept", "*/*"),
            ("trailer", "digest"),
        ]);
        assert_eq!(
            text,
            "host: example.org\r\naccept: */*\r\ntrailer: digest\r\n"
        );
    }

    #[test]
    fn cookies_become_one_line() {
        let mut headers = HeaderMap::new();
        for value in ["a=1", "b=2", "c=3"] {
            headers.append("cookie", HeaderValue::from_static(value));
        }
        let mut out = BytesMut::new();
        copy_fields(&headers, &mut out, |_| true);
        assert_eq!(out, "cookie: a=1; b=2; c=3\r\n");
    }
}
