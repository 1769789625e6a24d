//! Bodies and their lengths (RFC 9113 section 8.1).

use super::Expect::{Passes, Reset};
use super::{A, Line, M, P, POST, S, X, check, whole};

/// Rows.
const TABLE: &[Line] = &[
    // Lengths.
    (
        "a body",
        &[POST, S, A, P],
        Some("hello"),
        Passes("POST /x | host: a.test | transfer-encoding: chunked | =hello"),
        "9113 8.1: the stream's end ends it",
    ),
    (
        "a length",
        &[POST, S, A, P, ("content-length", "5")],
        Some("hello"),
        Passes("POST /x | host: a.test | content-length: 5 | =hello"),
        "9113 8.1.1",
    ),
    (
        "a longer length",
        &[POST, S, A, P, ("content-length", "6")],
        Some("hello"),
        Reset,
        "9113 8.1.1: malformed",
    ),
    (
        "a shorter length",
        &[POST, S, A, P, ("content-length", "4")],
        Some("hello"),
        Reset,
        "9113 8.1.1: malformed",
    ),
    (
        "a length without a body",
        &[POST, S, A, P, ("content-length", "5")],
        None,
        Reset,
        "9113 8.1.1: malformed",
    ),
    (
        "a signed length",
        &[POST, S, A, P, ("content-length", "+5")],
        Some("hello"),
        Reset,
        "9110 8.6: 1*DIGIT",
    ),
    (
        "a hexadecimal length",
        &[POST, S, A, P, ("content-length", "0x5")],
        Some("hello"),
        Reset,
        "9110 8.6: 1*DIGIT",
    ),
    (
        "two lengths",
        &[
            POST,
            S,
            A,
            P,
            ("content-length", "5"),
            ("content-length", "6"),
        ],
        Some("hello"),
        Reset,
        "9110 8.6: malformed",
    ),
    (
        "the same length twice",
        &[
            POST,
            S,
            A,
            P,
            ("content-length", "5"),
            ("content-length", "5"),
        ],
        Some("hello"),
        Passes("POST /x | host: a.test | content-length: 5 | =hello"),
        "9110 8.6: may be taken as one",
    ),
    (
        "a length in a list",
        &[POST, S, A, P, ("content-length", "5, 5")],
        Some("hello"),
        Reset,
        "9110 8.6: may be refused",
    ),
    (
        "a request in the body",
        &[POST, S, A, P, ("content-length", "26")],
        Some("GET /smuggled HTTP/1.1\r\n\r\n"),
        Passes("POST /x | host: a.test | content-length: 26 | =GET /smuggled HTTP/1.1\r\n\r\n"),
        "9113 8.1: a body is a body",
    ),
    (
        "chunks in the body",
        &[POST, S, A, P],
        Some("0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        Passes(
            "POST /x | host: a.test | transfer-encoding: chunked | \
             =0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n",
        ),
        "9113 8.1: coded anew, they are content",
    ),
    (
        "a body that is too long",
        &[POST, S, A, P, ("content-length", "1001")],
        None,
        Reset,
        "9113 8.1.1",
    ),
    (
        "an expectation",
        &[M, S, A, P, ("expect", "100-continue")],
        None,
        X,
        "9110 10.1.1",
    ),
    (
        "what only the gateway says",
        &[
            M,
            S,
            A,
            P,
            ("x-forwarded-for", "192.0.2.1"),
            ("stoker-start", "y"),
            ("forwarded", "for=x"),
        ],
        None,
        X,
        "7239 8.1: what a stranger says of himself is replaced",
    ),
];

#[test]
fn bodies() {
    check("http2-bodies", TABLE.iter().map(whole));
}
