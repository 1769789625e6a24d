//! Requests to change the protocol: `Upgrade` over HTTP/1.1 (RFC 9110 section 7.8), and WebSocket
//! over HTTP/2 (RFC 8441).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;

use crate::identity;
use crate::upstream::has_token;

const KEY: HeaderName = header::SEC_WEBSOCKET_KEY;
const ACCEPT: HeaderName = header::SEC_WEBSOCKET_ACCEPT;

/// A caller's wish for another protocol.
pub(crate) struct Upgrade {
    /// What it asks for.
    pub(crate) protocol: HeaderValue,
    /// The connection, once the protocol is switched.
    pub(crate) on: OnUpgrade,
    /// It came over HTTP/2.
    extended: bool,
}

impl Upgrade {
    /// What the request asks for, if that can be had. An extended CONNECT becomes the GET that
    /// WebSocket begins with over HTTP/1.1.
    ///
    /// HTTP/2 is not switched to in this way: RFC 9113 has abolished it, and it has let requests
    /// past proxies unseen.
    pub(crate) fn take(parts: &mut Parts) -> Option<Self> {
        let extended = parts.method == Method::CONNECT;
        let protocol = if extended {
            let protocol = parts.extensions.get::<Protocol>()?;
            if protocol.as_str() != "websocket" {
                return None;
            }
            HeaderValue::from_static("websocket")
        } else {
            wanted(parts)?
        };
        let on = parts.extensions.remove::<OnUpgrade>()?;
        if extended {
            parts.method = Method::GET;
            parts.headers.insert(KEY, key());
        }
        Some(Upgrade {
            protocol,
            on,
            extended,
        })
    }

    /// True for WebSocket.
    pub(crate) fn is_websocket(&self) -> bool {
        self.protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
    }

    /// True if an answer with this status, which switches nothing, would be taken for one that does
    /// (RFC 8441 section 4).
    pub(crate) fn is_mistaken_for(&self, status: StatusCode) -> bool {
        self.extended && status.is_success()
    }

    /// Completes the answer that switches: its status, and the fields that say to what.
    pub(crate) fn answer(&self, headers: &mut HeaderMap, chosen: HeaderValue) -> StatusCode {
        if self.extended {
            headers.remove(ACCEPT);
            return StatusCode::OK;
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, chosen);
        StatusCode::SWITCHING_PROTOCOLS
    }
}

/// The protocols that the request asks to be switched to.
pub(crate) fn wanted(parts: &Parts) -> Option<HeaderValue> {
    if parts.version != Version::HTTP_11 {
        return None;
    }
    let protocol = parts.headers.get(header::UPGRADE)?;
    let connection = parts.headers.get_all(header::CONNECTION);
    let asked = connection.iter().any(|value| has_token(value, "upgrade"));
    let http2 = ["h2c", "h2"].iter().any(|name| has_token(protocol, name));
    let body = parts.headers.contains_key(header::TRANSFER_ENCODING)
        || parts
            .headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    (asked && !http2 && !body).then(|| protocol.clone())
}

/// Sixteen bytes in base64: over HTTP/2 the caller sends none, and the key keeps nobody out.
fn key() -> HeaderValue {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = [0; 18];
    for (place, word) in bytes
        .chunks_mut(8)
        .zip([identity::random(), identity::random()])
    {
        let word = word.to_be_bytes();
        place.copy_from_slice(&word[..place.len()]);
    }
    let mut text = [b'='; 24];
    for (group, out) in bytes.chunks(3).zip(text.chunks_mut(4)) {
        let number = group
            .iter()
            .fold(0_u32, |number, &byte| (number << 8) | u32::from(byte));
        for (index, digit) in out.iter_mut().enumerate() {
            *digit = DIGITS[(number >> (18 - 6 * index)) as usize & 63];
        }
    }
    // The last group has one byte of the sixteen: two digits, the second of which has two bits.
    text[21] = DIGITS[0];
    text[22..].copy_from_slice(b"==");
    HeaderValue::from_bytes(&text).expect("base64 is a valid value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(fields: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().uri("/");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_is_asked_for() {
        let asked = |fields: &[_]| wanted(&parts(fields)).map(|v| v.to_str().unwrap().to_owned());
        let websocket = ("upgrade", "websocket");
        assert_eq!(
            asked(&[websocket, ("connection", "keep-alive, Upgrade")]),
            Some("websocket".into())
        );
        assert_eq!(asked(&[websocket]), None);
        assert_eq!(
            asked(&[("upgrade", "h2c"), ("connection", "upgrade")]),
            None
        );
        assert_eq!(
            asked(&[("upgrade", "foo, h2c"), ("connection", "upgrade")]),
            None
        );
        let body = ("content-length", "5");
        assert_eq!(asked(&[websocket, ("connection", "upgrade"), body]), None);
    }

    #[test]
    fn keys_are_sixteen_bytes() {
        let key = key();
        let text = key.to_str().unwrap();
        assert_eq!(text.len(), 24);
        assert!(text.ends_with("A=="), "{text}");
        assert!(text[..22].bytes().all(|b| b != b'='));
    }
}
