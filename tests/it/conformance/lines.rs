//! Request lines (RFC 9112 sections 2 and 3).

use super::Expect::{Closes, Passes};
use super::{Line, check, row, rows};

/// What a plain request for `/x` becomes.
const X: &[&str] = &["GET /x | host: a.test"];

/// Lines, each with a host after it.
const LINES: &[Line] = &[
    ("a plain one", "GET /x HTTP/1.1", Passes(X), "9112 3"),
    (
        "a method of its own",
        "BREW /x HTTP/1.1",
        Passes(&["BREW /x | host: a.test"]),
        "9110 9.1: methods are open; who does not know one says so, not the gateway",
    ),
    (
        "a method in small letters",
        "get /x HTTP/1.1",
        Passes(&["get /x | host: a.test"]),
        "9110 9.1: methods are case-sensitive, so it is another one",
    ),
    (
        "a method of odd letters",
        "!#$%&'*+-.^_`|~ /x HTTP/1.1",
        Passes(&["!#$%&'*+-.^_`|~ /x | host: a.test"]),
        "9110 5.6.2: all of these are token characters",
    ),
    (
        "a method that is no token",
        "G@T /x HTTP/1.1",
        Closes(400),
        "9110 9.1: method = token",
    ),
    (
        "a bracket in the method",
        "G(T /x HTTP/1.1",
        Closes(400),
        "9110 5.6.2: a delimiter",
    ),
    (
        "a colon in the method",
        "GET: /x HTTP/1.1",
        Closes(400),
        "9110 5.6.2: a delimiter",
    ),
    (
        "a NUL in the method",
        "G\0T /x HTTP/1.1",
        Closes(400),
        "9110 9.1: method = token",
    ),
    (
        "DEL in the method",
        "G\x7fT /x HTTP/1.1",
        Closes(400),
        "9110 9.1: method = token",
    ),
    (
        "a method beyond ASCII",
        "GÄT /x HTTP/1.1",
        Closes(400),
        "9110 9.1: method = token",
    ),
    (
        "no method",
        "/x HTTP/1.1",
        Closes(400),
        "9112 3: the line has three parts",
    ),
    (
        "no version",
        "GET /x",
        Closes(400),
        "9112 3: HTTP/0.9 is not spoken",
    ),
    (
        "no target",
        "GET HTTP/1.1",
        Closes(400),
        "9112 3: the line has three parts",
    ),
    (
        "words",
        "hello there you",
        Closes(400),
        "9112 2.3: HTTP-version",
    ),
    (
        "a later minor version",
        "GET /x HTTP/1.2",
        Closes(400),
        "9112 2.3: not known",
    ),
    (
        "version 2 as a line",
        "GET /x HTTP/2.0",
        Closes(400),
        "9113 3.3: it begins otherwise",
    ),
    (
        "version 2 without a point",
        "GET /x HTTP/2",
        Closes(400),
        "9112 2.3: HTTP-version",
    ),
    (
        "version 3",
        "GET /x HTTP/3.0",
        Closes(400),
        "9112 2.3: not known",
    ),
    (
        "version 0.9",
        "GET /x HTTP/0.9",
        Closes(400),
        "9112 2.3: not known",
    ),
    (
        "a version in small letters",
        "GET /x http/1.1",
        Closes(400),
        "9112 2.3: case-sensitive",
    ),
    (
        "a version of two digits",
        "GET /x HTTP/1.10",
        Closes(400),
        "9112 2.3: DIGIT \".\" DIGIT",
    ),
    (
        "a version with a zero",
        "GET /x HTTP/01.1",
        Closes(400),
        "9112 2.3: DIGIT \".\" DIGIT",
    ),
    (
        "a version with a comma",
        "GET /x HTTP/1,1",
        Closes(400),
        "9112 2.3: DIGIT \".\" DIGIT",
    ),
    (
        "a version of another",
        "GET /x SMTP/1.1",
        Closes(400),
        "9112 2.3: HTTP-name",
    ),
    (
        "a version with a tail",
        "GET /x HTTP/1.1x",
        Closes(400),
        "9112 2.3: HTTP-version",
    ),
    (
        "a space at the end",
        "GET /x HTTP/1.1 ",
        Closes(400),
        "9112 3: lenient parsing is a MAY",
    ),
    (
        "a space at the start",
        " GET /x HTTP/1.1",
        Closes(400),
        "9112 3: lenient parsing is a MAY",
    ),
    (
        "two spaces before the target",
        "GET  /x HTTP/1.1",
        Closes(400),
        "9112 3: one SP",
    ),
    (
        "two spaces before the version",
        "GET /x  HTTP/1.1",
        Closes(400),
        "9112 3: one SP",
    ),
    (
        "a tab before the target",
        "GET\t/x HTTP/1.1",
        Closes(400),
        "9112 3: one SP",
    ),
    (
        "a tab before the version",
        "GET /x\tHTTP/1.1",
        Closes(400),
        "9112 3: one SP",
    ),
    (
        "VT for a space",
        "GET\x0b/x HTTP/1.1",
        Closes(400),
        "9112 3: one SP",
    ),
    (
        "FF for a space",
        "GET /x\x0cHTTP/1.1",
        Closes(400),
        "9112 3: one SP",
    ),
    (
        "two targets",
        "GET /x /y HTTP/1.1",
        Closes(400),
        "9112 3.2: no white space in a target",
    ),
    (
        "a second version",
        "GET /x HTTP/1.1 HTTP/1.1",
        Closes(400),
        "9112 3.2: the same",
    ),
    (
        "a bare CR at its end",
        "GET /x HTTP/1.1\rX: y",
        Closes(400),
        "9112 2.2: a bare CR is invalid",
    ),
    (
        "a bare CR in the target",
        "GET /x\r/y HTTP/1.1",
        Closes(400),
        "9112 2.2: a bare CR is invalid",
    ),
    (
        "a bare CR first",
        "\rGET /x HTTP/1.1",
        Closes(400),
        "9112 2.2: a bare CR is invalid",
    ),
    (
        "an empty line first",
        "\r\nGET /x HTTP/1.1",
        Passes(X),
        "9112 2.2: SHOULD be ignored",
    ),
    (
        "two empty lines first",
        "\r\n\r\nGET /x HTTP/1.1",
        Passes(X),
        "9112 2.2: at least one",
    ),
    (
        "a bare LF first",
        "\nGET /x HTTP/1.1",
        Passes(X),
        "9112 2.2: LF may end a line, also this",
    ),
];

#[test]
fn request_lines() {
    let whole = |line: &str| format!("{line}\r\nHost: a.test\r\n\r\n");
    check("lines", &rows(LINES, whole));
}

/// Bytes that are not HTTP/1.1 at all.
const BYTES: &[Line] = &[
    (
        "almost the preface of HTTP/2",
        "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n",
        Closes(400),
        "9113 3.4: any other bytes are not the preface",
    ),
    (
        "the beginning of TLS",
        "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03",
        Closes(400),
        "9112 3: method = token",
    ),
    (
        "zeros",
        "\0\0\0\0\0\0\0\0",
        Closes(400),
        "9112 3: method = token",
    ),
    (
        "a line that LF ends",
        "GET /x HTTP/1.1\nHost: a.test\r\n\r\n",
        Passes(X),
        "9112 2.2: a recipient MAY take a single LF for a line's end; it is written as CR LF",
    ),
    (
        "a head that LF ends throughout",
        "GET /x HTTP/1.1\nHost: a.test\n\n",
        Passes(X),
        "9112 2.2: the same",
    ),
    (
        "an empty line that LF ends",
        "GET /x HTTP/1.1\r\nHost: a.test\r\n\n",
        Passes(X),
        "9112 2.2: the same",
    ),
    (
        "CR CR LF",
        "GET /x HTTP/1.1\r\r\nHost: a.test\r\n\r\n",
        Closes(400),
        "9112 2.2: a bare CR is invalid",
    ),
    (
        "a response",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        Closes(400),
        "9112 3: a server reads requests",
    ),
];

#[test]
fn bytes() {
    check("bytes", &rows(BYTES, str::to_owned));
}

#[test]
fn long_lines() {
    let long = "a".repeat(40_000);
    let line = |text: String| format!("{text}\r\nHost: a.test\r\n\r\n");
    let why = "9112 3: 414 for a target, 400 or 431 for the rest, that is longer than taken";
    check(
        "long",
        &[
            row(
                "a target",
                line(format!("GET /{long} HTTP/1.1")),
                Closes(431),
                why,
            ),
            row(
                "a query",
                line(format!("GET /?{long} HTTP/1.1")),
                Closes(431),
                why,
            ),
            row(
                "a method",
                line(format!("{long} / HTTP/1.1")),
                Closes(431),
                why,
            ),
        ],
    );
}
