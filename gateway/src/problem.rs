//! The gateway's own answers: problem documents as RFC 9457 has them.

pub(crate) mod grpc;

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use stoker_core::FailureKind;
use stoker_scaler::AcquireError;

use crate::identity::RequestId;
use crate::link::OurTurn;
use crate::response::ResponseBody;

/// Says who made a response: `gateway` or `function`.
pub(crate) const ORIGIN: http::HeaderName = http::HeaderName::from_static("stoker-origin");

/// An answer that the gateway gives itself.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    /// One lower-case sentence on what happened here.
    pub(crate) detail: String,
    /// When the caller may try again.
    pub(crate) retry_after: Option<Duration>,
    /// For `Allow`.
    pub(crate) allow: Option<String>,
    /// Further headers of the answer.
    pub(crate) headers: Box<HeaderMap>,
    /// What follows on the connection cannot be trusted.
    pub(crate) close: bool,
}

/// The stable kinds. Each is a `type`, a status and a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Misdirected,
    RequestTimeout,
    BodyTooLarge,
    HeadTooLarge,
    TooManyRequests,
    BudgetSpent,
    KeysUnavailable,
    QueueFull,
    TooLate,
    Overloaded,
    QueueTimeout,
    StartFailed,
    ShuttingDown,
    ConnectFailed,
    InstanceLost,
    InvalidResponse,
    FirstByteTimeout,
    TotalTimeout,
}

impl ProblemKind {
    /// The last part of `type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ProblemKind::BadRequest => "bad-request",
            ProblemKind::Unauthorized => "unauthorized",
            ProblemKind::Forbidden => "forbidden",
            ProblemKind::NotFound => "not-found",
            ProblemKind::MethodNotAllowed => "method-not-allowed",
            ProblemKind::Misdirected => "misdirected",
            ProblemKind::RequestTimeout => "request-timeout",
            ProblemKind::BodyTooLarge => "body-too-large",
            ProblemKind::HeadTooLarge => "head-too-large",
            ProblemKind::TooManyRequests => "too-many-requests",
            ProblemKind::BudgetSpent => "budget-spent",
            ProblemKind::KeysUnavailable => "keys-unavailable",
            ProblemKind::QueueFull => "queue-full",
            ProblemKind::TooLate => "too-late",
            ProblemKind::Overloaded => "overloaded",
            ProblemKind::QueueTimeout => "queue-timeout",
            ProblemKind::StartFailed => "start-failed",
            ProblemKind::ShuttingDown => "shutting-down",
            ProblemKind::ConnectFailed => "connect-failed",
            ProblemKind::InstanceLost => "instance-lost",
            ProblemKind::InvalidResponse => "invalid-response",
            ProblemKind::FirstByteTimeout => "first-byte-timeout",
            ProblemKind::TotalTimeout => "total-timeout",
        }
    }

    /// The status that the caller sees.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            ProblemKind::BadRequest => StatusCode::BAD_REQUEST,
            ProblemKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ProblemKind::Forbidden => StatusCode::FORBIDDEN,
            ProblemKind::NotFound => StatusCode::NOT_FOUND,
            ProblemKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ProblemKind::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            ProblemKind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            ProblemKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemKind::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            ProblemKind::TooManyRequests | ProblemKind::BudgetSpent => {
                StatusCode::TOO_MANY_REQUESTS
            }
            ProblemKind::QueueFull
            | ProblemKind::TooLate
            | ProblemKind::Overloaded
            | ProblemKind::ShuttingDown
            | ProblemKind::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ProblemKind::QueueTimeout
            | ProblemKind::FirstByteTimeout
            | ProblemKind::TotalTimeout => StatusCode::GATEWAY_TIMEOUT,
            ProblemKind::StartFailed
            | ProblemKind::ConnectFailed
            | ProblemKind::InstanceLost
            | ProblemKind::InvalidResponse => StatusCode::BAD_GATEWAY,
        }
    }

    fn title(self) -> &'static str {
        match self {
            ProblemKind::BadRequest => "The request is not valid",
            ProblemKind::Unauthorized => "The function needs a key or a token",
            ProblemKind::Forbidden => "The caller may not do this",
            ProblemKind::NotFound => "No function answers here",
            ProblemKind::MethodNotAllowed => "The function does not take this method here",
            ProblemKind::Misdirected => "The request is for another connection",
            ProblemKind::RequestTimeout => "The request did not arrive in time",
            ProblemKind::BodyTooLarge => "The request's body is too long",
            ProblemKind::HeadTooLarge => "The request's line and headers are too long",
            ProblemKind::TooManyRequests => "Too many requests",
            ProblemKind::BudgetSpent => "The function has used up its budget",
            ProblemKind::KeysUnavailable => "Tokens cannot be checked now",
            ProblemKind::QueueFull => "Too many requests are waiting",
            ProblemKind::TooLate => "No instance will come free in time",
            ProblemKind::Overloaded => "The gateway has too much to do",
            ProblemKind::QueueTimeout => "No instance came free in time",
            ProblemKind::StartFailed => "The function does not start",
            ProblemKind::ShuttingDown => "The gateway is shutting down",
            ProblemKind::ConnectFailed => "The function cannot be reached",
            ProblemKind::InstanceLost => "The function broke off the request",
            ProblemKind::InvalidResponse => "The function did not answer in HTTP",
            ProblemKind::FirstByteTimeout => "The function did not begin to answer in time",
            ProblemKind::TotalTimeout => "The request took too long",
        }
    }
}

impl Problem {
    /// A problem without further advice.
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Problem {
            kind,
            detail: detail.into(),
            retry_after: None,
            allow: None,
            headers: Box::default(),
            close: false,
        }
    }

    /// Why there was no slot.
    pub(crate) fn from_acquire(error: &AcquireError) -> Self {
        let kind = match error {
            AcquireError::QueueFull => ProblemKind::QueueFull,
            AcquireError::TooLate(_) => ProblemKind::TooLate,
            AcquireError::Expired(Some(failure)) if failure.kind == FailureKind::NeverListened => {
                ProblemKind::StartFailed
            }
            AcquireError::Expired(_) => ProblemKind::QueueTimeout,
            AcquireError::StartFailed(_) => ProblemKind::StartFailed,
            AcquireError::ShuttingDown => ProblemKind::ShuttingDown,
        };
        let mut problem = Problem::new(kind, error.to_string());
        problem.retry_after = match error {
            AcquireError::TooLate(expected) => Some(*expected),
            AcquireError::QueueFull | AcquireError::ShuttingDown => Some(Duration::from_secs(1)),
            AcquireError::Expired(_) | AcquireError::StartFailed(_) => None,
        };
        problem
    }

    /// The answer itself; for a gRPC call in gRPC's own form.
    pub(crate) fn into_response(
        self,
        function: Option<&str>,
        (id, grpc): (&RequestId, bool),
        turn: OurTurn,
    ) -> Response<ResponseBody> {
        if grpc {
            return grpc::response(&self, id, turn);
        }
        let (name, status, title) = (self.kind.name(), self.kind.status(), self.kind.title());
        let mut text = format!(
            "{{\"type\":\"urn:stoker:problem:{name}\",\"title\":\"{title}\",\"status\":{},\"detail\":",
            status.as_u16()
        );
        push_json_string(&mut text, &self.detail);
        if let Some(function) = function {
            text.push_str(",\"function\":");
            push_json_string(&mut text, function);
        }
        text.push_str(",\"request_id\":");
        push_json_string(&mut text, id.as_str());
        text.push_str("}\n");

        let mut response = Response::new(ResponseBody::full(Bytes::from(text), turn));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
        headers.insert(crate::identity::REQUEST_ID, id.to_header());
        headers.extend(*self.headers);
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let allow = self
            .allow
            .and_then(|methods| HeaderValue::try_from(methods).ok());
        if let Some(allow) = allow {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

/// Appends `text` as a JSON string (RFC 8259 section 7).
fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{0}'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", character as u32)),
            _ => out.push(character),
        }
    }
    out.push('"');
}
