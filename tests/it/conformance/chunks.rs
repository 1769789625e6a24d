//! The chunked coding (RFC 9112 section 7.1).

use super::Expect::{Closes, Passes};
use super::{Line, check, row, rows};

const HEAD: &str = "POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
/// What is taken for a request if a chunk's end is found where it is not.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";

const HELLO: &[&str] = &["POST /x | host: a.test | transfer-encoding: chunked | =hello"];
const EMPTY: &[&str] = &["POST /x | host: a.test | transfer-encoding: chunked"];
const SIZE: &str = "9112 7.1: chunk-size = 1*HEXDIG; what follows cannot be trusted";
const END: &str = "9112 7.1: a chunk ends in CR LF";

/// Whole bodies.
const GOOD: &[Line] = &[
    ("one", "5\r\nhello\r\n0\r\n\r\n", Passes(HELLO), "9112 7.1"),
    (
        "two",
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        Passes(HELLO),
        "9112 7.1",
    ),
    ("none", "0\r\n\r\n", Passes(EMPTY), "9112 7.1"),
    (
        "zeros before the size",
        "0005\r\nhello\r\n000\r\n\r\n",
        Passes(HELLO),
        "9112 7.1: 1*HEXDIG",
    ),
    (
        "many zeros",
        "000000000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
        Passes(HELLO),
        "9112 7.1",
    ),
    (
        "an extension",
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        Passes(HELLO),
        "9112 7.1.1: ignored and dropped",
    ),
    (
        "an extension in quotes",
        "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n",
        Passes(HELLO),
        "9112 7.1.1",
    ),
    (
        "an extension of nothing",
        "5;\r\nhello\r\n0\r\n\r\n",
        Passes(HELLO),
        "9112 7.1.1: ignored",
    ),
    (
        "an extension of the last",
        "5\r\nhello\r\n0;a=b\r\n\r\n",
        Passes(HELLO),
        "9112 7.1.1",
    ),
    (
        "a space before an extension",
        "5 ;a\r\nhello\r\n0\r\n\r\n",
        Passes(HELLO),
        "9112 7.1.1: BWS",
    ),
    (
        "CR LF 0 within",
        "7\r\na\r\n0\r\n\r\r\n0\r\n\r\n",
        Passes(&["POST /x | host: a.test | transfer-encoding: chunked | =a\r\n0\r\n\r"]),
        "9112 7.1: the size counts, not what it looks like",
    ),
    (
        "trailers",
        "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        Passes(&["POST /x | host: a.test | transfer-encoding: chunked | =hello | +x-sum: 1"]),
        "9112 7.1.2",
    ),
    (
        "trailers that frame or route",
        "5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\nHost: b.test\r\n\
         Authorization: y\r\nX-Sum: 1\r\nX-Forwarded-For: 192.0.2.1\r\nStoker-Key: z\r\n\r\n",
        Passes(&["POST /x | host: a.test | transfer-encoding: chunked | =hello | +x-sum: 1"]),
        "9110 6.5.1: these MUST NOT be trailers",
    ),
];

/// Broken ones, with a request after them.
const BAD: &[Line] = &[
    ("no size", "\r\nhello\r\n0\r\n\r\n", Closes(400), SIZE),
    ("letters", "xyz\r\nhello\r\n0\r\n\r\n", Closes(400), SIZE),
    ("a sign", "+5\r\nhello\r\n0\r\n\r\n", Closes(400), SIZE),
    (
        "a negative size",
        "-5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    ("a negative zero", "-0\r\n\r\n", Closes(400), SIZE),
    (
        "a size in C",
        "0x5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "a size with a point",
        "5.0\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "a size in an underscore",
        "0_5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "a size in quotes",
        "\"5\"\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "a space before the size",
        " 5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "a space in the size",
        "0 5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "a NUL after the size",
        "5\0\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        SIZE,
    ),
    (
        "17 digits that wrap",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        "9112 7.1: no overflow",
    ),
    (
        "17 digits",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        "9112 7.1: no overflow",
    ),
    (
        "a shorter size",
        "4\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "no line break after",
        "5\r\nhello0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "LF after the size",
        "5\nhello\r\n0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "LF after the chunk",
        "5\r\nhello\n0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "CR after the chunk",
        "5\r\nhello\r0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "CR CR LF after the chunk",
        "5\r\nhello\r\r\n0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "CR in the size line",
        "5\r5\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        END,
    ),
    (
        "LF in an extension",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        "9112 7.1.1: no LF in one",
    ),
    (
        "LF in quotes",
        "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        "9112 7.1.1: nor in quotes",
    ),
    (
        "CR in an extension",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        Closes(400),
        "9112 7.1.1: no CR in one",
    ),
    (
        "LF after the last size",
        "5\r\nhello\r\n0\n\r\n",
        Closes(400),
        END,
    ),
];

#[test]
fn chunks() {
    let mut table = rows(GOOD, |body| format!("{HEAD}{body}"));
    table.extend(rows(BAD, |body| format!("{HEAD}{body}{HIDDEN}")));
    let long = "x".repeat(20_000);
    let bad = |text: String| format!("{HEAD}{text}");
    let why = "9112 7.1.1: extensions are bounded";
    table.extend([
        row(
            "an endless extension",
            bad(format!("5;{long}\r\nhello\r\n0\r\n\r\n")),
            Closes(400),
            why,
        ),
        row(
            "extensions",
            bad(format!("1;{}\r\na\r\n", "x".repeat(300)).repeat(90)),
            Closes(400),
            why,
        ),
        row(
            "a chunk over the limit",
            bad(format!("3e9\r\n{long}")),
            Closes(413),
            "9110 15.5.14",
        ),
        row(
            "many chunks over the limit",
            bad("1\r\na\r\n".repeat(1001)),
            Closes(413),
            "9110 15.5.14",
        ),
        row(
            "endless trailers",
            bad(format!("0\r\nX: {long}\r\nX: {long}\r\n\r\n")),
            Closes(400),
            "9112 7.1.2: trailers are bounded",
        ),
        row(
            "a trailer that is no field",
            bad("0\r\nno field\r\n\r\n".into()),
            Closes(400),
            "9112 7.1.2: field lines",
        ),
        row(
            "a folded trailer",
            bad("0\r\nX: y\r\n z\r\n\r\n".into()),
            Closes(400),
            "9112 5.2: obs-fold",
        ),
    ]);
    check("chunks", &table);
}
