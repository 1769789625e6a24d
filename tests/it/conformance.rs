//! HTTP as the RFCs have it, byte for byte: what callers may send, what becomes of it, and why; and
//! that nobody's bytes are ever taken for another request.
//!
//! Each row is sent as it is. Then a marker follows on the same connection, if that stays open, and
//! on a new one, and must be answered as itself. What the function got in the meantime must be what
//! the row says, to the last field.

mod chunks;
mod codings;
mod connections;
mod fields;
mod hosts;
mod http2;
mod lengths;
mod lines;
mod responses;
mod targets;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::upstream::Message;
use crate::harness::{Client, Gateway, Response, Site, Upstream};

/// What is to come of some bytes.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// Refused with this status and the connection closed: what follows cannot be trusted. Nothing
    /// whole reaches the function.
    Closes(u16),
    /// Refused with this status; the next request on the connection is answered.
    Stays(u16),
    /// Refused with this status; whether the connection stays depends on how much has come by then.
    Refuses(u16),
    /// The function gets exactly these requests (see [`Message`]) and its answers come in order;
    /// the next request on the connection is answered.
    Passes(&'static [&'static str]),
    /// The same, and then the connection is closed.
    PassesLast(&'static [&'static str]),
    /// The same, and what comes after them is refused with this status, and the connection closed.
    PassesThen(&'static [&'static str], u16),
}

/// A request, what is to come of it, and why.
struct Row {
    name: &'static str,
    bytes: Vec<u8>,
    expect: Expect,
    /// The reason with its RFC and section.
    why: &'static str,
}

/// A row as tables have it: name, bytes, what is to come of them, why.
type Line = (&'static str, &'static str, Expect, &'static str);

/// The rows of a table, with bytes made of its texts.
fn rows(table: &[Line], make: impl Fn(&str) -> String) -> Vec<Row> {
    let row = |&(name, text, expect, why): &Line| row(name, make(text), expect, why);
    table.iter().map(row).collect()
}

fn row(name: &'static str, bytes: impl Into<Vec<u8>>, expect: Expect, why: &'static str) -> Row {
    let bytes = bytes.into();
    Row {
        name,
        bytes,
        expect,
        why,
    }
}

/// A gateway whose only function, at every path, is `upstream`.
fn gateway(upstream: &Upstream) -> Gateway {
    let function = upstream.function().scaling(100, 1, "").with(
        "[[routes]]\npath = \"/{*rest}\"\n[limits]\nbody-bytes = 1000\n\
         [timeouts]\ntotal = \"20s\"",
    );
    let lines = "[timeouts]\nheader = \"2s\"\nkeep-alive = \"1h\"\nbody = \"2s\"";
    let gateway = Site::new(lines).function("f", &function).start();
    marker(&mut gateway.connect()).expect("the function answers");
    upstream.take();
    gateway
}

/// Tries a table and reports all that went wrong.
fn check(table: &str, rows: &[Row]) {
    let upstream = Upstream::new(table);
    let gateway = gateway(&upstream);
    let mut faults = Vec::new();
    for row in rows {
        if let Err(fault) = row.check(&gateway, &upstream) {
            // What is left of it is no fault of the next one's.
            marker(&mut gateway.connect()).ok();
            upstream.take();
            faults.push(format!("{} ({}): {fault}", row.name, row.why));
        }
    }
    report(&upstream, faults, rows.len());
}

/// Fails if there are faults, or if the function ever got what is not plain HTTP/1.1.
fn report(upstream: &Upstream, mut faults: Vec<String>, count: usize) {
    // A message that ended too early is no request (RFC 9112 section 8), and none of these.
    faults.extend(upstream.faults());
    let all = faults.join("\n");
    assert!(faults.is_empty(), "{} of {count}:\n{all}", faults.len());
    println!("{count} rows");
}

/// Sends a request that is like no other and checks that the answer is its own.
fn marker(client: &mut Client) -> Result<String, String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let target = format!("/marker-{count}");
    let answer = client
        .get(&target)
        .map_err(|error| format!("no answer to the marker: {error}"))?;
    if !answer.is_good() || answer.text() != format!("GET {target}") {
        return Err(format!("the marker was answered with {answer}"));
    }
    Ok(format!("GET {target} | host: stoker.test"))
}

impl Row {
    fn check(&self, gateway: &Gateway, upstream: &Upstream) -> Result<(), String> {
        let mut client = gateway.connect();
        // The gateway may refuse before it has all of it.
        client.send(&self.bytes).ok();
        let (requests, status, closes) = match self.expect {
            Expect::Closes(status) => (&[][..], Some(status), Some(true)),
            Expect::Stays(status) => (&[][..], Some(status), Some(false)),
            Expect::Refuses(status) => (&[][..], Some(status), None),
            Expect::Passes(requests) => (requests, None, Some(false)),
            Expect::PassesLast(requests) => (requests, None, Some(true)),
            Expect::PassesThen(requests, status) => (requests, Some(status), Some(true)),
        };
        for request in requests {
            answered(&mut client, request)?;
        }
        if let Some(status) = status {
            refused(&mut client, status)?;
        }
        let mut expected: Vec<String> = requests.iter().map(|&text| text.to_owned()).collect();
        if closes == Some(true) {
            let rest = client.receive_rest();
            let rest = rest.map_err(|error| format!("not closed: {error}"))?;
            if !rest.is_empty() {
                let text = String::from_utf8_lossy(&rest).into_owned();
                return Err(format!("more came back: {text:?}"));
            }
        } else if closes == Some(false) {
            expected.push(marker(&mut client)?);
        }
        expected.push(marker(&mut gateway.connect())?);
        reached(upstream, &expected)
    }
}

/// Compares what reached the function with what should have.
fn reached(upstream: &Upstream, expected: &[String]) -> Result<(), String> {
    let reached: Vec<String> = upstream.take().iter().map(Message::to_string).collect();
    if reached == expected {
        return Ok(());
    }
    Err(format!("it got {reached:#?}, not {expected:#?}"))
}

/// An answer that is not interim.
fn receive(client: &mut Client, head_only: bool) -> Result<Response, String> {
    loop {
        let answer = if head_only {
            client.receive_head()
        } else {
            client.receive()
        };
        let answer = answer.map_err(|error| format!("no answer: {error}"))?;
        if answer.status >= 200 {
            return Ok(answer);
        }
    }
}

fn refused(client: &mut Client, status: u16) -> Result<(), String> {
    let answer = receive(client, false)?;
    let own = answer.header("stoker-origin") != Some("function");
    if own && answer.status == status {
        return Ok(());
    }
    Err(format!("not refused with {status}: {answer}"))
}

fn answered(client: &mut Client, request: &str) -> Result<(), String> {
    let line = request.split(" | ").next().unwrap_or_default();
    let head_only = line.starts_with("HEAD ");
    let answer = receive(client, head_only)?;
    if answer.is_good() && (head_only || answer.text() == line) {
        return Ok(());
    }
    Err(format!("{line} was answered with {answer}"))
}
