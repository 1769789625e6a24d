//! Several requests on one connection, and what is said about it (RFC 9112 section 9, RFC 9110
//! sections 7.6, 7.8 and 10.1.1).

use super::Expect::{Closes, Passes, PassesLast, PassesThen};
use super::{Line, check, rows};

/// Whole exchanges.
const TABLE: &[Line] = &[
    (
        "a pipeline",
        "GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a.test\r\n\
         Content-Length: 5\r\n\r\nhelloPOST /3 HTTP/1.1\r\nHost: a.test\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Passes(&[
            "GET /1 | host: a.test",
            "POST /2 | host: a.test | content-length: 5 | =hello",
            "POST /3 | host: a.test | transfer-encoding: chunked | =hi",
            "GET /4 | host: a.test",
        ]),
        "9112 9.3.2: answers in the order of the requests",
    ),
    (
        "a pipeline with empty lines",
        "GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Passes(&["GET /1 | host: a.test", "GET /2 | host: a.test"]),
        "9112 2.2: an empty line before a request is ignored",
    ),
    (
        "a pipeline after the end",
        "GET /1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n",
        PassesLast(&["GET /1 | host: a.test"]),
        "9112 9.6: requests after close MUST NOT be processed",
    ),
    (
        "a fault in a pipeline",
        "GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nG@T /2 HTTP/1.1\r\nHost: a.test\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n",
        PassesThen(&["GET /1 | host: a.test"], 400),
        "9112 9.3.2: the first is answered; the rest cannot be trusted",
    ),
    (
        "HTTP/1.0",
        "GET /x HTTP/1.0\r\nHost: a.test\r\n\r\n",
        PassesLast(&["GET /x | host: a.test"]),
        "9112 9.3: it ends unless asked to stay",
    ),
    (
        "HTTP/1.0 without a host",
        "GET /x HTTP/1.0\r\n\r\n",
        PassesLast(&["GET /x | host: "]),
        "9112 3.2: HTTP/1.0 need not name one; towards the function there must be one, empty",
    ),
    (
        "HTTP/1.0 that stays",
        "GET /x HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9112 9.3: asked to stay",
    ),
    (
        "a named field",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: x-one, X-Two\r\nX-One: 1\r\nX-Two: 2\r\n\
         X-Three: 3\r\n\r\n",
        Passes(&["GET /x | host: a.test | x-three: 3"]),
        "9110 7.6.1: what the connection names is for this hop only",
    ),
    (
        "named fields that must stay",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: host, x-forwarded-for, forwarded, \
         traceparent, x-request-id\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9110 7.6.1: MUST NOT name what is meant for all; the gateway's own are not dropped",
    ),
    (
        "fields of one hop",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\n\
         Proxy-Authorization: y\r\nTE: gzip\r\nUpgrade: foo\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9110 7.6.1",
    ),
    (
        "trailers are taken",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: te\r\nTE: trailers, gzip;q=0.5\r\n\r\n",
        Passes(&["GET /x | host: a.test | connection: te | te: trailers"]),
        "9110 10.1.4: for this hop; written anew for the next",
    ),
    (
        "an upgrade to h2c",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9113 3.1: obsolete; none of its fields reaches the function",
    ),
    (
        "an upgrade to h2c that is not named",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9113 3.1: obsolete; none of its fields reaches the function",
    ),
    (
        "an upgrade with a body",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\
         Content-Length: 5\r\n\r\nhello",
        Passes(&["POST /x | host: a.test | content-length: 5 | =hello"]),
        "9110 7.8: an upgrade may be ignored; a body stays a body",
    ),
    (
        "an upgrade in HTTP/1.0",
        "GET /x HTTP/1.0\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n",
        PassesLast(&["GET /x | host: a.test"]),
        "9110 7.8: MUST be ignored in HTTP/1.0",
    ),
    (
        "an upgrade that is declined",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
        Passes(&["GET /x | host: a.test | connection: upgrade | upgrade: foo"]),
        "9110 7.8: the function decides; HTTP/1.1 goes on",
    ),
    (
        "an expectation with its body",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        Passes(&["POST /x | host: a.test | content-length: 5 | =hello"]),
        "9110 10.1.1: a 100 may come or not, the answer is one",
    ),
    (
        "an expectation in other letters",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\nhello",
        Passes(&["POST /x | host: a.test | content-length: 5 | =hello"]),
        "9110 10.1.1: case-insensitive",
    ),
    (
        "an expectation without a body",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9110 10.1.1: MUST NOT be sent, and means nothing",
    ),
    (
        "an expectation in HTTP/1.0",
        "POST /x HTTP/1.0\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        PassesLast(&["POST /x | host: a.test | content-length: 5 | =hello"]),
        "9110 10.1.1: MUST be ignored in HTTP/1.0",
    ),
    (
        "another expectation",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nExpect: miracles\r\n\r\n",
        Passes(&["GET /x | host: a.test"]),
        "9110 10.1.1: MAY be 417; the gateway has no part in it",
    ),
    (
        "cookies",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n",
        Passes(&["GET /x | host: a.test | cookie: a=1; b=2"]),
        "6265 5.4, 9113 8.2.3: one field for who knows only one",
    ),
    (
        "a head in a head",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nX: GET /smuggled HTTP/1.1\r\n\r\n",
        Passes(&["GET /x | host: a.test | x: GET /smuggled HTTP/1.1"]),
        "9112 5: a value is a value",
    ),
    (
        "half a body and the next",
        "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 500\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Closes(408),
        "9112 8: an incomplete message is no request; what was in it is none either",
    ),
    (
        "half a head",
        "GET /x HTTP/1.1\r\nHost: a.test\r\n",
        PassesLast(&[]),
        "9112 9.5: closed when its time is over; there is no request to answer",
    ),
];

#[test]
fn connections() {
    check("connections", &rows(TABLE, str::to_owned));
}
