//! Trailers, and frames in and out of order (RFC 9113 sections 5.1, 6 and 8.1).

use super::Expect::{Ends, Passes, Reset};
use super::{A, Case, HOP, M, P, POST, S, VALUE, X, check};
use crate::harness::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, block, frame,
};

/// What comes of a body with one trailer.
const PASSED: &str = "POST /x | host: a.test | transfer-encoding: chunked | =hello | +x: y";

#[test]
fn trailers() {
    let trailers = |fields: &[(&str, &str)]| {
        let start = frames::headers(1, END_HEADERS, &[POST, S, A, P]);
        let end = frames::headers(1, END_HEADERS | END_STREAM, fields);
        [start, frame(DATA, 0, 1, b"hello"), end].concat()
    };
    let rows: Vec<Case> = vec![
        (
            "trailers",
            trailers(&[("x", "y")]),
            Passes(PASSED),
            "9113 8.1",
        ),
        (
            "trailers that frame or route",
            trailers(&[
                ("content-length", "9"),
                ("host", "b.test"),
                ("x", "y"),
                ("authorization", "z"),
            ]),
            Passes(PASSED),
            "9110 6.5.1: these MUST NOT be trailers",
        ),
        (
            "trailers with a line break",
            trailers(&[("x", "y\r\nz: 1")]),
            Ends,
            VALUE,
        ),
        (
            "trailers with a pseudo-header",
            trailers(&[(":path", "/y")]),
            Passes("POST /x | host: a.test | transfer-encoding: chunked | =hello"),
            "9113 8.1: malformed, which h2 lets pass; nothing of it is passed on",
        ),
        (
            "trailers of a connection",
            trailers(&[("transfer-encoding", "chunked")]),
            Reset,
            HOP,
        ),
    ];
    check("http2-trailers", rows.into_iter());
}

#[test]
fn frames_around_a_request() {
    let whole = block(&[M, S, A, P]);
    let (first, second) = whole.split_at(7);
    let split = [
        frame(HEADERS, END_STREAM, 1, first),
        frame(CONTINUATION, END_HEADERS, 1, second),
    ];
    let between = [
        frame(HEADERS, END_STREAM, 1, first),
        frame(frames::PING, 0, 0, &[0; 8]),
        frame(CONTINUATION, END_HEADERS, 1, second),
    ];
    let rows: Vec<Case> = vec![
        ("fields in two frames", split.concat(), X, "9113 6.10"),
        (
            "a frame between them",
            between.concat(),
            Ends,
            "9113 6.10: nothing else may come between",
        ),
        (
            "DATA of no stream",
            frame(DATA, END_STREAM, 0, b"x"),
            Ends,
            "9113 6.1",
        ),
        (
            "DATA of an idle stream",
            frame(DATA, END_STREAM, 1, b"x"),
            Ends,
            "9113 5.1",
        ),
        (
            "an even stream",
            frames::headers(2, END_HEADERS | END_STREAM, &[M, S, A, P]),
            Ends,
            "9113 5.1.1",
        ),
        (
            "a push",
            frame(5, END_HEADERS, 1, &[0, 0, 0, 2]),
            Ends,
            "9113 8.4: callers do not push",
        ),
    ];
    check("http2-frames", rows.into_iter());
}
