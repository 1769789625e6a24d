//! Paths that lead astray.

use super::Expect::{Refused, Served};
use super::{Expect, Row, check, row, rows};

/// Refused as a request that is none.
const BAD: Expect = Refused(&[400]);
/// Nothing answers there.
const NONE: Expect = Refused(&[404]);

fn path(what: &'static str, path: &str, expect: Expect) -> Row {
    row(
        what,
        format!("GET {path} HTTP/1.1\r\nHost: stoker.test\r\n\r\n"),
        expect,
    )
}

/// Paths.
const PATHS: &[(&str, &str, Expect)] = &[
    ("a good one", "/function/f/ROW/work", Served),
    ("dots that stay inside", "/function/f/a/../ROW/work", Served),
    (
        "dots that lead to another",
        "/function/f/../g/ROW/work",
        NONE,
    ),
    ("dots that lead out", "/function/f/../../ROW/work", NONE),
    ("dots that lead above", "/function/f/../../../ROW/work", BAD),
    ("dots at once", "/../function/f/ROW/work", BAD),
    ("codes of dots", "/%2e%2e/function/f/ROW/work", BAD),
    (
        "codes of dots that lead to another",
        "/function/f/%2e%2e/g/ROW/work",
        NONE,
    ),
    (
        "codes of dots that lead out",
        "/function/f/%2E%2e/%2e%2E/ROW/work",
        NONE,
    ),
    (
        "half a code of dots",
        "/function/f/.%2e/.%2e/.%2e/ROW/work",
        BAD,
    ),
    (
        "the code of a slash beside dots",
        "/function/f/..%2fg/ROW/work",
        BAD,
    ),
    (
        "more codes of slashes",
        "/function/f/ROW%2f..%2f..%2fwork",
        BAD,
    ),
    (
        "codes of all",
        "/function/f/ROW/%2e%2e%2f%2e%2e%2fwork",
        BAD,
    ),
    (
        "the code of a slash alone",
        "/function/f/ROW%2fwork/work",
        Served,
    ),
    (
        "the code of a percent sign",
        "/function/f/%252e%252e/ROW/work",
        Served,
    ),
    ("the code of a NUL", "/function/f/ROW/work%00", BAD),
    (
        "the code of a line break",
        "/function/f/ROW/%0d%0aX:%20y/work",
        BAD,
    ),
    ("the code of DEL", "/function/f/ROW/%7f/work", BAD),
    ("half a code", "/function/f/ROW/work%2", BAD),
    ("a percent sign", "/function/f/ROW/%/work", BAD),
    ("a code that is none", "/function/f/ROW/%zz/work", BAD),
    ("a NUL", "/function/f/ROW/\0/work", BAD),
    ("a fragment", "/function/f/ROW/work#part", Served),
    ("no function", "/function//f/ROW/work", NONE),
    ("another case", "/function/F/ROW/work", NONE),
    ("the code of the name", "/function/%66/ROW/work", NONE),
    ("two slashes", "//function/f/ROW/work", NONE),
    (
        "dots in the query",
        "/function/f/ROW/work?a=../../%00",
        Served,
    ),
];

#[test]
fn paths() {
    let dots = format!("/function/f/ROW/{}work", "../".repeat(5000));
    let deep = format!("/function/f/ROW/{}work", "a/".repeat(5000));
    let mut table = rows(PATHS, path);
    table.extend([
        path("many dots", &dots, BAD),
        path("many segments", &deep, Served),
    ]);
    check("paths", table);
}

/// To some servers a backslash is a slash.
const BACKSLASHES: &[(&str, &str, Expect)] = &[
    ("a code after dots", "/function/f/ROW/..%5cwork", BAD),
    ("codes between", "/function/f/ROW%5c..%5c..%5cwork", BAD),
    ("after dots", "/function/f/ROW/..\\work", BAD),
    ("between dots", "/function/f/ROW\\..\\..\\work", BAD),
    ("before dots", "/function/f/ROW\\..", BAD),
    ("without dots", "/function/f/ROW\\a/work", Served),
];

#[test]
fn backslashes_beside_dots() {
    check("backslashes", rows(BACKSLASHES, path));
}
