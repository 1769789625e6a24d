//! Requests over HTTP/2 and what they become over HTTP/1.1 (RFC 9113 section 8): whatever a line of
//! text would give another meaning must not get there.

mod bodies;
mod fields;
mod order;
mod requests;

use super::{gateway, marker, reached, report};
use crate::harness::Upstream;
use crate::harness::frames::{self, DATA, END_HEADERS, END_STREAM, Http2, Outcome, frame};

/// Protocol errors (RFC 9113 section 7).
const PROTOCOL_ERROR: u32 = 1;

#[derive(Clone, Copy, Debug)]
enum Expect {
    /// The function gets this (see `Message`) and its answer comes.
    Passes(&'static str),
    /// An answer of the gateway's own with this status.
    Refused(u16),
    /// The stream is reset with PROTOCOL_ERROR; others go on.
    Reset,
    /// The connection is ended with PROTOCOL_ERROR.
    Ends,
}

use Expect::{Ends, Passes, Refused, Reset};

type Fields = &'static [(&'static str, &'static str)];
/// Name, fields, body if any, what is to come of it, why.
type Line = (
    &'static str,
    Fields,
    Option<&'static str>,
    Expect,
    &'static str,
);

/// A row as it is sent: name, bytes, what is to come of them, why.
type Case = (&'static str, Vec<u8>, Expect, &'static str);

const M: (&str, &str) = (":method", "GET");
const POST: (&str, &str) = (":method", "POST");
const S: (&str, &str) = (":scheme", "http");
const A: (&str, &str) = (":authority", "a.test");
const P: (&str, &str) = (":path", "/x");

const X: Expect = Passes("GET /x | host: a.test");
const PSEUDO: &str = "9113 8.3: malformed";
const HOP: &str = "9113 8.2.2: fields of a connection make a request malformed";
const VALUE: &str = "9113 8.2.1: malformed; as a line of text it would be two";

/// The bytes of a request of a table.
fn whole(&(name, fields, body, expect, why): &Line) -> Case {
    let end = if body.is_none() { END_STREAM } else { 0 };
    let mut bytes = frames::headers(1, END_HEADERS | end, fields);
    if let Some(body) = body {
        bytes.extend(frame(DATA, END_STREAM, 1, body.as_bytes()));
    }
    (name, bytes, expect, why)
}

/// Sends something on a first stream and looks at what becomes of it, and of the next.
fn check_one(
    address: std::net::SocketAddr,
    upstream: &Upstream,
    bytes: &[u8],
    expect: Expect,
) -> Result<(), String> {
    let text = |error: std::io::Error| format!("no outcome: {error}");
    let mut connection = Http2::connect(address, &[]).map_err(text)?;
    connection.send(bytes).ok();
    let outcome = connection.outcome(1).map_err(text)?;
    let mut expected = Vec::new();
    let right = match (expect, &outcome) {
        (Passes(request), Outcome::Answer(200, body)) => {
            expected.push(request.to_owned());
            request.split(" | ").next() == Some(body)
        }
        (Refused(status), Outcome::Answer(other, body)) => {
            status == *other && body.contains("urn:stoker:problem")
        }
        (Reset, Outcome::Reset(code)) | (Ends, Outcome::GoAway(code)) => *code == PROTOCOL_ERROR,
        _ => false,
    };
    if !right {
        return Err(format!("{expect:?}, but {outcome:?}"));
    }
    if !matches!(expect, Ends) {
        let outcome = connection.get(3, "/marker-second").map_err(text)?;
        if outcome != Outcome::Answer(200, "GET /marker-second".into()) {
            return Err(format!("the next request got {outcome:?}"));
        }
        expected.push("GET /marker-second | host: stoker.test".into());
    }
    let mut client = crate::harness::Client::connect(address).map_err(text)?;
    expected.push(marker(&mut client)?);
    reached(upstream, &expected)
}

fn check(table: &str, rows: impl Iterator<Item = Case>) {
    let upstream = Upstream::new(table);
    let gateway = gateway(&upstream);
    let (mut faults, mut count) = (Vec::new(), 0);
    for (name, bytes, expect, why) in rows {
        count += 1;
        if let Err(fault) = check_one(gateway.address(), &upstream, &bytes, expect) {
            marker(&mut gateway.connect()).ok();
            upstream.take();
            faults.push(format!("{name} ({why}): {fault}"));
        }
    }
    report(&upstream, faults, count);
}
