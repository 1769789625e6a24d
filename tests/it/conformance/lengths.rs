//! `Content-Length` (RFC 9112 sections 6.2 and 6.3).

use super::Expect::{Closes, Passes, Refuses, Stays};
use super::{Line, check, row, rows};

const FIVE: &[&str] = &["POST /x | host: a.test | content-length: 5 | =hello"];
const INVALID: &str = "9112 6.3: an invalid length MUST be 400 and the connection closed";

/// What comes after the length, with `hello` behind it.
const LENGTHS: &[Line] = &[
    ("a plain one", "5", Passes(FIVE), "9112 6.2"),
    (
        "white space around",
        " \t5 \t",
        Passes(FIVE),
        "9112 5.1: OWS is no part of it",
    ),
    (
        "zeros before",
        "005",
        Passes(FIVE),
        "9110 8.6: 1*DIGIT; it is written anew",
    ),
    (
        "two different",
        "5\r\nContent-Length: 6",
        Closes(400),
        INVALID,
    ),
    (
        "two different, the other way",
        "6\r\nContent-Length: 5",
        Closes(400),
        INVALID,
    ),
    (
        "two of different letters",
        "5\r\ncontent-length: 6",
        Closes(400),
        INVALID,
    ),
    (
        "the same twice",
        "5\r\nContent-Length: 5",
        Passes(FIVE),
        "9112 6.3: may be taken as one",
    ),
    (
        "a list of the same",
        "5, 5",
        Closes(400),
        "9112 6.3: MAY be taken as one, or not",
    ),
    ("a list of two", "5, 6", Closes(400), INVALID),
    ("a list with a space", " 5 ,5", Closes(400), INVALID),
    ("a list with nothing", "5,", Closes(400), INVALID),
    ("a sign", "+5", Closes(400), INVALID),
    ("a negative one", "-5", Closes(400), INVALID),
    ("a negative zero", "-0", Closes(400), INVALID),
    ("hexadecimal", "0x5", Closes(400), INVALID),
    ("a point", "5.0", Closes(400), INVALID),
    ("an exponent", "5e0", Closes(400), INVALID),
    ("an underscore", "1_0", Closes(400), INVALID),
    ("a space within", "1 5", Closes(400), INVALID),
    ("a tab within", "1\t5", Closes(400), INVALID),
    ("nothing", "", Closes(400), INVALID),
    ("a word", "five", Closes(400), INVALID),
    ("quotes", "\"5\"", Closes(400), INVALID),
    ("a comment", "5 (five)", Closes(400), INVALID),
    ("digits of another script", "\u{665}", Closes(400), INVALID),
    (
        "beyond 64 bits",
        "18446744073709551621",
        Closes(400),
        "9110 8.6: no overflow may wrap",
    ),
    (
        "beyond all bits",
        "99999999999999999999999999",
        Closes(400),
        "9110 8.6: the same",
    ),
    (
        "the largest number",
        "18446744073709551615",
        Closes(431),
        "9110 8.6: refused in one way or another",
    ),
    (
        "the largest signed number",
        "9223372036854775807",
        Closes(413),
        "9110 15.5.14",
    ),
    ("a VT before", "\x0b5", Closes(400), INVALID),
    ("a fold", "\r\n 5", Closes(400), "9112 5.2: obs-fold"),
];

#[test]
fn lengths() {
    let whole = |value: &str| {
        format!("POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: {value}\r\n\r\nhello")
    };
    check("lengths", &rows(LENGTHS, whole));
}

/// Requests whose bodies are of lengths that can be told.
const BODIES: &[Line] = &[
    (
        "a request within the body",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 26\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        Passes(&["POST /x | host: a.test | content-length: 26 | =GET /smuggled HTTP/1.1\r\n\r\n"]),
        "9112 6.2: a body is a body",
    ),
    (
        "a length of nothing",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
        Passes(&["POST /x | host: a.test | content-length: 0"]),
        "9110 8.6",
    ),
    (
        "no length",
        "POST /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Passes(&["POST /x | host: a.test"]),
        "9112 6.3: then there is no body",
    ),
    (
        "GET with a body",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
        Passes(&["GET /x | host: a.test | content-length: 5 | =hello"]),
        "9110 9.3.1: no meaning, but framed like any other",
    ),
    (
        "HEAD with a body",
        "HEAD /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
        Passes(&["HEAD /x | host: a.test | content-length: 5 | =hello"]),
        "9110 9.3.2: the same",
    ),
    (
        "DELETE with a body",
        "DELETE /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
        Passes(&["DELETE /x | host: a.test | content-length: 5 | =hello"]),
        "9110 9.3.5: the same",
    ),
    (
        "CONNECT with a body",
        "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
        Stays(405),
        "9110 9.3.6: none is opened; its length still frames it",
    ),
    (
        "a length in the trailers' place",
        "POST /x HTTP/1.1\r\nHost: a.test\r\n\r\nContent-Length: 5\r\n\r\n",
        Passes(&["POST /x | host: a.test"]),
        "9112 6.3: the head ended, and what follows is no request",
    ),
    (
        "a length that the connection names",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\nhello",
        Passes(FIVE),
        "9110 7.6.1: a sender MUST NOT name what is meant for all; framing stays",
    ),
];

#[test]
fn bodies_with_a_length() {
    let mut table = rows(BODIES, str::to_owned);
    // The rest of this one is a bad request of its own, so it closes.
    if let Some(row) = table
        .iter_mut()
        .find(|row| row.name == "a length in the trailers' place")
    {
        row.bytes
            .truncate(row.bytes.len() - "Content-Length: 5\r\n\r\n".len());
    }
    let head = |length: u64| {
        format!("POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n")
    };
    let long = head(1001) + &"a".repeat(1001);
    table.push(row("one byte too many", long, Refuses(413), "9110 15.5.14"));
    let waits = head(1001).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let why = "9110 10.1.1: refused before the body is sent";
    table.push(row("too many, asked before", waits, Closes(413), why));
    check("sized", &table);
}
