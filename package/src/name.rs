use crate::{Limits, PackageError, Reason};

/// A checked path: relative, without `.` and `..`, printable, and within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// Reads a path as archives have it, and whether a slash at its end says that it is a
    /// directory's. None is the outermost directory itself (`./`).
    pub(crate) fn parse(
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<(Option<Name>, bool), PackageError> {
        if bytes.len() > limits.path_bytes {
            return Err(Reason::PathTooLong(limits.path_bytes).into());
        }
        let text = printable(bytes)?;
        if text.starts_with('/') {
            return Err(Reason::Absolute.into());
        }
        let is_directory = text.ends_with('/');
        if matches!(text, "." | "./") {
            return Ok((None, true));
        }
        let text = text.strip_prefix("./").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let mut depth = 0;
        for part in text.split('/') {
            depth += 1;
            match part {
                ".." => return Err(Reason::Parent.into()),
                "" | "." => return Err(Reason::EmptyPart.into()),
                _ if part.len() > 255 => return Err(Reason::NameTooLong.into()),
                _ => {}
            }
        }
        if depth > limits.depth {
            return Err(Reason::TooDeep(limits.depth).into());
        }
        Ok((Some(Name(text.to_owned())), is_directory))
    }

    /// Its directory, empty for the outermost, and what it is called there.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The target of a symbolic link, as far as it can be judged before the link is there.
pub(crate) fn link_target(bytes: &[u8], limits: &Limits) -> Result<String, PackageError> {
    if bytes.len() > limits.path_bytes {
        return Err(Reason::PathTooLong(limits.path_bytes).into());
    }
    let text = printable(bytes)?;
    match text.as_bytes().first() {
        None => Err(Reason::LinkDangles.into()),
        Some(b'/') => Err(Reason::LinkLeaves.into()),
        Some(_) => Ok(text.to_owned()),
    }
}

/// Control characters could write over whatever a terminal shows of a name, and a backslash is a
/// separator to those that make such archives.
fn printable(bytes: &[u8]) -> Result<&str, PackageError> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::Encoding)?;
    let odd = |character: &char| character.is_control() || *character == '\\';
    match text.chars().find(odd) {
        Some(character) => Err(Reason::Character(character).into()),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(Option<String>, bool), Reason> {
        match Name::parse(text.as_bytes(), &Limits::default()) {
            Ok((name, is_directory)) => Ok((name.map(|name| name.0), is_directory)),
            Err(PackageError::Refused(refusal)) => Err(refusal.reason),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn paths_are_relative_and_plain() {
        assert_eq!(parsed("a/b"), Ok((Some("a/b".to_owned()), false)));
        assert_eq!(parsed("./a/b/"), Ok((Some("a/b".to_owned()), true)));
        assert_eq!(parsed("./"), Ok((None, true)));
        assert_eq!(parsed("..a/b.."), Ok((Some("..a/b..".to_owned()), false)));
        for (text, reason) in [
            ("", Reason::EmptyPart),
            ("/", Reason::Absolute),
            ("/etc/passwd", Reason::Absolute),
            ("..", Reason::Parent),
            ("a/../b", Reason::Parent),
            (".//etc", Reason::EmptyPart),
            ("a//b", Reason::EmptyPart),
            ("a//", Reason::EmptyPart),
            ("a/./b", Reason::EmptyPart),
            ("a\\b", Reason::Character('\\')),
            ("a\0b", Reason::Character('\0')),
            ("a\u{85}b", Reason::Character('\u{85}')),
        ] {
            assert_eq!(parsed(text), Err(reason), "{text:?}");
        }
        assert_eq!(parsed(&"a".repeat(256)), Err(Reason::NameTooLong));
        assert_eq!(parsed(&"a/".repeat(300)), Err(Reason::PathTooLong(512)));
        assert_eq!(parsed(&"a/".repeat(33)), Err(Reason::TooDeep(32)));
    }
}
