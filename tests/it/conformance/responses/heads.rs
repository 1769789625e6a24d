//! Heads of answers (RFC 9112 sections 4 and 5).

use super::Expect::{Gets, Invalid, Lost};
use super::{HELLO, Line, check, rows};

/// Status lines.
const LINES: &[Line] = &[
    (
        "plain",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9112 4",
    ),
    (
        "no reason",
        "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9112 4: optional",
    ),
    (
        "HTTP/1.0",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9110 2.5",
    ),
    (
        "LF for line ends",
        "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        HELLO,
        "9112 2.2: MAY",
    ),
    (
        "an unknown status",
        "HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n",
        Gets("599 | content-length: 0"),
        "9110 15",
    ),
    (
        "a status of two digits",
        "HTTP/1.1 20 OK\r\n\r\n",
        Invalid,
        "9112 4: 3DIGIT",
    ),
    (
        "a status of four digits",
        "HTTP/1.1 2000 OK\r\n\r\n",
        Invalid,
        "9112 4: 3DIGIT",
    ),
    (
        "a status below all",
        "HTTP/1.1 099 OK\r\n\r\n",
        Invalid,
        "9110 15: 100 to 599",
    ),
    (
        "a negative status",
        "HTTP/1.1 -20 OK\r\n\r\n",
        Invalid,
        "9112 4: 3DIGIT",
    ),
    (
        "another protocol",
        "ICY 200 OK\r\n\r\n",
        Invalid,
        "9112 2.3: HTTP-name",
    ),
    (
        "HTTP/2 as a line",
        "HTTP/2 200 OK\r\n\r\n",
        Invalid,
        "9112 2.3: DIGIT \".\" DIGIT",
    ),
    (
        "a bare CR in the reason",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        Invalid,
        "9112 2.2",
    ),
    (
        "a NUL in the reason",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        Invalid,
        "9112 4: reason-phrase",
    ),
    (
        "HTTP/0.9",
        "<html>hello</html>",
        Invalid,
        "9112 4: a status line comes first",
    ),
    (
        "nothing",
        "",
        Lost,
        "9112 9.5: it may close at any time; the request is not repeated",
    ),
    (
        "half a head",
        "HTTP/1.1 200 OK\r\nContent-Le",
        Lost,
        "9112 8: incomplete",
    ),
];

#[test]
fn status_lines() {
    let mut table = rows(LINES, false);
    for row in &mut table {
        row.close = matches!(row.expect, Lost);
    }
    check("answers-lines", "GET", &table);
}

/// Fields.
const FIELDS: &[Line] = &[
    (
        "a fold",
        "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
        Invalid,
        "9112 5.2: a proxy MUST discard or replace it",
    ),
    (
        "a space before the colon",
        "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        Invalid,
        "9112 5.1: not passed on",
    ),
    (
        "a space in a name",
        "HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n",
        Invalid,
        "9110 5.1: token",
    ),
    (
        "a NUL in a name",
        "HTTP/1.1 200 OK\r\nX\0: 1\r\n\r\n",
        Invalid,
        "9110 5.1: token",
    ),
    (
        "a NUL in a value",
        "HTTP/1.1 200 OK\r\nX: 1\x002\r\n\r\n",
        Invalid,
        "9110 5.5",
    ),
    (
        "a bare CR in a value",
        "HTTP/1.1 200 OK\r\nX: 1\rSet-Cookie: a=1\r\n\r\n",
        Invalid,
        "9112 2.2: a way to split it",
    ),
    (
        "no colon",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
        Invalid,
        "9112 5: field-line",
    ),
    (
        "no name",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        Invalid,
        "9112 5: field-line",
    ),
    (
        "of the connection",
        "HTTP/1.1 200 OK\r\nConnection: x-one\r\nConnection: x-two, close\r\nX-One: 1\r\nX-Two: 2\r\n\
         X-Three: 3\r\nKeep-Alive: 5\r\nUpgrade: foo\r\nProxy-Authenticate: x\r\nContent-Length: 5\r\n\
         \r\nhello",
        Gets("200 | content-length: 5 | x-three: 3 | =hello"),
        "9110 7.6.1: every line of it counts",
    ),
    (
        "closing, then not",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9112 9.3: close counts whatever else is said",
    ),
    (
        "a length that the connection names",
        "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9110 7.6.1: MUST NOT be named; framing stays",
    ),
    (
        "what only the gateway says",
        "HTTP/1.1 200 OK\r\nStoker-Origin: gateway\r\nX-Request-Id: y\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "the gateway's own fields are replaced",
    ),
];

#[test]
fn fields() {
    check("answers-fields", "GET", &rows(FIELDS, false));
}
