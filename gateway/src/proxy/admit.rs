//! Step two: may it come in.

use http::header;
use http::request::Parts;

use crate::problem::{Problem, ProblemKind};

/// The host that is asked for: of the request line if it names one, else of `Host`; empty for
/// HTTP/1.0 without one.
pub(super) fn host(parts: &Parts) -> Result<&str, Problem> {
    let bad = |detail: &str| Problem::new(ProblemKind::BadRequest, detail);
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("the request has more than one host header"));
    }
    let host = match (parts.uri.authority(), first) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host
            .to_str()
            .map_err(|_| bad("the host header is not valid"))?,
        (None, None) if parts.version == http::Version::HTTP_11 => {
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

/// Refuses a body that is too long or whose length is ambiguous; answers whether there is one at
/// all.
pub(super) fn length(parts: &Parts, limit: u64) -> Result<bool, Problem> {
    let coded = parts.headers.contains_key(header::TRANSFER_ENCODING);
    let Some(length) = parts.headers.get(header::CONTENT_LENGTH) else {
        return Ok(coded);
    };
    if coded {
        // RFC 9112 section 6.1: a way to smuggle a request past one of two servers.
        let detail = "the request has both a content-length and a transfer-encoding";
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    }
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
