//! The gateway's own answers to gRPC calls: a status in place of a document, as the protocol over
//! HTTP/2 has it ("Trailers-Only" of `PROTOCOL-HTTP2.md`).

use bytes::Bytes;
use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{ORIGIN, Problem, ProblemKind};
use crate::identity::{REQUEST_ID, RequestId};
use crate::link::OurTurn;
use crate::response::ResponseBody;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// True if the request is a gRPC call.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        let rest = value.strip_prefix(b"application/grpc");
        // Not grpc-web, which is another protocol.
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    })
}

pub(super) fn response(problem: &Problem, id: &RequestId, turn: OurTurn) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(Bytes::new(), turn));
    let headers = response.headers_mut();
    let call = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, call);
    headers.insert(STATUS, HeaderValue::from(status(problem.kind)));
    if let Ok(message) = HeaderValue::try_from(encode(&problem.detail)) {
        headers.insert(MESSAGE, message);
    }
    headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
    headers.insert(REQUEST_ID, id.to_header());
    response
}

/// The code of gRPC's `statuscodes.md` that makes clients do what is right.
fn status(kind: ProblemKind) -> u16 {
    const INVALID_ARGUMENT: u16 = 3;
    const DEADLINE_EXCEEDED: u16 = 4;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const FAILED_PRECONDITION: u16 = 9;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match kind {
        ProblemKind::BadRequest => INVALID_ARGUMENT,
        ProblemKind::NotFound | ProblemKind::MethodNotAllowed => UNIMPLEMENTED,
        ProblemKind::RequestTimeout
        | ProblemKind::QueueTimeout
        | ProblemKind::FirstByteTimeout
        | ProblemKind::TotalTimeout => DEADLINE_EXCEEDED,
        ProblemKind::Unauthorized => UNAUTHENTICATED,
        ProblemKind::Forbidden => PERMISSION_DENIED,
        ProblemKind::BodyTooLarge
        | ProblemKind::HeadTooLarge
        | ProblemKind::TooManyRequests
        | ProblemKind::BudgetSpent => RESOURCE_EXHAUSTED,
        ProblemKind::InvalidResponse => INTERNAL,
        ProblemKind::Misdirected => FAILED_PRECONDITION,
        ProblemKind::QueueFull
        | ProblemKind::TooLate
        | ProblemKind::Overloaded
        | ProblemKind::KeysUnavailable
        | ProblemKind::StartFailed
        | ProblemKind::ShuttingDown
        | ProblemKind::ConnectFailed
        | ProblemKind::InstanceLost => UNAVAILABLE,
    }
}

/// Percent-encodes as gRPC wants it: all but printable ASCII, and the percent sign.
fn encode(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => {
                let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
                out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_their_type() {
        let call = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            is_call(&headers)
        };
        assert!(call("application/grpc"));
        assert!(call("application/grpc+proto"));
        assert!(call("application/grpc;x=y"));
        assert!(!call("application/grpc-web"));
        assert!(!call("application/json"));
        assert!(!is_call(&HeaderMap::new()));
    }

    #[test]
    fn messages_are_printable() {
        assert_eq!(encode("100 % sure\nüber"), "100 %25 sure%0A%C3%BCber");
    }
}
