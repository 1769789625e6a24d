//! The head of an answer.

use std::time::Duration;

use super::Fault;
use super::body::Body;

/// Longer heads are not read.
const HEAD_BYTES: usize = 64 << 10;
/// More headers are not read.
const HEADERS: usize = 128;
/// Phases of one answer, and bytes of a phase's name: strangers may send anything.
const PHASES: usize = 32;
const NAME_BYTES: usize = 64;
/// Longer phases are no times of requests.
const LONGEST_MS: f64 = 3_600_000.0;

/// What matters of a head.
#[derive(Debug)]
pub(super) struct Head {
    /// Its bytes.
    pub(super) length: usize,
    pub(super) status: u16,
    /// How the body ends.
    pub(super) body: Body,
    /// Whether another request may follow on the connection.
    pub(super) keeps: bool,
    pub(super) watched: Option<String>,
    pub(super) phases: Vec<(String, Duration)>,
}

impl Head {
    /// Reads it from the beginning of `input`; none if it is not there whole.
    pub(super) fn read(input: &[u8], head_only: bool, watch: &str) -> Result<Option<Head>, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES => return Ok(None),
            Ok(httparse::Status::Partial) => return Err(Fault::Invalid("its head is too long")),
            Err(_) => return Err(Fault::Invalid("its head cannot be read")),
        };
        let status = response.code.unwrap_or_default();
        let mut head = Head {
            length,
            status,
            body: Body::UntilClose,
            keeps: response.version == Some(1),
            watched: None,
            phases: Vec::new(),
        };
        let (mut chunked, mut content_length) = (false, None);
        for header in response.headers.iter() {
            let value = String::from_utf8_lossy(header.value);
            let value = value.trim();
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let number = value.parse::<u64>();
                content_length =
                    Some(number.map_err(|_| Fault::Invalid("its length is no number"))?);
            } else if is("transfer-encoding") {
                chunked = has_token(value, "chunked");
            } else if is("connection") {
                head.keeps =
                    !has_token(value, "close") && (head.keeps || has_token(value, "keep-alive"));
            } else if is("server-timing") {
                phases(value, &mut head.phases);
            }
            if is(watch) {
                head.watched = Some(value.to_owned());
            }
        }
        head.body = match (
            head_only || matches!(status, 100..=199 | 204 | 304),
            chunked,
        ) {
            (true, _) => Body::Length(0),
            (false, true) => Body::chunked(),
            (false, false) => content_length.map_or(Body::UntilClose, Body::Length),
        };
        head.keeps &= !matches!(head.body, Body::UntilClose);
        Ok(Some(head))
    }
}

fn has_token(list: &str, token: &str) -> bool {
    list.split(',')
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// `NAME;dur=MILLISECONDS` of each metric (W3C Server Timing); of equal names the last counts, for
/// what is nearest to us writes last.
pub(super) fn phases(value: &str, into: &mut Vec<(String, Duration)>) {
    for metric in value.split(',') {
        let mut parts = metric.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let millis = parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case("dur"))
            .and_then(|(_, number)| number.trim().trim_matches('"').parse::<f64>().ok());
        let Some(millis) = millis.filter(|millis| (0.0..=LONGEST_MS).contains(millis)) else {
            continue;
        };
        if name.is_empty() || name.len() > NAME_BYTES {
            continue;
        }
        let duration = Duration::from_secs_f64(millis / 1000.0);
        match into.iter().position(|(known, _)| known == name) {
            Some(place) => into[place].1 = duration,
            None if into.len() < PHASES => into.push((name.to_owned(), duration)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        let read = Head::read(text.as_bytes(), false, "stoker-start");
        read.expect("is valid").expect("is whole")
    }

    #[test]
    fn finds_what_matters() {
        let head = head(
            "HTTP/1.1 200 OK\r\nStoker-Start: cold\r\nContent-Length: 3\r\n\
             Server-Timing: db;dur=5;desc=\"x\", total;dur=9\r\n\
             Server-Timing: queue;dur=1.5, total;dur=2.25, none\r\n\r\nabc",
        );
        assert_eq!((head.status, head.keeps), (200, true));
        assert_eq!(head.watched.as_deref(), Some("cold"));
        assert!(matches!(head.body, Body::Length(3)));
        let micros: Vec<_> = head
            .phases
            .iter()
            .map(|(name, duration)| (name.as_str(), duration.as_micros()))
            .collect();
        assert_eq!(micros, [("db", 5000), ("total", 2250), ("queue", 1500)]);
    }

    #[test]
    fn knows_when_a_connection_is_over() {
        assert!(!head("HTTP/1.1 200 OK\r\n\r\n").keeps);
        assert!(!head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: Close\r\n\r\n").keeps);
        assert!(!head("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").keeps);
        let old = "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n";
        assert!(head(old).keeps);
        assert!(head("HTTP/1.1 204 No Content\r\n\r\n").keeps);
    }

    #[test]
    fn refuses_what_is_no_head() {
        assert!(Head::read(b"hello\r\n\r\n", false, "x").is_err());
        assert!(Head::read(b"HTTP/1", false, "x").is_ok_and(|head| head.is_none()));
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_BYTES));
        assert!(Head::read(long.as_bytes(), false, "x").is_err());
    }
}
