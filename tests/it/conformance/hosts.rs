//! The host that is asked for (RFC 9112 section 3.2, RFC 9110 section 7.2).

use super::Expect::{Closes, Passes, Stays};
use super::{Line, check, rows};

const X: &[&str] = &["GET /x | host: a.test"];

/// Fields in place of a host.
const HOSTS: &[Line] = &[
    ("one", "Host: a.test\r\n", Passes(X), "9112 3.2"),
    (
        "with a port",
        "Host: a.test:80\r\n",
        Passes(&["GET /x | host: a.test:80"]),
        "9110 7.2",
    ),
    (
        "an address",
        "Host: [::1]:80\r\n",
        Passes(&["GET /x | host: [::1]:80"]),
        "9110 7.2",
    ),
    ("no space", "Host:a.test\r\n", Passes(X), "9112 5.1: OWS"),
    (
        "white space around",
        "Host: \t a.test \t\r\n",
        Passes(X),
        "9112 5.1: OWS is no part of it",
    ),
    ("none", "X: y\r\n", Stays(400), "9112 3.2: MUST be 400"),
    (
        "two",
        "Host: a.test\r\nHost: b.test\r\n",
        Stays(400),
        "9112 3.2: MUST be 400",
    ),
    (
        "the same twice",
        "Host: a.test\r\nHost: a.test\r\n",
        Stays(400),
        "9112 3.2: MUST be 400",
    ),
    (
        "two in one",
        "Host: a.test, b.test\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a path",
        "Host: a.test/y\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a query",
        "Host: a.test?y\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a fragment",
        "Host: a.test#y\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a user",
        "Host: u@a.test\r\n",
        Stays(400),
        "9110 4.2.4: no userinfo",
    ),
    (
        "a URL",
        "Host: http://a.test\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a space",
        "Host: a test\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a tab",
        "Host: a\ttest\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "quotes",
        "Host: \"a.test\"\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a backslash",
        "Host: a\\b\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "a semicolon",
        "Host: a.test;b\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "beyond ASCII",
        "Host: ä.test\r\n",
        Stays(400),
        "9112 3.2: an invalid value",
    ),
    (
        "an underscore",
        "Host: a_b.test\r\n",
        Passes(&["GET /x | host: a_b.test"]),
        "3986 3.2.2",
    ),
    (
        "a folded one",
        "Host: a.test\r\n b.test\r\n",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a space before the colon",
        "Host : a.test\r\n",
        Closes(400),
        "9112 5.1: MUST be 400",
    ),
    (
        "a claim about the host",
        "Host: a.test\r\nX-Forwarded-Host: b.test\r\nForwarded: host=b.test\r\n",
        Passes(X),
        "7239 8.1: what a stranger says of himself is replaced",
    ),
];

#[test]
fn hosts() {
    let whole = |fields: &str| format!("GET /x HTTP/1.1\r\n{fields}\r\n");
    check("hosts", &rows(HOSTS, whole));
}
