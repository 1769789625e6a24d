//! Input that is meant to do harm: a clear refusal, no crash, and nothing reaches a function that
//! should not.

mod paths;

use std::time::{Duration, Instant};

use crate::harness::{Client, Function, Gateway, PATIENCE, Record, Site, in_parallel};

/// What is to come of some bytes.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// One of these statuses, or the connection is closed without one; the function sees nothing.
    Refused(&'static [u16]),
    /// The function answers once.
    Served,
}

/// Some bytes and what is to come of them. `ROW` in them is replaced by a name of the row's own.
struct Row {
    what: &'static str,
    bytes: Vec<u8>,
    expect: Expect,
}

/// A row of a table.
fn row(what: &'static str, bytes: impl AsRef<[u8]>, expect: Expect) -> Row {
    Row {
        what,
        bytes: bytes.as_ref().to_vec(),
        expect,
    }
}

/// The rows of a table of texts, each made by `make`.
fn rows<'a>(
    table: &[(&'static str, &'a str, Expect)],
    make: impl Fn(&'static str, &'a str, Expect) -> Row,
) -> Vec<Row> {
    table
        .iter()
        .map(|&(what, text, expect)| make(what, text, expect))
        .collect()
}

impl Row {
    /// Sends the bytes and returns everything that comes back until the connection is closed.
    fn send(&self, gateway: &Gateway, name: &str) -> Vec<u8> {
        let mut client = gateway.connect();
        // The gateway may refuse before it has all of it.
        client
            .send(replace(&self.bytes, b"ROW", name.as_bytes()))
            .ok();
        client
            .receive_rest()
            .unwrap_or_else(|error| panic!("{}: not closed: {error}", self.what))
    }

    /// What is wrong with the answer, and with what the function saw of it.
    fn fault(&self, answer: &[u8], reached: usize) -> Option<String> {
        let text = String::from_utf8_lossy(answer);
        let status = text
            .get(9..12)
            .and_then(|digits| digits.parse::<u16>().ok());
        let refused = |statuses: &[u16]| match status {
            None => answer.is_empty(),
            Some(status) => statuses.contains(&status),
        };
        let right = match self.expect {
            Expect::Refused(statuses) => refused(statuses) && reached == 0,
            Expect::Served => text.contains("stoker-origin: function") && reached == 1,
        };
        let seen: String = text.chars().take(300).collect();
        let fault = || {
            let expected = self.expect;
            format!(
                "{}: {expected:?}, but it reached {reached} times: {seen:?}",
                self.what
            )
        };
        (!right).then(fault)
    }
}

fn replace(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// A gateway that soon closes connections on which nothing comes, and its only function.
fn gateway(record: &Record) -> Gateway {
    let function = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(100, 1, "")
        .with("[limits]\nbody-bytes = 1000");
    let lines = "[timeouts]\nheader = \"4s\"\nkeep-alive = \"4s\"\nbody = \"4s\"";
    Site::new(lines).function("f", &function).start()
}

/// Tries a table and reports all that went wrong.
fn check(table: &str, rows: Vec<Row>) {
    let record = Record::new(table);
    let gateway = gateway(&record);
    gateway.get("/function/f/work").good();
    let name = |index: usize| format!("{table}-{index}-");
    let answers = in_parallel(rows.len(), |index| rows[index].send(&gateway, &name(index)));
    // What the one process of the function gets after this, it has recorded after this.
    gateway.get("/function/f/work?last").good();
    record.wait_for("GET /work?last", 1);
    let mut faults: Vec<String> = rows
        .iter()
        .zip(&answers)
        .enumerate()
        .filter_map(|(index, (row, answer))| row.fault(answer, record.count(&name(index))))
        .collect();
    let smuggled = record.count("smuggled");
    if smuggled > 0 {
        faults.push(format!("{smuggled} requests were smuggled in"));
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        rows.len(),
        faults.join("\n")
    );
}

/// A head that comes byte by byte costs a connection for as long as heads may take, and no longer.
#[test]
fn a_head_that_drips_is_cut_off() {
    let record = Record::new("drip");
    let gateway = gateway(&record);
    let begun = Instant::now();
    let mut client = gateway.connect();
    client
        .send("GET /function/f/work HTTP/1.1\r\nHost: stoker.test\r\n")
        .expect("can be sent");
    while client.send("X-Drip: 1\r\n").is_ok()
        && !client.is_closed_within(Duration::from_millis(50))
    {
        assert!(begun.elapsed() < PATIENCE, "the head may drip for ever");
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(3900),
        "cut off after {took:?} already"
    );
    // A connection on which nothing comes at all ends as well.
    let mut silent: Client = gateway.connect();
    silent.receive_rest().expect("the connection is closed");
    assert_eq!(record.count("GET"), 0, "the function was asked");
    gateway.get("/function/f/work").good();
}
