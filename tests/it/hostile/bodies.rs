//! Bodies whose end is in doubt.

use super::Expect::{Any, Refused, RefusedBody};
use super::{Expect, Row, check, row, rows};

/// What comes after the end of a body for one reader and within it for another.
const HIDDEN: &str = "GET /function/f/smuggled HTTP/1.1\r\nHost: stoker.test\r\n\r\n";
/// The coding that is known.
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

const BAD: Expect = Refused(&[400]);
const CODING: Expect = Refused(&[400, 501]);
const BAD_BODY: Expect = RefusedBody(&[400]);
const LARGE: Expect = RefusedBody(&[413]);
const LATE: Expect = RefusedBody(&[408]);

/// A POST with these header lines and this body.
fn post(what: &'static str, lines: &str, body: &str, expect: Expect) -> Row {
    let head = format!("POST /function/f/ROW/echo HTTP/1.1\r\nHost: stoker.test\r\n{lines}");
    row(what, format!("{head}\r\n{body}"), expect)
}

/// A POST to a function that never answers by itself, so that the fault comes first.
fn upload(what: &'static str, lines: &str, body: &str, expect: Expect) -> Row {
    let head = format!("POST /function/f/ROW/stall HTTP/1.1\r\nHost: stoker.test\r\n{lines}");
    row(what, format!("{head}\r\n{body}"), expect)
}

/// Values of `Content-Length`; what follows is for nobody.
const LENGTHS: &[(&str, &str, Expect)] = &[
    ("two lengths in one", "5, 6", BAD),
    ("a length with a sign", "+5", BAD),
    ("a negative length", "-5", BAD),
    ("a hexadecimal length", "0x5", BAD),
    ("a length with a point", "5.0", BAD),
    ("a length with a space", "1 5", BAD),
    ("no length", "", BAD),
    (
        "a length beyond numbers",
        "99999999999999999999",
        Refused(&[400, 413]),
    ),
    ("two lengths", "5\r\nContent-Length: 6", BAD),
];

#[test]
fn lengths() {
    let value = |what, value: &str, expect| {
        post(
            what,
            &format!("Content-Length: {value}\r\n"),
            HIDDEN,
            expect,
        )
    };
    let twice = "Content-Length: 5\r\nContent-Length: 5\r\n";
    let mut table = rows(LENGTHS, value);
    table.push(post("the same length twice", twice, "12345", Any));
    check("lengths", table);
}

/// Values of `Transfer-Encoding` that do not end in chunks.
const LAST: &[(&str, &str, Expect)] = &[
    ("an unknown coding", "xchunked", CODING),
    ("a coding after", "chunked, identity", CODING),
    ("no coding", "identity", CODING),
    ("a coding in quotes", "\"chunked\"", CODING),
    ("a coding behind a tab", "\x0bchunked", CODING),
];

/// Values of `Transfer-Encoding` that end in chunks, but not only.
const BESIDES: &[(&str, &str, Expect)] = &[
    ("another before", "gzip, chunked", CODING),
    ("none before", "identity, chunked", CODING),
    ("twice", "chunked, chunked", CODING),
    (
        "another in a line before",
        "gzip\r\nTransfer-Encoding: chunked",
        CODING,
    ),
    (
        "twice in two lines",
        "chunked\r\nTransfer-Encoding: chunked",
        CODING,
    ),
];

/// A POST with a coding of this value, and a request behind its end.
fn coded(what: &'static str, value: &str, expect: Expect) -> Row {
    let lines = format!("Transfer-Encoding: {value}\r\n");
    post(what, &lines, &format!("0\r\n\r\n{HIDDEN}"), expect)
}

#[test]
fn codings_that_are_not_chunked() {
    let chunks = format!("0\r\n\r\n{HIDDEN}");
    let old = format!("POST /function/f/ROW/echo HTTP/1.0\r\n{CHUNKED}\r\n{chunks}");
    let mut table = rows(LAST, coded);
    let spaced = "Transfer-Encoding : chunked\r\n";
    table.push(post("a space before the colon", spaced, &chunks, BAD));
    table.push(row("a coding in HTTP/1.0", old, BAD));
    check("last", table);
}

/// What is coded otherwise than in chunks, the function could not decode: it is not told.
#[test]
fn codings_besides_chunked() {
    check("besides", rows(BESIDES, coded));
}

/// A way to smuggle a request past one of two servers.
#[test]
fn a_length_beside_a_coding() {
    let length = "Content-Length: 5\r\n";
    let chunks = format!("0\r\n\r\n{HIDDEN}");
    let letters = "transfer-encoding: CHUNKED\r\n";
    let table = vec![
        post(
            "the length first",
            &format!("{length}{CHUNKED}"),
            &chunks,
            BAD,
        ),
        post(
            "the coding first",
            &format!("{CHUNKED}{length}"),
            &chunks,
            BAD,
        ),
        post(
            "in other letters",
            &format!("{length}{letters}"),
            &chunks,
            BAD,
        ),
    ];
    check("both", table);
}

/// Chunks that are none; what follows is for nobody.
const CHUNKS: &[(&str, &str, Expect)] = &[
    ("a chunk without a size", "\r\n", BAD_BODY),
    ("a chunk with a bad size", "xyz\r\n", BAD_BODY),
    ("a chunk with a negative size", "-1\r\na\r\n", BAD_BODY),
    ("a chunk with a size in C", "0x1\r\na\r\n", BAD_BODY),
    (
        "a chunk larger than numbers",
        "fffffffffffffffff\r\na\r\n",
        BAD_BODY,
    ),
    ("a chunk longer than its size", "1\r\nab\r\n", BAD_BODY),
    ("a line break in an extension", "1;a\nb\r\na\r\n", BAD_BODY),
];

#[test]
fn bodies() {
    let long = "a".repeat(1001);
    let one = format!("3e9\r\n{long}\r\n0\r\n\r\n");
    let many = "1\r\na\r\n".repeat(1001);
    let endless = format!("1;{}", "x".repeat(100_000));
    let mut table = rows(CHUNKS, |what, chunk, expect| {
        upload(what, CHUNKED, &format!("{chunk}{HIDDEN}"), expect)
    });
    let length = |length: u64| format!("Content-Length: {length}\r\n");
    table.extend([
        post("too long", &length(1001), &long, Refused(&[413])),
        post(
            "far too long",
            &length(100_000_000_000),
            "",
            Refused(&[413]),
        ),
        upload("too long a chunk", CHUNKED, &one, LARGE),
        upload("too many chunks", CHUNKED, &many, LARGE),
        upload("an endless extension", CHUNKED, &endless, BAD_BODY),
        upload("a chunk that does not come", CHUNKED, "5\r\nab", LATE),
        upload("a body that does not come", &length(5), "ab", LATE),
    ]);
    check("bodies", table);
}
