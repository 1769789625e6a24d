//! Step two: may it come in.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use http::header;
use http::request::Parts;
use stoker_config::GatewayLimits;

use super::Stop;
use crate::access::{Admission, Asking};
use crate::caller::Caller;
use crate::gateway::{Entry, Gateway, Snapshot};
use crate::problem::{Problem, ProblemKind};

/// The host that is asked for: of the request line if it names one, else of `Host`; empty for
/// HTTP/1.0 without one.
pub(crate) fn host(parts: &Parts) -> Result<&str, Problem> {
    let bad = |detail: &str| Problem::new(ProblemKind::BadRequest, detail);
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("the request has more than one host header"));
    }
    let host = match (parts.uri.authority(), first) {
        // RFC 9113 section 8.3.1: one who names two authorities may mean to deceive one of us.
        (Some(authority), Some(host))
            if parts.version == http::Version::HTTP_2
                && !host
                    .as_bytes()
                    .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            return Err(bad("the host header is not the request's authority"));
        }
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host
            .to_str()
            .map_err(|_| bad("the host header is not valid"))?,
        (None, None) if parts.version > http::Version::HTTP_10 => {
            return Err(bad("the request has no host header"));
        }
        (None, None) => "",
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:[]%".contains(&byte);
    if !host.bytes().all(valid) {
        return Err(bad("the host header is not valid"));
    }
    Ok(host)
}

/// Refuses a request for a host that asks of clients for what this connection's handshake did not.
/// With 421 the client tries again on another connection (RFC 9110 section 15.5.20).
pub(super) fn authority(snapshot: &Snapshot, caller: &Caller, host: &str) -> Result<(), Problem> {
    match &snapshot.tls {
        Some(tls) if !tls.admits(host, caller.tls()) => {
            let detail = format!("{host} is not served on this connection");
            Err(Problem::new(ProblemKind::Misdirected, detail))
        }
        _ => Ok(()),
    }
}

/// Refuses a head that is too long. hyper's own limit holds only for heads that are not whole yet,
/// and h2 does not count lines.
pub(crate) fn head(parts: &Parts, limits: &GatewayLimits) -> Result<(), Problem> {
    let limit = limits.header_bytes;
    if parts.headers.len() > limits.headers {
        let detail = format!("the request has more than {} header lines", limits.headers);
        return Err(Problem::new(ProblemKind::HeadTooLarge, detail));
    }
    let line = parts.method.as_str().len() + parts.uri.path().len() + " HTTP/1.1\r\n".len() + 1;
    let query = parts.uri.query().map_or(0, |query| query.len() + 1);
    let lines = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    if line + query + lines.sum::<usize>() > limit {
        let detail = format!("the request's line and headers are longer than {limit} bytes");
        let mut problem = Problem::new(ProblemKind::HeadTooLarge, detail);
        problem.close = true;
        return Err(problem);
    }
    Ok(())
}

/// Whether the caller may call the function, with the key that it presents; `None` if anybody may.
pub(super) fn access(
    gateway: &Gateway,
    snapshot: &Snapshot,
    entry: &Arc<Entry>,
    (caller, parts): (&Caller, &Parts),
) -> Result<Option<Box<Admission>>, Stop> {
    let Some(access) = &entry.access else {
        return Ok(None);
    };
    let settings = &snapshot.gateway;
    let asking = Asking {
        parts,
        address: caller.client_ip(&parts.headers, &settings.trusted_proxies),
        now: Instant::now(),
        issuers: &snapshot.issuers,
        settings: &settings.access,
        key: OnceCell::new(),
    };
    let decision = gateway.guardian().admit(access, &asking);
    let key = asking.key.into_inner();
    match decision {
        Ok(mut admission) => {
            admission.key = key;
            Ok(Some(admission))
        }
        Err(refusal) => Err(Stop {
            entry: Some(Arc::clone(entry)),
            key,
            refusal,
        }),
    }
}

/// Refuses a body that is too long or whose end is ambiguous; answers whether there is one at all.
///
/// `both` says that a length was sent beside a coding. hyper has taken the length away then.
pub(crate) fn length(parts: &Parts, limit: u64, both: bool) -> Result<bool, Problem> {
    let ambiguous = |detail| {
        let mut problem = Problem::new(ProblemKind::BadRequest, detail);
        problem.close = true;
        Err(problem)
    };
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        // RFC 9112 section 6.1: each is a way to smuggle a request past one of two servers.
        if both || parts.headers.contains_key(header::CONTENT_LENGTH) {
            return ambiguous("the request has both a content-length and a transfer-encoding");
        }
        let chunked = coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked");
        if !chunked || codings.next().is_some() {
            return ambiguous("the request has a transfer-encoding other than chunked");
        }
        return Ok(true);
    }
    let Some(length) = parts.headers.get(header::CONTENT_LENGTH) else {
        return Ok(false);
    };
    let length = length
        .to_str()
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        let detail = format!("the body is longer than {limit} bytes");
        return Err(Problem::new(ProblemKind::BodyTooLarge, detail));
    }
    Ok(true)
}
