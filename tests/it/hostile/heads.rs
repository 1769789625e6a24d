//! Request lines and headers.

use super::Expect::{Any, Refused, Served};
use super::{Expect, Row, check, row, rows};

/// Refused as a request that is none.
const BAD: Expect = Refused(&[400]);
/// Refused for its size, which a request line has as well as a header.
const LARGE: Expect = Refused(&[400, 414, 431]);

/// A request with this line.
fn line(what: &'static str, line: &str, expect: Expect) -> Row {
    row(what, format!("{line}\r\nHost: stoker.test\r\n\r\n"), expect)
}

/// A request with these header lines.
fn headers(what: &'static str, lines: &str, expect: Expect) -> Row {
    row(
        what,
        format!("GET /function/f/ROW/work HTTP/1.1\r\n{lines}\r\n"),
        expect,
    )
}

/// A request with a host and this header line.
fn header(what: &'static str, line: &str, expect: Expect) -> Row {
    headers(what, &format!("Host: stoker.test\r\n{line}\r\n"), expect)
}

/// Request lines.
const LINES: &[(&str, &str, Expect)] = &[
    ("a good one", "GET /function/f/ROW/work HTTP/1.1", Served),
    ("no version", "GET /function/f/ROW/work", BAD),
    ("no path", "GET HTTP/1.1", BAD),
    ("nothing but words", "hello there ROW", BAD),
    (
        "an unknown version",
        "GET /function/f/ROW/work HTTP/1.2",
        BAD,
    ),
    ("a later version", "GET /function/f/ROW/work HTTP/3.0", BAD),
    (
        "a version of another protocol",
        "GET /function/f/ROW/work SMTP/1.1",
        BAD,
    ),
    (
        "two paths",
        "GET /function/f/ROW/work /function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    (
        "a space before the method",
        " GET /function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    (
        "a method that is no token",
        "G@T /function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    (
        "a NUL in the method",
        "G\0T /function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    (
        "a tab instead of a space",
        "GET\t/function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    ("a bare CR", "GET /function/f/ROW/work HTTP/1.1\rX: y", BAD),
    (
        "a path without a slash",
        "GET function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    ("a star", "OPTIONS * HTTP/1.1", Refused(&[400, 404])),
    (
        "a tunnel",
        "CONNECT stoker.test:443 HTTP/1.1",
        Refused(&[400, 405, 501]),
    ),
    (
        "a tunnel to a path",
        "CONNECT /function/f/ROW/work HTTP/1.1",
        Refused(&[400, 405]),
    ),
    (
        "a URL",
        "GET http://stoker.test/function/f/ROW/work HTTP/1.1",
        Served,
    ),
    (
        "a URL of another",
        "GET http://other.test/function/f/ROW/work HTTP/1.1",
        Served,
    ),
    (
        "a URL without a path",
        "GET http://stoker.test HTTP/1.1",
        Refused(&[400, 404]),
    ),
    (
        "a URL with a user",
        "GET http://a@stoker.test/function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    (
        "a URL without a host",
        "GET http:///function/f/ROW/work HTTP/1.1",
        BAD,
    ),
    (
        "a method of its own",
        "BREW /function/f/ROW/work HTTP/1.1",
        Served,
    ),
];

/// Bytes that are no request.
const BYTES: &[(&str, &str, Expect)] = &[
    (
        "almost the preface of HTTP/2",
        "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n",
        BAD,
    ),
    (
        "the beginning of TLS",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{7c}\x03\x03",
        BAD,
    ),
    ("zeros", "\0\0\0\0\0\0\0\0", BAD),
    ("line breaks", "\r\n\r\n\r\n\r\n", Refused(&[400, 408])),
    (
        "half a request",
        "GET /function/f/ROW/work HT",
        Refused(&[400, 408]),
    ),
    (
        "half a head",
        "GET /function/f/ROW/work HTTP/1.1\r\nHost: a\r\n",
        Refused(&[408]),
    ),
];

#[test]
fn request_lines() {
    let mut table = rows(LINES, line);
    table.extend(rows(BYTES, row));
    check("lines", table);
}

/// Header lines besides the host.
const HEADERS: &[(&str, &str, Expect)] = &[
    ("a good one", "X-Good: yes", Served),
    ("no colon", "X-Bad", BAD),
    ("no name", ": 1", BAD),
    ("a space in the name", "X Bad: 1", BAD),
    ("a space before the colon", "X-Bad : 1", BAD),
    ("a space before the name", " X-Bad: 1", BAD),
    ("a folded value", "X-Bad: 1\r\n 2", BAD),
    ("a NUL in the name", "X-\0Bad: 1", BAD),
    ("a NUL in the value", "X-Bad: \0", BAD),
    ("a bare CR in the value", "X-Bad: 1\rX-Worse: 2", BAD),
    ("a control character in the value", "X-Bad: \x01", BAD),
    // RFC 9112 section 2.2 lets a recipient take a bare LF for a line's end.
    ("a bare LF", "X-Odd: 1\nX-Odd: 2", Any),
    (
        "an upgrade",
        "Connection: Upgrade\r\nUpgrade: websocket",
        Any,
    ),
    ("a connection that names the host", "Connection: Host", Any),
    ("a strange expectation", "Expect: miracles", Any),
];

/// Header lines without a host of their own.
const HOSTS: &[(&str, &str, Expect)] = &[
    (
        "two hosts",
        "Host: stoker.test\r\nHost: other.test\r\n",
        BAD,
    ),
    ("the same host twice", "Host: a\r\nHost: a\r\n", BAD),
    ("no host", "X-Good: yes\r\n", BAD),
    ("a host with a path", "Host: a/b\r\n", BAD),
    ("a host with a user", "Host: a@b\r\n", BAD),
    ("a host with a space", "Host: a b\r\n", BAD),
    ("two hosts in one", "Host: a, b\r\n", BAD),
    ("an empty host", "Host:\r\n", Any),
];

#[test]
fn header_lines() {
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let large = format!("X-Large: {}", "a".repeat(20_000));
    let mut table = rows(HEADERS, header);
    table.extend(rows(HOSTS, headers));
    let old = "GET /function/f/ROW/work HTTP/1.0\r\n\r\n";
    table.extend([
        header("a large one", &large, Served),
        header("too many", many.trim_end(), LARGE),
        row("no host in HTTP/1.0", old, Served),
    ]);
    check("headers", table);
}

/// The limit is 32 KiB for the request's line and headers together.
#[test]
fn heads_over_the_limit() {
    let (half, all) = ("a".repeat(20_000), "a".repeat(40_000));
    let two = format!("X-Large: {half}\r\nX-Large: {half}");
    let method = format!("{all} /function/f/ROW/work HTTP/1.1");
    let table = vec![
        header("a header", &format!("X-Large: {all}"), LARGE),
        header("two headers", &two, LARGE),
        header("a name", &format!("{all}: 1"), LARGE),
        header("far too large", &"X-Large: 1\r\n".repeat(100_000), LARGE),
        line(
            "a path",
            &format!("GET /function/f/ROW/{all} HTTP/1.1"),
            LARGE,
        ),
        line("a method", &method, LARGE),
    ];
    check("large", table);
}
