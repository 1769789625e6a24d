//! Paths as they are routed and passed on.

use std::borrow::Cow;

/// `path` without dot segments, as RFC 3986 section 5.2.4 has it, also for percent-encoded dots, so
/// that what is routed is what the function sees.
///
/// # Errors
/// A sentence, if the path leaves the root, holds a control character, a backslash or a slash's code
/// beside dots or dots with a parameter (`..;`), or has a broken percent code.
pub(crate) fn normalise(path: &str) -> Result<Cow<'_, str>, &'static str> {
    if !path.starts_with('/') {
        return Err("the path does not start with a slash");
    }
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_dot = false;
    for segment in path[1..].split('/') {
        let decoded = decode(segment)?;
        ends_in_dot = matches!(&*decoded, b"." | b"..");
        match &*decoded {
            b"." => {}
            b".." => {
                kept.pop().ok_or("the path leads above the root")?;
            }
            other if hides_dots(other) => return Err("the path hides dot segments"),
            _ => kept.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for segment in &kept {
        clean.push('/');
        clean.push_str(segment);
    }
    if ends_in_dot || clean.is_empty() {
        clean.push('/');
    }
    Ok(Cow::Owned(clean))
}

/// One segment with its percent codes resolved.
///
/// # Errors
/// If a code is broken or stands for a control character.
pub(crate) fn decode(segment: &str) -> Result<Cow<'_, [u8]>, &'static str> {
    if segment.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("the path holds a control character");
    }
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment.as_bytes()));
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("the path has a broken percent code");
        };
        let value = (high * 16 + low) as u8;
        if value.is_ascii_control() {
            return Err("the path holds a control character");
        }
        decoded.push(value);
    }
    Ok(Cow::Owned(decoded))
}

/// True if nothing in it needs a closer look: no percent codes, no control characters, no
/// backslashes, no dot at the start of a segment.
fn is_plain(path: &[u8]) -> bool {
    let mut after_slash = false;
    for &byte in path {
        let special = matches!(byte, b'%' | b'\\' | 0x7f) || byte < b' ';
        if special || (byte == b'.' && after_slash) {
            return false;
        }
        after_slash = byte == b'/';
    }
    true
}

/// True if a server that takes `%2f` or a backslash for a separator, or drops what follows a
/// semicolon, would find a dot segment.
fn hides_dots(decoded: &[u8]) -> bool {
    decoded.iter().any(|byte| b"/\\;".contains(byte))
        && decoded
            .split(|byte| b"/\\".contains(byte))
            .filter_map(|part| part.split(|&byte| byte == b';').next())
            .any(|part| matches!(part, b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_resolved() {
        for (path, clean) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a//b/", "/a//b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/..b/...", "/a/..b/..."),
            ("/a;x=../b;", "/a;x=../b;"),
            ("/a%20b/%C3%A4", "/a%20b/%C3%A4"),
            ("/a%2fb", "/a%2fb"),
        ] {
            assert_eq!(normalise(path).as_deref(), Ok(clean), "{path}");
        }
    }

    #[test]
    fn what_would_mislead_is_refused() {
        for path in [
            "",
            "a",
            "*",
            "/..",
            "/a/../../b",
            "/%2e%2e/b",
            "/a/..%2fb",
            "/a/%2e%2e%2fb",
            "/a/..%5cb",
            "/a\\..\\b",
            "/a\\..",
            "/a/..;/b",
            "/a/%2e%2e;x/b",
            "/a/..%3bx",
            "/a/.;",
            "/a%00",
            "/a%0d%0a",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a\u{7f}",
        ] {
            assert!(normalise(path).is_err(), "{path}");
        }
    }
}
