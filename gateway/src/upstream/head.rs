//! The head of an HTTP/1.1 response.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::fields::{has_token, is_hop_by_hop, parse_length};

/// A response with more header lines than this is refused.
const HEADERS: usize = 128;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// By its length, in bytes left.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// By the end of the connection; responses only.
    Close,
}

/// The head of an instance's answer.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    /// End-to-end headers only.
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// The connection can carry another request after this.
    pub(crate) reusable: bool,
    /// The protocol that the instance switches to.
    pub(crate) upgrade: Option<HeaderValue>,
}

impl ResponseHead {
    /// Takes a head off `input`; `None` before it is whole. Interim answers (1xx) are dropped,
    /// but for a switch of protocols if the caller asked for one (`upgrade`).
    ///
    /// # Errors
    /// A sentence on what is not HTTP in it.
    pub(crate) fn parse(
        input: &mut BytesMut,
        method: &Method,
        upgrade: bool,
    ) -> Result<Option<Self>, String> {
        loop {
            let Some(mut head) = parse_one(input, method)? else {
                return Ok(None);
            };
            if !head.status.is_informational() {
                // There it only says what could be switched to (RFC 9110 section 7.8).
                head.upgrade = None;
                return Ok(Some(head));
            }
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return match (upgrade, &head.upgrade) {
                    (true, Some(_)) => Ok(Some(head)),
                    (true, None) => Err("it switched protocols and does not say to which".into()),
                    (false, _) => Err("it switched protocols though nobody asked for it".into()),
                };
            }
        }
    }
}

fn parse_one(input: &mut BytesMut, method: &Method) -> Result<Option<ResponseHead>, String> {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, input, &mut lines)
        .map_err(|error| format!("it is not an HTTP response: {error}"))?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };

    let base = input.as_ptr() as usize;
    let mut ranges = [(0_u32, 0_u32); HEADERS];
    let mut names: Vec<HeaderName> = Vec::with_capacity(parsed.headers.len());
    for (field, range) in parsed.headers.iter().zip(&mut ranges) {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|error| format!("a header name is not valid: {error}"))?;
        let start = field.value.as_ptr() as usize - base;
        *range = (start as u32, (start + field.value.len()) as u32);
        names.push(name);
    }
    let code = parsed.code.unwrap_or(0);
    let status = StatusCode::from_u16(code).map_err(|_| format!("{code} is not a status code"))?;
    let modern = parsed.version == Some(1);
    let head = input.split_to(length).freeze();

    let mut fields = Fields::new(names.len(), modern);
    for (name, (start, end)) in names.into_iter().zip(ranges) {
        fields.take(name, head.slice(start as usize..end as usize))?;
    }
    fields.finish(status, method).map(Some)
}

/// The header lines as they are sorted out.
struct Fields {
    headers: HeaderMap,
    length: Option<u64>,
    chunked: bool,
    /// HTTP/1.1, which knows codings and stays connected unless it says otherwise.
    modern: bool,
    keeps_alive: bool,
    closes: bool,
    /// Every line of it.
    connection: Vec<HeaderValue>,
    upgrade: Option<HeaderValue>,
}

impl Fields {
    fn new(count: usize, modern: bool) -> Self {
        Fields {
            headers: HeaderMap::with_capacity(count + 4),
            length: None,
            chunked: false,
            modern,
            keeps_alive: modern,
            closes: false,
            connection: Vec::new(),
            upgrade: None,
        }
    }

    fn take(&mut self, name: HeaderName, value: Bytes) -> Result<(), String> {
        let value = HeaderValue::from_maybe_shared(value)
            .map_err(|error| format!("the value of {name} is not valid: {error}"))?;
        if name == header::CONTENT_LENGTH {
            let length = parse_length(&value).ok_or("its content-length is not a number")?;
            if self.length.is_some_and(|other| other != length) {
                return Err("it has two different content-lengths".into());
            }
            let first = self.length.is_none();
            self.length = Some(length);
            if first {
                self.headers.append(name, value);
            }
        } else if name == header::TRANSFER_ENCODING {
            // RFC 9112 sections 6.1 and 7: another coding could be neither undone here nor told to
            // the caller, HTTP/1.0 has none, and none comes twice.
            if self.chunked || !self.modern || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err("it has a transfer-encoding other than chunked".into());
            }
            self.chunked = true;
        } else if name == header::CONNECTION {
            self.closes |= has_token(&value, "close");
            self.keeps_alive |= has_token(&value, "keep-alive");
            self.connection.push(value);
        } else if name == header::UPGRADE {
            self.upgrade = Some(value);
        } else if !is_hop_by_hop(&name) {
            self.headers.append(name, value);
        }
        Ok(())
    }

    fn finish(mut self, status: StatusCode, method: &Method) -> Result<ResponseHead, String> {
        if !self.connection.is_empty() {
            let lines = self.connection.iter();
            let listed = |name: &HeaderName| lines.clone().any(|l| has_token(l, name.as_str()));
            let named: Vec<HeaderName> = self
                .headers
                .keys()
                .filter(|name| listed(name))
                .cloned()
                .collect();
            for name in named {
                self.headers.remove(name);
            }
        }
        let bodiless = *method == Method::HEAD
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || status.is_informational();
        let both = self.chunked && self.length.is_some();
        if both {
            // RFC 9112 section 6.3: the coding overrides a length, and both at once are suspect.
            self.headers.remove(header::CONTENT_LENGTH);
        }
        let framing = match (bodiless, self.chunked, self.length) {
            (true, ..) | (false, false, Some(0)) => Framing::None,
            (false, true, _) => Framing::Chunked,
            (false, false, None) => Framing::Close,
            (false, false, Some(length)) => Framing::Length(length),
        };
        let reusable = self.keeps_alive && !self.closes && !both && framing != Framing::Close;
        Ok(ResponseHead {
            status,
            headers: self.headers,
            framing,
            reusable,
            upgrade: self.upgrade,
        })
    }
}

#[cfg(test)]
mod tests;
