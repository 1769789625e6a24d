//! The gateway's own answers: problem documents as RFC 9457 has them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use stoker_core::FailureKind;
use stoker_scaler::AcquireError;

use crate::identity::RequestId;
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
}

/// The stable kinds. Each is a `type`, a status and a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    BodyTooLarge,
    QueueFull,
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
    /// The last part of `type`, the status and the title.
    pub(crate) fn facts(self) -> (&'static str, StatusCode, &'static str) {
        use ProblemKind as Kind;
        match self {
            Kind::BadRequest => (
                "bad-request",
                StatusCode::BAD_REQUEST,
                "The request is not valid",
            ),
            Kind::NotFound => (
                "not-found",
                StatusCode::NOT_FOUND,
                "No function answers here",
            ),
            Kind::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The function does not take this method here",
            ),
            Kind::RequestTimeout => (
                "request-timeout",
                StatusCode::REQUEST_TIMEOUT,
                "The request did not arrive in time",
            ),
            Kind::BodyTooLarge => (
                "body-too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request's body is too long",
            ),
            Kind::QueueFull => (
                "queue-full",
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many requests are waiting",
            ),
            Kind::QueueTimeout => (
                "queue-timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "No instance came free in time",
            ),
            Kind::StartFailed => (
                "start-failed",
                StatusCode::BAD_GATEWAY,
                "The function does not start",
            ),
            Kind::ShuttingDown => (
                "shutting-down",
                StatusCode::SERVICE_UNAVAILABLE,
                "The gateway is shutting down",
            ),
            Kind::ConnectFailed => (
                "connect-failed",
                StatusCode::BAD_GATEWAY,
                "The function cannot be reached",
            ),
            Kind::InstanceLost => (
                "instance-lost",
                StatusCode::BAD_GATEWAY,
                "The function broke off the request",
            ),
            Kind::InvalidResponse => (
                "invalid-response",
                StatusCode::BAD_GATEWAY,
                "The function did not answer in HTTP",
            ),
            Kind::FirstByteTimeout => (
                "first-byte-timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "The function did not begin to answer in time",
            ),
            Kind::TotalTimeout => (
                "total-timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "The request took too long",
            ),
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
        }
    }

    /// Why there was no slot.
    pub(crate) fn from_acquire(error: &AcquireError) -> Self {
        let kind = match error {
            AcquireError::QueueFull => ProblemKind::QueueFull,
            AcquireError::Expired(Some(failure)) if failure.kind == FailureKind::NeverListened => {
                ProblemKind::StartFailed
            }
            AcquireError::Expired(_) => ProblemKind::QueueTimeout,
            AcquireError::StartFailed(_) => ProblemKind::StartFailed,
            AcquireError::ShuttingDown => ProblemKind::ShuttingDown,
        };
        let mut problem = Problem::new(kind, error.to_string());
        if matches!(error, AcquireError::QueueFull | AcquireError::ShuttingDown) {
            problem.retry_after = Some(Duration::from_secs(1));
        }
        problem
    }

    /// The status that the caller sees.
    pub(crate) fn status(&self) -> StatusCode {
        self.kind.facts().1
    }

    /// The answer itself.
    pub(crate) fn into_response(
        self,
        function: Option<&str>,
        id: &RequestId,
    ) -> Response<ResponseBody> {
        let (name, status, title) = self.kind.facts();
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

        let mut response = Response::new(ResponseBody::full(Bytes::from(text)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
        headers.insert(crate::identity::REQUEST_ID, id.to_header());
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
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
