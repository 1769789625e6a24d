//! `Transfer-Encoding` (RFC 9112 sections 6.1 and 6.3).

use super::Expect::{Closes, Passes};
use super::{Line, check, rows};

/// What is in one message for one reader and another request for the next.
const BODY: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
const LAST: &str = "9112 6.3: if chunked is not last the length cannot be told: MUST be 400";
const BOTH: &str = "9112 6.1: beside a length it ought to be handled as an error";

/// Fields, with chunks and a request after the head.
const CODINGS: &[Line] = &[
    (
        "an unknown one",
        "Transfer-Encoding: xchunked",
        Closes(400),
        LAST,
    ),
    (
        "one that chunked begins",
        "Transfer-Encoding: chunkedx",
        Closes(400),
        LAST,
    ),
    ("identity", "Transfer-Encoding: identity", Closes(400), LAST),
    (
        "chunked before another",
        "Transfer-Encoding: chunked, identity",
        Closes(400),
        LAST,
    ),
    (
        "chunked before gzip",
        "Transfer-Encoding: chunked, gzip",
        Closes(400),
        LAST,
    ),
    (
        "chunked after another",
        "Transfer-Encoding: gzip, chunked",
        Closes(400),
        "9112 6.1: not known: 501 or 400",
    ),
    (
        "chunked after identity",
        "Transfer-Encoding: identity, chunked",
        Closes(400),
        "9112 6.1: not known",
    ),
    (
        "chunked twice",
        "Transfer-Encoding: chunked, chunked",
        Closes(400),
        "9112 7.1: MUST NOT be applied twice",
    ),
    (
        "chunked twice in lines",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        Closes(400),
        "9112 7.1",
    ),
    (
        "two lines",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        Closes(400),
        "9112 6.1: not known",
    ),
    (
        "two lines, the other way",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        Closes(400),
        LAST,
    ),
    (
        "an empty line beside",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
        Closes(400),
        LAST,
    ),
    ("nothing", "Transfer-Encoding:", Closes(400), LAST),
    (
        "a comma after",
        "Transfer-Encoding: chunked,",
        Closes(400),
        "9110 5.6.1: an empty element may be refused",
    ),
    (
        "a comma before",
        "Transfer-Encoding: ,chunked",
        Closes(400),
        "9110 5.6.1",
    ),
    (
        "a parameter",
        "Transfer-Encoding: chunked;q=1",
        Closes(400),
        "9112 7: chunked has no parameters",
    ),
    (
        "quotes",
        "Transfer-Encoding: \"chunked\"",
        Closes(400),
        LAST,
    ),
    (
        "VT before",
        "Transfer-Encoding: \x0bchunked",
        Closes(400),
        "9110 5.5: invalid",
    ),
    (
        "a NUL after",
        "Transfer-Encoding: chunked\0",
        Closes(400),
        "9110 5.5: invalid",
    ),
    (
        "a bare CR before",
        "Transfer-Encoding:\rchunked",
        Closes(400),
        "9112 2.2: invalid",
    ),
    (
        "a fold",
        "Transfer-Encoding:\r\n chunked",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a fold after",
        "Transfer-Encoding: chunked\r\n , identity",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a space before the colon",
        "Transfer-Encoding : chunked",
        Closes(400),
        "9112 5.1: MUST be 400",
    ),
    (
        "a tab before the colon",
        "Transfer-Encoding\t: chunked",
        Closes(400),
        "9112 5.1: MUST be 400",
    ),
    (
        "a space before the name",
        "X: y\r\n Transfer-Encoding: chunked",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a bare CR before the name",
        "X: y\rTransfer-Encoding: chunked",
        Closes(400),
        "9112 2.2: invalid",
    ),
    (
        "a length first",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
    (
        "a length after",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        Closes(400),
        BOTH,
    ),
    (
        "a length of all",
        "Content-Length: 49\r\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
    (
        "a length of nothing",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
    (
        "an invalid length",
        "Content-Length: x\r\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
    (
        "in other letters",
        "content-LENGTH: 5\r\ntransfer-ENCODING: CHUNKED",
        Closes(400),
        BOTH,
    ),
    (
        "a length and another",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        Closes(400),
        BOTH,
    ),
    (
        "both, one after LF",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
    (
        "both, far apart",
        "Content-Length: 5\r\nX-Far: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
    (
        "both, which the connection names",
        "Connection: content-length, transfer-encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        Closes(400),
        BOTH,
    ),
];

#[test]
fn codings() {
    let whole =
        |fields: &str| format!("POST /x HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n{BODY}");
    check("codings", &rows(CODINGS, whole));
}

const CHUNKED: &[&str] = &["POST /x | host: a.test | transfer-encoding: chunked | =hello"];

/// Requests with chunks.
const CHUNKS: &[Line] = &[
    (
        "plain",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Passes(CHUNKED),
        "9112 7.1",
    ),
    (
        "in other letters",
        "POST /x HTTP/1.1\r\nHost: a.test\r\ntransfer-ENCODING:ChunKed \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Passes(CHUNKED),
        "9112 7: names of codings are case-insensitive",
    ),
    (
        "of a GET",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Passes(&["GET /x | host: a.test | transfer-encoding: chunked | =hello"]),
        "9110 9.3.1: framed like any other",
    ),
    (
        "that the connection names",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nConnection: transfer-encoding, host\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Passes(CHUNKED),
        "9110 7.6.1: a sender MUST NOT name these; framing stays, and so does the host",
    ),
    (
        "in HTTP/1.0",
        "POST /x HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        "9112 6.1: MUST be taken for faulty framing",
    ),
    (
        "in HTTP/1.0 that stays",
        "POST /x HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\
         \r\n0\r\n\r\nGET /smuggled HTTP/1.0\r\n\r\n",
        Closes(400),
        "9112 6.1: the same",
    ),
];

#[test]
fn chunked() {
    check("chunked", &rows(CHUNKS, str::to_owned));
}
