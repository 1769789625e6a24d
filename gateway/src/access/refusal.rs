//! Why a request may not go on, and what the caller is told.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use stoker_config::{RateSubject, format_duration};

use super::Access;
use super::admission::decorate;
use super::jwks::KeysWait;
use super::rate::Allowance;
use crate::problem::{Problem, ProblemKind};

/// A request that does not go on to the function.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is refused.
    Problem(Problem),
    /// It is a preflight, and this is the answer.
    Preflight(HeaderMap),
    /// It may be asked again after this.
    Wait(KeysWait),
}

impl Refusal {
    /// With headers for the answer.
    pub(super) fn with_headers(mut self, headers: HeaderMap) -> Self {
        if let Refusal::Problem(problem) = &mut self {
            decorate(&mut problem.headers, &headers);
        }
        self
    }

    pub(super) fn address(address: Option<IpAddr>) -> Self {
        let who = address.map_or_else(|| "a caller without one".to_owned(), |a| a.to_string());
        Refusal::forbidden(&format!("the address of the caller is not allowed: {who}"))
    }

    pub(super) fn method(method: &str, methods: &[String]) -> Self {
        let methods = methods.join(", ");
        let detail = format!("{method} is not among {methods}");
        let mut problem = Problem::new(ProblemKind::MethodNotAllowed, detail);
        problem.allow = Some(methods);
        Refusal::Problem(problem)
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Refusal::Problem(Problem::new(ProblemKind::Forbidden, detail))
    }

    /// `wrong` says what was presented; without it nothing was.
    pub(super) fn unauthorized(access: &Access, wrong: Option<&str>) -> Self {
        let tokens = !access.spec.jwt.issuers.is_empty();
        let keys = access.spec.level != stoker_config::AccessLevel::Anonymous;
        let needed = match (keys, tokens) {
            (true, true) => "a key or a token",
            (_, true) => "a token",
            _ => "a key",
        };
        let detail = match wrong {
            Some(wrong) => wrong.to_owned(),
            None => format!("the function needs {needed}, and the request has none"),
        };
        // RFC 6750 section 3: no error code if nothing was presented.
        let error = wrong.map_or("", |_| ", error=\"invalid_token\"");
        Refusal::challenge(ProblemKind::Unauthorized, detail, access, error)
    }

    /// RFC 6750 section 3.1: `insufficient_scope` is a 403.
    pub(super) fn scope(access: &Access, missing: &str) -> Self {
        let scopes = access.spec.jwt.scopes.join(" ").replace(['"', '\\'], "");
        let detail = format!("the token does not have the scope {missing:?}");
        let error = format!(", error=\"insufficient_scope\", scope=\"{scopes}\"");
        Refusal::challenge(ProblemKind::Forbidden, detail, access, &error)
    }

    fn challenge(kind: ProblemKind, detail: String, access: &Access, error: &str) -> Self {
        let mut problem = Problem::new(kind, detail);
        let challenge = format!("Bearer realm=\"{}\"{error}", access.function);
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            problem.headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        Refusal::Problem(problem)
    }

    pub(super) fn no_keys(issuer: &str) -> Self {
        let detail =
            format!("the keys of the issuer {issuer} cannot be had, so no token can be checked");
        Refusal::later(ProblemKind::KeysUnavailable, detail, Duration::from_secs(5))
    }

    pub(super) fn too_many_failures(after: Duration) -> Self {
        let detail = "too many wrong keys or tokens came from this address";
        Refusal::later(ProblemKind::TooManyRequests, detail.to_owned(), after)
    }

    pub(super) fn busy(limit: u32) -> Self {
        let detail = format!("the function has {limit} requests, and takes no more at once");
        Refusal::later(ProblemKind::TooManyRequests, detail, Duration::from_secs(1))
    }

    pub(super) fn rate(
        by: RateSubject,
        requests: u32,
        per: Duration,
        allowance: Allowance,
    ) -> Self {
        let whose = match by {
            RateSubject::Key => "for one key",
            RateSubject::Address => "from one address",
            RateSubject::Function => "for the function",
        };
        let detail = format!(
            "more than {requests} requests in {} {whose}",
            format_duration(per)
        );
        Refusal::later(ProblemKind::TooManyRequests, detail, allowance.retry_after)
    }

    fn later(kind: ProblemKind, detail: String, after: Duration) -> Self {
        let mut problem = Problem::new(kind, detail);
        problem.retry_after = Some(after);
        Refusal::Problem(problem)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Problem(problem)
    }
}
