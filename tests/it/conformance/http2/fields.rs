//! Fields (RFC 9113 section 8.2).

use super::Expect::{Ends, Passes, Reset};
use super::{A, HOP, Line, M, P, POST, S, VALUE, X, check, whole};

/// Rows.
const TABLE: &[Line] = &[
    // Fields of a connection.
    (
        "connection",
        &[M, S, A, P, ("connection", "close")],
        None,
        Reset,
        HOP,
    ),
    (
        "keep-alive",
        &[M, S, A, P, ("keep-alive", "5")],
        None,
        Reset,
        HOP,
    ),
    (
        "proxy-connection",
        &[M, S, A, P, ("proxy-connection", "close")],
        None,
        Reset,
        HOP,
    ),
    (
        "transfer-encoding",
        &[POST, S, A, P, ("transfer-encoding", "chunked")],
        Some("0\r\n\r\n"),
        Reset,
        HOP,
    ),
    (
        "upgrade",
        &[M, S, A, P, ("upgrade", "websocket")],
        None,
        Reset,
        HOP,
    ),
    (
        "te of a coding",
        &[M, S, A, P, ("te", "gzip")],
        None,
        Reset,
        "9113 8.2.2: only trailers",
    ),
    (
        "te of trailers",
        &[M, S, A, P, ("te", "trailers")],
        None,
        Passes("GET /x | host: a.test | connection: te | te: trailers"),
        "9113 8.2.2",
    ),
    (
        "http2-settings",
        &[M, S, A, P, ("http2-settings", "AAMAAABk")],
        None,
        X,
        "9113 3.1: of the old upgrade",
    ),
    // Names and values.
    (
        "a name in capitals",
        &[M, S, A, P, ("X", "y")],
        None,
        Ends,
        "9113 8.2.1: malformed",
    ),
    (
        "an empty name",
        &[M, S, A, P, ("", "y")],
        None,
        Ends,
        "9113 8.2.1: malformed",
    ),
    (
        "a name with a space",
        &[M, S, A, P, ("x y", "z")],
        None,
        Ends,
        "9113 8.2.1: malformed",
    ),
    (
        "a name with a colon",
        &[M, S, A, P, ("x:y", "z")],
        None,
        Ends,
        "9113 8.2.1: malformed",
    ),
    (
        "a name with a line break",
        &[M, S, A, P, ("x: y\r\nz", "1")],
        None,
        Ends,
        VALUE,
    ),
    (
        "a value with a line break",
        &[M, S, A, P, ("x", "y\r\nz: 1")],
        None,
        Ends,
        VALUE,
    ),
    (
        "a value with CR",
        &[M, S, A, P, ("x", "y\rz")],
        None,
        Ends,
        VALUE,
    ),
    (
        "a value with LF",
        &[M, S, A, P, ("x", "y\nz")],
        None,
        Ends,
        VALUE,
    ),
    (
        "a value with a NUL",
        &[M, S, A, P, ("x", "y\0z")],
        None,
        Ends,
        VALUE,
    ),
    (
        "a value with a space around",
        &[M, S, A, P, ("x", " y ")],
        None,
        Passes("GET /x | host: a.test | x: y"),
        "9113 8.2.1: malformed; over HTTP/1.1 it is no part of the value",
    ),
    (
        "cookies",
        &[M, S, A, P, ("cookie", "a=1"), ("cookie", "b=2")],
        None,
        Passes("GET /x | host: a.test | cookie: a=1; b=2"),
        "9113 8.2.3: one field for who knows only one",
    ),
];

#[test]
fn fields() {
    check("http2-fields", TABLE.iter().map(whole));
}
