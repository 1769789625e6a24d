//! Field lines (RFC 9112 section 5).

use super::Expect::{Closes, Passes};
use super::{Line, check, row, rows};

/// Lines after the host.
const FIELDS: &[Line] = &[
    (
        "a plain one",
        "X: y\r\n",
        Passes(&["GET /x | host: a.test | x: y"]),
        "9112 5",
    ),
    (
        "no value",
        "X:\r\n",
        Passes(&["GET /x | host: a.test | x: "]),
        "9110 5.5: may be empty",
    ),
    (
        "white space around",
        "X: \t y \t\r\n",
        Passes(&["GET /x | host: a.test | x: y"]),
        "9112 5.1",
    ),
    (
        "a tab in the value",
        "X: y\tz\r\n",
        Passes(&["GET /x | host: a.test | x: y\tz"]),
        "9110 5.5",
    ),
    (
        "the same twice",
        "X: 1\r\nX: 2\r\n",
        Passes(&["GET /x | host: a.test | x: 1 | x: 2"]),
        "9110 5.3: their order is kept",
    ),
    (
        "a name of odd letters",
        "!#$%&'*+-.^_`|~: y\r\n",
        Passes(&["GET /x | host: a.test | !#$%&'*+-.^_`|~: y"]),
        "9110 5.6.2: token",
    ),
    (
        "a value in UTF-8",
        "X: ä\r\n",
        Passes(&["GET /x | host: a.test | x: ä"]),
        "9110 5.5: obs-text",
    ),
    ("no colon", "X\r\n", Closes(400), "9112 5: field-line"),
    (
        "no name",
        ": y\r\n",
        Closes(400),
        "9110 5.1: field-name = token",
    ),
    (
        "a space in the name",
        "X Y: z\r\n",
        Closes(400),
        "9110 5.1: field-name = token",
    ),
    (
        "a space before the colon",
        "X : y\r\n",
        Closes(400),
        "9112 5.1: MUST be 400",
    ),
    (
        "a tab before the colon",
        "X\t: y\r\n",
        Closes(400),
        "9112 5.1: MUST be 400",
    ),
    (
        "a space before the name",
        "X: 1\r\n Y: 2\r\n",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a tab before the name",
        "X: 1\r\n\tY: 2\r\n",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a fold of nothing",
        "X: 1\r\n \r\n",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a fold that LF makes",
        "X: 1\n 2\r\n",
        Closes(400),
        "9112 5.2: obs-fold",
    ),
    (
        "a NUL in the name",
        "X\0: y\r\n",
        Closes(400),
        "9110 5.1: field-name = token",
    ),
    (
        "a NUL in the value",
        "X: y\0z\r\n",
        Closes(400),
        "9110 5.5: MUST be rejected or replaced",
    ),
    (
        "a control character",
        "X: \x01\r\n",
        Closes(400),
        "9110 5.5: invalid",
    ),
    (
        "DEL in the value",
        "X: \x7f\r\n",
        Closes(400),
        "9110 5.5: invalid",
    ),
    (
        "VT before the value",
        "X:\x0by\r\n",
        Closes(400),
        "9110 5.5: invalid",
    ),
    (
        "a bare CR in the value",
        "X: y\rZ: 1\r\n",
        Closes(400),
        "9112 2.2: invalid or replaced by SP",
    ),
    (
        "a bare CR before the value",
        "X:\ry\r\n",
        Closes(400),
        "9112 2.2",
    ),
    (
        "a bare CR at the end",
        "X: y\r\r\n",
        Closes(400),
        "9112 2.2",
    ),
    (
        "a bare CR in the name",
        "X\r: y\r\n",
        Closes(400),
        "9112 2.2",
    ),
    ("a bare CR as a line", "\r\r\n", Closes(400), "9112 2.2"),
    (
        "a colon in the name",
        "X:Y: z\r\n",
        Passes(&["GET /x | host: a.test | x: Y: z"]),
        "9112 5: the first",
    ),
    (
        "a bracket in the name",
        "X(Y): z\r\n",
        Closes(400),
        "9110 5.6.2: a delimiter",
    ),
    (
        "a name in quotes",
        "\"X\": y\r\n",
        Closes(400),
        "9110 5.6.2: a delimiter",
    ),
    (
        "a name beyond ASCII",
        "Ä: y\r\n",
        Closes(400),
        "9110 5.1: field-name = token",
    ),
    (
        "a line that LF ends",
        "X: 1\nY: 2\r\n",
        Passes(&["GET /x | host: a.test | x: 1 | y: 2"]),
        "9112 2.2: a recipient MAY; for the function they are two lines as well",
    ),
    (
        "a name that looks like another's",
        "Transfer_Encoding: chunked\r\nContent_Length: 5\r\n",
        Passes(&["GET /x | host: a.test | transfer_encoding: chunked | content_length: 5"]),
        "9110 5.1: names are compared as they are; these frame nothing",
    ),
    (
        "what only the gateway says",
        "Stoker-Start: cold\r\nStoker-Parameter-Rest: y\r\nX-Forwarded-For: 192.0.2.1\r\n",
        Passes(&["GET /x | host: a.test"]),
        "7239 8.1: what a stranger says of himself is replaced",
    ),
];

#[test]
fn fields() {
    let whole = |fields: &str| format!("GET /x HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
    check("fields", &rows(FIELDS, whole));
}

/// Whole heads.
const FIRST: &[Line] = &[
    (
        "a space before the first field",
        "GET /x HTTP/1.1\r\n Host: a.test\r\n\r\n",
        Closes(400),
        "9112 2.2: white space after the line is rejected or dropped with its line",
    ),
    (
        "a tab before the first field",
        "GET /x HTTP/1.1\r\n\tHost: a.test\r\n\r\n",
        Closes(400),
        "9112 2.2",
    ),
    (
        "a line of a space first",
        "GET /x HTTP/1.1\r\n \r\nHost: a.test\r\n\r\n",
        Closes(400),
        "9112 2.2",
    ),
];

#[test]
fn first_fields() {
    check("first", &rows(FIRST, str::to_owned));
}

#[test]
fn heads_over_the_limit() {
    let (half, all) = ("a".repeat(20_000), "a".repeat(40_000));
    let why = "6585 5: 431; what follows is not read";
    let whole = |fields: String| format!("GET /x HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
    check(
        "large",
        &[
            row("a field", whole(format!("X: {all}\r\n")), Closes(431), why),
            row(
                "two fields",
                whole(format!("X: {half}\r\nX: {half}\r\n")),
                Closes(431),
                why,
            ),
            row("a name", whole(format!("{all}: 1\r\n")), Closes(431), why),
            row("lines", whole("X: 1\r\n".repeat(101)), Closes(431), why),
            row(
                "an endless head",
                whole("X: 1\r\n".repeat(100_000)),
                Closes(431),
                why,
            ),
        ],
    );
}
