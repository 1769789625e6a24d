//! What is told of an answer besides its body.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName};
use hyper::http::response::Parts;
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::base64::base64;
use crate::cli::output::remark;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// An answer, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Invocation {
    status: u16,
    headers: Vec<(String, String)>,
    /// Where the time went, as the gateway saw it.
    phases: Vec<Phase>,
    elapsed_ms: f64,
    /// If it is text.
    body: Option<String>,
    /// If it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// One part of the time that a request took.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Phase {
    name: String,
    ms: f64,
}

impl Invocation {
    pub(super) fn new(head: &Parts, body: &[u8], elapsed: Duration) -> Self {
        let text = std::str::from_utf8(body).ok().map(str::to_owned);
        Invocation {
            status: head.status.as_u16(),
            headers: lines(&head.headers).collect(),
            phases: phases(&head.headers),
            elapsed_ms: elapsed.as_micros() as f64 / 1000.0,
            body_base64: text.is_none().then(|| base64(body)),
            body: text,
        }
    }
}

/// Prints the head and where the time went to the standard error.
pub(super) fn head(response: &Response<Incoming>, elapsed: Duration) {
    remark(&format!(
        "< {:?} {}",
        response.version(),
        status(response.status())
    ));
    for (name, value) in lines(response.headers()) {
        remark(&format!("< {name}: {value}"));
    }
    remark("<");
    for Phase { name, ms } in phases(response.headers()) {
        remark(&format!("* {name:<10} {ms:>10.3} ms"));
    }
    let ms = elapsed.as_micros() as f64 / 1000.0;
    remark(&format!("* {:<10} {ms:>10.3} ms", "seen here"));
}

fn status(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    })
}

/// The entries of `Server-Timing` that have a duration.
fn phases(headers: &HeaderMap) -> Vec<Phase> {
    let values = headers
        .get_all(SERVER_TIMING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let entries = values.flat_map(|value| value.split(','));
    entries
        .filter_map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next()?.to_owned();
            let ms = parts
                .find_map(|part| part.strip_prefix("dur="))?
                .parse()
                .ok()?;
            Some(Phase { name, ms })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_server_timing() {
        let mut headers = HeaderMap::new();
        let value = "queue;dur=12.345, start;desc=\"x\";dur=10, cache";
        headers.append(SERVER_TIMING, value.parse().unwrap());
        headers.append(SERVER_TIMING, "db;dur=2".parse().unwrap());
        let found: Vec<_> = phases(&headers)
            .into_iter()
            .map(|p| (p.name, p.ms))
            .collect();
        let wanted = [("queue", 12.345), ("start", 10.0), ("db", 2.0)];
        assert_eq!(found, wanted.map(|(name, ms)| (name.to_owned(), ms)));
    }
}
