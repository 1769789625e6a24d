//! What went wrong, as problem documents (RFC 9457).

use std::fmt;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use stoker_gateway::{Entry, Snapshot};

use crate::near::near;
use crate::wire::ProblemDocument;

/// An answer that says what went wrong.
#[derive(Debug)]
pub(super) struct Problem {
    kind: Kind,
    /// One lower-case sentence that names what is right.
    detail: String,
    errors: Vec<String>,
}

/// The stable kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    UnknownRoute,
    UnknownFunction,
    UnknownKey,
    KeyConflict,
    InvalidKey,
    MethodNotAllowed,
    RequestTimeout,
    BodyTooLarge,
    InvalidScale,
    InvalidConfiguration,
    TooManyFollowers,
    NotReady,
    UpgradeFailed,
    Busy,
    PolicyConflict,
    UnknownRevision,
    UnknownAlias,
    UnknownSecret,
    UnknownCanary,
    UnknownDeployment,
    NotPublished,
    FunctionConflict,
    RevisionConflict,
    PublishConflict,
    RegistryFull,
    InvalidPackage,
    InvalidRevision,
    UnsupportedMedia,
    NoAnswer,
    Unproven,
    Unavailable,
    NoBooks,
    InvalidBudget,
    Internal,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// With each thing that is wrong.
    pub(super) fn with_errors(mut self, errors: Vec<String>) -> Self {
        self.errors = errors;
        self
    }

    /// Of the response.
    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// No such function, with those that may have been meant.
    pub(super) fn unknown_function(name: &str, snapshot: &Snapshot) -> Self {
        let known = snapshot.functions.keys().map(|name| &**name);
        let near: Vec<String> = near(name, known)
            .iter()
            .map(|name| format!("{name:?}"))
            .collect();
        let shown: String = name.chars().take(100).collect();
        let hint = match (near.as_slice(), snapshot.functions.len()) {
            (_, 0) => "no function is configured".to_owned(),
            ([], count) => format!("GET /v1/functions lists all {count}"),
            (near, _) => format!("did you mean {}?", near.join(" or ")),
        };
        Self::new(
            Kind::UnknownFunction,
            format!("there is no function {shown:?}; {hint}"),
        )
    }
}

/// The function of that name, or one revision of it: `NAME:ALIAS`.
pub(super) fn find<'s>(
    snapshot: &'s Snapshot,
    name: &str,
) -> Result<&'s std::sync::Arc<Entry>, Problem> {
    snapshot
        .find(name)
        .ok_or_else(|| Problem::unknown_function(name, snapshot))
}

impl Kind {
    /// Of the response.
    pub(super) fn status(self) -> StatusCode {
        self.facts().1
    }

    /// In words.
    pub(super) fn title(self) -> &'static str {
        self.facts().2
    }

    /// The last part of `type`, the status and the title.
    fn facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Kind::BadRequest => (
                "bad-request",
                StatusCode::BAD_REQUEST,
                "The request is not valid",
            ),
            Kind::Unauthorized => (
                "unauthorized",
                StatusCode::UNAUTHORIZED,
                "The admin token is missing or wrong",
            ),
            Kind::UnknownRoute => (
                "not-found",
                StatusCode::NOT_FOUND,
                "The admin API has no such path",
            ),
            Kind::UnknownFunction => (
                "unknown-function",
                StatusCode::NOT_FOUND,
                "There is no such function",
            ),
            Kind::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The path does not take this method",
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
            Kind::InvalidScale => (
                "invalid-scale",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The number of instances is not valid",
            ),
            Kind::InvalidConfiguration => (
                "invalid-configuration",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The configuration is not valid",
            ),
            Kind::TooManyFollowers => (
                "too-many-followers",
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many logs are being followed",
            ),
            Kind::NotReady => (
                "not-ready",
                StatusCode::SERVICE_UNAVAILABLE,
                "The gateway takes no requests",
            ),
            Kind::UpgradeFailed => (
                "upgrade-failed",
                StatusCode::CONFLICT,
                "No other gateway has taken over",
            ),
            Kind::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gateway could not do it",
            ),
            _ => self.further_facts(),
        }
    }

    /// The same of those about roles, keys and the record.
    fn further_facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Kind::UnknownKey => ("unknown-key", StatusCode::NOT_FOUND, "There is no such key"),
            Kind::KeyConflict => (
                "key-conflict",
                StatusCode::CONFLICT,
                "The keys that there are do not allow it",
            ),
            Kind::Forbidden => (
                "forbidden",
                StatusCode::FORBIDDEN,
                "The token's role does not allow it",
            ),
            Kind::Busy => (
                "busy",
                StatusCode::SERVICE_UNAVAILABLE,
                "Too much is asked at the same time",
            ),
            Kind::NoBooks => (
                "no-books",
                StatusCode::CONFLICT,
                "No books of usage are kept",
            ),
            Kind::InvalidBudget => (
                "invalid-budget",
                StatusCode::UNPROCESSABLE_ENTITY,
                "There cannot be such a budget",
            ),
            Kind::PolicyConflict => (
                "policy-conflict",
                StatusCode::CONFLICT,
                "The policy cannot be changed like that",
            ),
            Kind::InvalidKey => (
                "invalid-key",
                StatusCode::UNPROCESSABLE_ENTITY,
                "There cannot be such a key",
            ),
            _ => self.registry_facts(),
        }
    }

    /// The same of those about what is published.
    fn registry_facts(self) -> (&'static str, StatusCode, &'static str) {
        let (name, status, title) = match self {
            Kind::UnknownRevision => ("unknown-revision", 404, "There is no such revision"),
            Kind::UnknownAlias => ("unknown-alias", 404, "There is no such alias"),
            Kind::UnknownSecret => ("unknown-secret", 404, "There is no such secret"),
            Kind::UnknownCanary => ("unknown-canary", 404, "There is no canary"),
            Kind::UnknownDeployment => ("unknown-deployment", 404, "There is no such deployment"),
            Kind::NotPublished => ("not-published", 404, "The function was not published"),
            Kind::FunctionConflict => (
                "function-conflict",
                409,
                "A function of files has this name",
            ),
            Kind::RevisionConflict => ("revision-conflict", 409, "The revisions do not allow it"),
            Kind::PublishConflict => (
                "publish-conflict",
                409,
                "The function is being published already",
            ),
            Kind::RegistryFull => ("registry-full", 409, "There is no room for more"),
            Kind::InvalidPackage => ("invalid-package", 422, "The package is refused"),
            Kind::Unproven => ("unproven", 422, "The package does not serve"),
            Kind::Unavailable => ("unavailable", 503, "The registry cannot be used"),
            Kind::UnsupportedMedia => (
                "unsupported-media-type",
                415,
                "The body is of no type that is understood",
            ),
            Kind::NoAnswer => ("no-answer", 503, "The gateway could not be called"),
            _ => ("invalid-revision", 422, "There cannot be such a thing"),
        };
        // All of these are statuses.
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (name, status, title)
    }
}

/// What happened, with each thing that is wrong on a line of its own.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        self.errors
            .iter()
            .try_for_each(|error| write!(f, "\n{error}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, status, title) = self.kind.facts();
        let document = ProblemDocument {
            kind: format!("urn:stoker:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == Kind::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (status, headers, Json(document)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_an_error_with_a_name_of_its_own() {
        let kinds = [
            Kind::BadRequest,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::UnknownRoute,
            Kind::UnknownFunction,
            Kind::UnknownKey,
            Kind::KeyConflict,
            Kind::InvalidKey,
            Kind::MethodNotAllowed,
            Kind::RequestTimeout,
            Kind::BodyTooLarge,
            Kind::InvalidScale,
            Kind::InvalidConfiguration,
            Kind::TooManyFollowers,
            Kind::NotReady,
            Kind::UpgradeFailed,
            Kind::Busy,
            Kind::PolicyConflict,
            Kind::UnknownRevision,
            Kind::UnknownAlias,
            Kind::UnknownSecret,
            Kind::UnknownCanary,
            Kind::UnknownDeployment,
            Kind::NotPublished,
            Kind::FunctionConflict,
            Kind::RevisionConflict,
            Kind::PublishConflict,
            Kind::RegistryFull,
            Kind::InvalidPackage,
            Kind::InvalidRevision,
            Kind::UnsupportedMedia,
            Kind::NoAnswer,
            Kind::Unproven,
            Kind::Unavailable,
            Kind::Internal,
        ];
        let names: std::collections::BTreeSet<_> =
            kinds.iter().map(|kind| kind.facts().0).collect();
        assert_eq!(names.len(), kinds.len());
        for kind in kinds {
            let status = kind.facts().1;
            assert!(status.is_client_error() || status.is_server_error());
        }
    }

    #[tokio::test]
    async fn is_a_problem_document() {
        let problem = Problem::new(Kind::Unauthorized, "present \"it\"");
        let response = problem.with_errors(vec!["a".into()]).into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "type": "urn:stoker:problem:unauthorized",
                "title": "The admin token is missing or wrong",
                "status": 401,
                "detail": "present \"it\"",
                "errors": ["a"],
            })
        );
    }
}
