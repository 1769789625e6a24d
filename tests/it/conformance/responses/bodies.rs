//! Where answers end (RFC 9112 section 6).

use super::Expect::{Cut, Gets, Invalid, Lost};
use super::{CHUNKED, CODING, HELLO, LENGTH, Line, check, rows};

/// Where bodies end.
const FRAMING: &[Line] = &[
    (
        "two of the same",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9112 6.3",
    ),
    (
        "two lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "a list of lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "a signed length",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "a negative length",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "a hexadecimal length",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "an empty length",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "a length beyond 64 bits",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
        Invalid,
        LENGTH,
    ),
    (
        "chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        CHUNKED,
        "9112 7.1",
    ),
    (
        "a length and chunks",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        CHUNKED,
        "9112 6.3: chunked counts, the length MUST be removed",
    ),
    (
        "chunks and a length",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        CHUNKED,
        "9112 6.3: the same",
    ),
    (
        "an unknown coding",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        Invalid,
        CODING,
    ),
    (
        "an unknown coding in chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        Invalid,
        CODING,
    ),
    (
        "a coding after chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        Invalid,
        CODING,
    ),
    (
        "chunks twice",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Invalid,
        "9112 7.1",
    ),
    (
        "chunks in HTTP/1.0",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Invalid,
        "9112 6.1: faulty",
    ),
    (
        "a bad chunk size",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
        Cut,
        "9112 7.1",
    ),
    (
        "a negative chunk size",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        Cut,
        "9112 7.1",
    ),
    (
        "a chunk that LF ends",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
        Cut,
        "9112 7.1",
    ),
    (
        "a chunk of 2^64 and 5",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
        Cut,
        "9112 7.1",
    ),
    (
        "half the chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        Cut,
        "9112 8: incomplete",
    ),
    (
        "half a chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        Cut,
        "9112 8: incomplete",
    ),
    (
        "no end of the trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n",
        Cut,
        "9112 8: incomplete",
    ),
    (
        "half a body",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        Cut,
        "9112 8: incomplete",
    ),
    (
        "no length",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        CHUNKED,
        "9112 6.3: the end of the connection ends it",
    ),
];

#[test]
fn framing() {
    let mut table = rows(FRAMING, false);
    for row in &mut table {
        // What is cut short is so by an end.
        row.close = row.why.contains("incomplete") || row.name == "no length";
    }
    check("answers-framing", "GET", &table);
}

/// Answers that have no body, whatever they say.
const EMPTY: &[Line] = &[
    (
        "204",
        "HTTP/1.1 204 No Content\r\n\r\n",
        Gets("204"),
        "9112 6.3",
    ),
    (
        "204 with a body",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        Gets("204"),
        "9110 8.6: MUST NOT have a length",
    ),
    (
        "204 with chunks",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Gets("204"),
        "9112 6.1",
    ),
    (
        "304",
        "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
        Gets("304 | etag: \"a\""),
        "9112 6.3",
    ),
    (
        "304 with a body",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
        Gets("304"),
        "9110 8.6: a length would be that of a 200; it may be left out",
    ),
    (
        "continue",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "9110 15.2",
    ),
    (
        "early hints",
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        HELLO,
        "8297 2",
    ),
    (
        "a switch that nobody asked for",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
        Invalid,
        "9110 15.2.2",
    ),
    (
        "an interim answer alone",
        "HTTP/1.1 100 Continue\r\n\r\n",
        Lost,
        "9110 15.2: a final one MUST follow",
    ),
];

#[test]
fn answers_without_a_body() {
    let mut table = rows(EMPTY, false);
    for row in &mut table {
        row.close = matches!(row.expect, Lost);
    }
    check("answers-empty", "GET", &table);
}

#[test]
fn answers_to_head() {
    const HEAD: &[Line] = &[
        (
            "a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            Gets("200 | content-length: 5"),
            "9112 6.3",
        ),
        (
            "a body",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Gets("200 | content-length: 5"),
            "9112 6.3: none, whatever comes",
        ),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Gets("200"),
            "9112 6.1: may be left out",
        ),
        (
            "another answer",
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            Gets("200"),
            "9112 9.2",
        ),
    ];
    check("answers-head", "HEAD", &rows(HEAD, false));
}

/// More than one answer.
const EXTRA: &[Line] = &[
    (
        "a second answer",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        HELLO,
        "9112 9.2: MUST NOT be taken for another's",
    ),
    (
        "bytes after the body",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\r\n",
        HELLO,
        "9112 9.2",
    ),
    (
        "bytes after the chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        CHUNKED,
        "9112 9.2",
    ),
    (
        "an answer after a 204",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        Gets("204"),
        "9112 9.2",
    ),
];

#[test]
fn what_comes_after_an_answer_is_nobodys() {
    check("answers-extra", "GET", &rows(EXTRA, false));
}
