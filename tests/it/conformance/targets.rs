//! Request targets (RFC 9112 section 3.2) and the host that is asked for.

use super::Expect::{Closes, Passes, Stays};
use super::{Line, check, rows};

const X: &[&str] = &["GET /x | host: a.test"];

/// Targets, each of a GET with `Host: a.test`.
const TARGETS: &[Line] = &[
    (
        "origin-form",
        "/x?y=z",
        Passes(&["GET /x?y=z | host: a.test"]),
        "9112 3.2.1",
    ),
    (
        "an empty query",
        "/x?",
        Passes(&["GET /x? | host: a.test"]),
        "9112 3.2.1: query",
    ),
    (
        "a query of question marks",
        "/x??",
        Passes(&["GET /x?? | host: a.test"]),
        "3986 3.4",
    ),
    (
        "absolute-form",
        "http://a.test/x",
        Passes(X),
        "9112 3.2.2: a server MUST take it",
    ),
    (
        "absolute-form with another host",
        "http://b.test/x",
        Passes(&["GET /x | host: b.test"]),
        "9112 3.2.2: the target's host counts, the field is replaced",
    ),
    (
        "absolute-form with a port",
        "http://b.test:81/x",
        Passes(&["GET /x | host: b.test:81"]),
        "9112 3.2.2: the same",
    ),
    (
        "absolute-form without a path",
        "http://a.test",
        Passes(&["GET / | host: a.test"]),
        "9112 3.2.1: an empty path is sent as /",
    ),
    (
        "absolute-form of https",
        "https://a.test/x",
        Passes(X),
        "9112 3.2.2: a server MUST take it",
    ),
    (
        "absolute-form with a user",
        "http://u@a.test/x",
        Stays(400),
        "9110 4.2.4: userinfo deceives",
    ),
    (
        "absolute-form with a password",
        "http://u:p@a.test/x",
        Stays(400),
        "9110 4.2.4",
    ),
    (
        "absolute-form without a host",
        "http:///x",
        Closes(400),
        "9110 4.2.1: an empty host is invalid",
    ),
    (
        "absolute-form with a space",
        "http://a.test /x",
        Closes(400),
        "9112 3.2: no white space",
    ),
    (
        "absolute-form of nothing",
        "http://",
        Closes(400),
        "9110 4.2.1: an empty host is invalid",
    ),
    (
        "a scheme alone",
        "http:",
        Stays(400),
        "9112 3.2: none of the four forms",
    ),
    (
        "authority-form",
        "a.test:80",
        Stays(400),
        "9112 3.2.3: only of CONNECT",
    ),
    (
        "a name",
        "x",
        Stays(400),
        "9112 3.2: none of the four forms of a GET",
    ),
    (
        "asterisk-form",
        "*",
        Stays(400),
        "9112 3.2.4: only of OPTIONS",
    ),
    (
        "two slashes",
        "//b.test/x",
        Passes(&["GET //b.test/x | host: a.test"]),
        "3986 3.3: a path",
    ),
    (
        "a fragment",
        "/x#y",
        Passes(X),
        "9112 3.2.1: none in a target; it ends there for everybody",
    ),
    (
        "a fragment first",
        "#/x",
        Closes(400),
        "9112 3.2: none of the four forms",
    ),
    (
        "a query first",
        "?/x",
        Closes(400),
        "9112 3.2.1: absolute-path",
    ),
    (
        "a NUL",
        "/x\0",
        Closes(400),
        "9112 3.2.1: no such character in a path",
    ),
    (
        "DEL",
        "/x\x7f",
        Closes(400),
        "9112 3.2.1: no such character in a path",
    ),
    (
        "VT",
        "/x\x0b",
        Closes(400),
        "9112 3.2.1: no such character in a path",
    ),
    (
        "codes",
        "/%41%20%C3%A4",
        Passes(&["GET /%41%20%C3%A4 | host: a.test"]),
        "3986 2.1",
    ),
    ("half a code", "/x%2", Stays(400), "3986 2.1: two digits"),
    (
        "a code of letters",
        "/x%zz",
        Stays(400),
        "3986 2.1: two digits",
    ),
    ("a percent sign", "/%/x", Stays(400), "3986 2.1: two digits"),
    (
        "a code in %u",
        "/%u0041",
        Stays(400),
        "3986 2.1: two digits",
    ),
    (
        "the code of NUL",
        "/x%00",
        Stays(400),
        "3986 7.3: it may end the path elsewhere",
    ),
    (
        "the code of CR LF",
        "/x%0d%0aA:%20b",
        Stays(400),
        "3986 7.3: it may end the line elsewhere",
    ),
    ("the code of DEL", "/%7f", Stays(400), "3986 7.3"),
    (
        "the code of a percent sign",
        "/%252e",
        Passes(&["GET /%252e | host: a.test"]),
        "3986 2.4: once",
    ),
    (
        "the code of a slash",
        "/a%2fb",
        Passes(&["GET /a%2fb | host: a.test"]),
        "3986 2.2: no separator",
    ),
    (
        "dot segments",
        "/a/./b/../x",
        Passes(&["GET /a/x | host: a.test"]),
        "3986 5.2.4",
    ),
    (
        "dot segments in codes",
        "/a/%2e%2E/x",
        Passes(X),
        "3986 6.2.2.2: the same as dots",
    ),
    (
        "dot segments above the root",
        "/../x",
        Stays(400),
        "3986 5.2.4; it cannot be meant well",
    ),
    (
        "codes above the root",
        "/%2e%2e/x",
        Stays(400),
        "3986 6.2.2.2",
    ),
    (
        "a coded slash beside dots",
        "/a/..%2fx",
        Stays(400),
        "3986 7.3: dots elsewhere",
    ),
    (
        "a backslash beside dots",
        "/a/..\\x",
        Stays(400),
        "3986 7.3: a slash elsewhere",
    ),
    (
        "a coded backslash beside dots",
        "/a/..%5cx",
        Stays(400),
        "3986 7.3: a slash elsewhere",
    ),
    (
        "dots with a parameter",
        "/a/..;/x",
        Stays(400),
        "3986 3.3: servers drop what follows a ;",
    ),
    (
        "dots with a longer parameter",
        "/a/..;v=1/x",
        Stays(400),
        "3986 3.3: the same",
    ),
    (
        "coded dots with a parameter",
        "/a/%2e%2e;/x",
        Stays(400),
        "3986 3.3: the same",
    ),
    (
        "dots with a coded parameter",
        "/a/..%3b/x",
        Stays(400),
        "3986 3.3: the same",
    ),
    (
        "a dot with a parameter",
        "/a/.;/x",
        Stays(400),
        "3986 3.3: the same",
    ),
    (
        "a parameter",
        "/a;v=1/x",
        Passes(&["GET /a;v=1/x | host: a.test"]),
        "3986 3.3",
    ),
    (
        "three dots",
        "/.../x",
        Passes(&["GET /.../x | host: a.test"]),
        "3986 3.3: a name",
    ),
    (
        "dots in the query",
        "/x?../%00",
        Passes(&["GET /x?../%00 | host: a.test"]),
        "3986 3.4",
    ),
    (
        "quotes",
        "/\"x\"",
        Passes(&["GET /\"x\" | host: a.test"]),
        "9112 3.2: harmless, not rewritten",
    ),
];

#[test]
fn targets() {
    let whole = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    check("targets", &rows(TARGETS, whole));
}

/// Lines whose targets are not for a GET.
const METHODS: &[Line] = &[
    (
        "OPTIONS of all",
        "OPTIONS * HTTP/1.1",
        Stays(400),
        "9112 3.2.4: no function answers for all",
    ),
    (
        "OPTIONS of a path",
        "OPTIONS /x HTTP/1.1",
        Passes(&["OPTIONS /x | host: a.test"]),
        "9110 9.3.7",
    ),
    (
        "a tunnel",
        "CONNECT a.test:443 HTTP/1.1",
        Stays(405),
        "9110 9.3.6: only proxies open tunnels",
    ),
    (
        "a tunnel without a port",
        "CONNECT a.test HTTP/1.1",
        Stays(405),
        "9112 3.2.3",
    ),
    (
        "a tunnel to a path",
        "CONNECT /x HTTP/1.1",
        Stays(405),
        "9112 3.2.3: authority-form only",
    ),
    (
        "a tunnel to a URL",
        "CONNECT http://a.test/ HTTP/1.1",
        Stays(405),
        "9112 3.2.3",
    ),
    (
        "TRACE",
        "TRACE /x HTTP/1.1",
        Passes(&["TRACE /x | host: a.test"]),
        "9110 9.3.8: the function's",
    ),
];

#[test]
fn methods_and_their_targets() {
    let whole = |line: &str| format!("{line}\r\nHost: a.test\r\n\r\n");
    check("methods", &rows(METHODS, whole));
}
