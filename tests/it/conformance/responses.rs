//! What functions answer, and what reaches callers of it (RFC 9112 sections 4 to 7 and 9).
//!
//! The function is asked once per row, whatever it answers, and what it says beyond its answer is
//! nobody else's answer.

mod bodies;
mod heads;

use super::{gateway, marker, reached, report};
use crate::harness::upstream::{Script, When};
use crate::harness::{Client, Response, Upstream};

/// What is to come of an answer.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// The caller gets this: `status | name: value | =body`, without the gateway's own fields.
    Gets(&'static str),
    /// A 502 that says that this is no HTTP.
    Invalid,
    /// A 502 that says that the connection broke.
    Lost,
    /// It begins and does not end: the connection is closed before.
    Cut,
}

use Expect::{Cut, Gets, Invalid, Lost};

/// Name, answer, what is to come of it, why.
type Line = (&'static str, &'static str, Expect, &'static str);

const HELLO: Expect = Gets("200 | content-length: 5 | =hello");
const CHUNKED: Expect = Gets("200 | transfer-encoding: chunked | =hello");
const LENGTH: &str = "9112 6.3: an invalid length MUST be a 502 and the connection closed";
const CODING: &str = "9112 6.1: what is not known cannot be undone, nor may it be passed on";

/// A row that stands for itself.
struct Row {
    name: &'static str,
    answer: Vec<u8>,
    close: bool,
    expect: Expect,
    why: &'static str,
}

fn rows(table: &[Line], close: bool) -> Vec<Row> {
    let row = |&(name, answer, expect, why): &Line| Row {
        name,
        answer: answer.into(),
        close,
        expect,
        why,
    };
    table.iter().map(row).collect()
}

/// Tries rows with a method; `close` says whether the function closes after each.
fn check(table: &str, method: &str, rows: &[Row]) {
    let upstream = Upstream::new(table);
    let gateway = gateway(&upstream);
    let mut faults = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let target = format!("/row-{index}-");
        upstream.script(Script {
            target: target.clone(),
            answer: row.answer.clone(),
            when: When::Whole,
            close: row.close,
        });
        let run = || -> Result<(), String> {
            let mut client = gateway.connect();
            let line = format!("{method} {target}");
            client.request(&line, "", b"").map_err(|e| e.to_string())?;
            let mut expected = vec![format!("{line} | host: stoker.test")];
            if received(&mut client, method, row.expect)? {
                expected.push(marker(&mut client)?);
            }
            expected.push(marker(&mut gateway.connect())?);
            expected.push(marker(&mut gateway.connect())?);
            reached(&upstream, &expected)
        };
        if let Err(fault) = run() {
            upstream.take();
            faults.push(format!("{} ({}): {fault}", row.name, row.why));
        }
    }
    report(&upstream, faults, rows.len());
}

/// Checks what the caller gets; whether the connection is still open then.
fn received(client: &mut Client, method: &str, expect: Expect) -> Result<bool, String> {
    let fault = |answer: &Response| Err(format!("{expect:?}, but {answer}"));
    let answer = if method == "HEAD" {
        client.receive_head()
    } else {
        client.receive()
    };
    let kind = match expect {
        Cut => match answer {
            Ok(answer) => return fault(&answer),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Err("it is never cut".into());
            }
            Err(_) => return Ok(false),
        },
        Gets(text) => {
            let answer = answer.map_err(|error| format!("no answer: {error}"))?;
            return if describe(&answer) == text {
                Ok(true)
            } else {
                fault(&answer)
            };
        }
        Invalid => "invalid-response",
        Lost => "instance-lost",
    };
    let answer = answer.map_err(|error| format!("no answer: {error}"))?;
    if answer.status == 502 && answer.text().contains(&format!(":{kind}\"")) {
        Ok(true)
    } else {
        fault(&answer)
    }
}

fn describe(answer: &Response) -> String {
    let ours = [
        "date",
        "x-request-id",
        "server-timing",
        "stoker-origin",
        "stoker-start",
    ];
    let fields = answer
        .headers
        .iter()
        .filter(|(name, _)| !ours.contains(&name.as_str()));
    let mut text = answer.status.to_string();
    let mut fields: Vec<_> = fields.collect();
    fields.sort();
    for (name, value) in fields {
        text.push_str(&format!(" | {name}: {value}"));
    }
    if !answer.body.is_empty() {
        text.push_str(&format!(" | ={}", answer.text()));
    }
    text
}

#[test]
fn answers_over_the_limits() {
    let head = |fields: String| format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(5_000);
    let row = |name, answer, expect| Row {
        name,
        answer,
        close: false,
        expect,
        why: "9110 5.4: what is longer than is taken need not be",
    };
    let hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    check(
        "answers-large",
        "GET",
        &[
            row(
                "a field",
                head(format!("X: {}\r\n", "x".repeat(40_000))),
                Invalid,
            ),
            row("many fields", head("X: 1\r\n".repeat(200)), Invalid),
            row("an endless head", head("X: 1\r\n".repeat(100_000)), Invalid),
            row(
                "interim answers",
                format!("{flood}{hello}").into_bytes(),
                HELLO,
            ),
        ],
    );
}

/// The answer comes while the body is still on its way (RFC 9112 section 9.6): the caller gets it,
/// and what it sends after that is no request.
#[test]
fn an_answer_before_the_end_of_the_body() {
    let upstream = Upstream::new("early");
    let gateway = gateway(&upstream);
    upstream.script(Script {
        target: "/early".into(),
        answer: b"HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno".to_vec(),
        when: When::Head,
        close: true,
    });
    let mut client = gateway.connect();
    let length = "Content-Length: 900\r\n";
    client
        .request("POST /early", length, b"half")
        .expect("can be sent");
    let answer = client.receive().expect("an answer");
    assert_eq!(describe(&answer), "403 | content-length: 2 | =no");
    // The rest of the body looks like a request.
    client.request("GET /smuggled", "", b"").ok();
    client.receive_rest().expect("the connection is closed");
    marker(&mut gateway.connect()).expect("the next is answered");
    let seen: Vec<String> = upstream
        .take()
        .iter()
        .map(|seen| seen.target.clone())
        .collect();
    assert!(!seen.contains(&"/smuggled".to_owned()), "{seen:?}");
}
