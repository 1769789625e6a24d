//! What must hold, parser by parser.

pub(crate) mod admission;
pub(crate) mod changes;
pub(crate) mod chunked;
pub(crate) mod client_address;
pub(crate) mod credentials;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod frames;
pub(crate) mod head_scan;
pub(crate) mod identity;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod package;
pub(crate) mod path;
pub(crate) mod proxy_protocol;
pub(crate) mod record;
pub(crate) mod response_head;
pub(crate) mod routes;
pub(crate) mod schedule;
pub(crate) mod search;
pub(crate) mod trace;
pub(crate) mod waits;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// How input comes in pieces: its first byte says of which size they are.
fn pieces(data: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = data.split_first()?;
    Some((usize::from(first) + 1, rest))
}

/// Lines of `name: value`, as far as they are fields at all.
fn header_map(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let field = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.trim_ascii()),
        );
        if let (Ok(name), Ok(value)) = field {
            headers.append(name, value);
        }
    }
    headers
}

/// Asserts that `head` is lines of plain fields and nothing else.
fn assert_plain_lines(head: &[u8]) {
    let mut rest = head;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let (line, after) = rest.split_at(end.expect("every line ends in CR LF"));
        let broken = line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        assert!(!broken && line.contains(&b':'), "{line:?}");
        rest = &after[2..];
    }
}
