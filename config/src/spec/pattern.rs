//! Path patterns, also as text.

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// `/users/{id}/files/{*rest}`: literal segments, parameters, and a rest at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// In order.
    pub segments: Vec<Segment>,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Must be equal, after percent-decoding.
    Literal(String),
    /// Matches one non-empty segment.
    Parameter(String),
    /// Matches all that is left, also nothing; the last one only.
    Rest(String),
}

impl PathPattern {
    /// Reads `/users/{id}/files/{*rest}`. Literal segments are written without percent-encoding.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("a path pattern begins with \"/\"".to_owned());
        };
        let mut segments = Vec::new();
        if rest.is_empty() {
            return Ok(Self { segments });
        }
        for part in rest.split('/') {
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return Err("{*rest} is the last segment".to_owned());
            }
            let segment = segment(part)?;
            if let Some(name) = name(&segment)
                && segments
                    .iter()
                    .any(|earlier| self::name(earlier) == Some(name))
            {
                return Err(format!("the parameter {name:?} occurs twice"));
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }

    /// The pattern without its parameters' names: two patterns with the same shape match the same
    /// paths.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            match segment {
                Segment::Literal(text) => shape.push_str(text),
                Segment::Parameter(_) => shape.push_str("{}"),
                Segment::Rest(_) => shape.push_str("{*}"),
            }
        }
        shape
    }
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_char('/');
        }
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Parameter(name) => write!(f, "/{{{name}}}")?,
                Segment::Rest(name) => write!(f, "/{{*{name}}}")?,
            }
        }
        Ok(())
    }
}

fn segment(part: &str) -> Result<Segment, String> {
    match part {
        "" => {
            return Err("a path pattern has no empty segments and no \"/\" at its end".to_owned());
        }
        "." | ".." => return Err("a path pattern has no \".\" or \"..\" segments".to_owned()),
        _ => {}
    }
    let Some(inner) = part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'))
    else {
        return literal(part);
    };
    let (rest, name) = match inner.strip_prefix('*') {
        Some(name) => (true, name),
        None => (false, inner),
    };
    if !is_identifier(name) {
        return Err(format!(
            "{name:?} is no parameter name: letters, digits and \"_\" only"
        ));
    }
    let name = name.to_owned();
    Ok(if rest {
        Segment::Rest(name)
    } else {
        Segment::Parameter(name)
    })
}

fn literal(part: &str) -> Result<Segment, String> {
    if part.contains(['{', '}']) {
        return Err(format!(
            "{part:?} has braces but is not one whole {{name}} or {{*name}}"
        ));
    }
    // Decoded paths are compared, so an encoded pattern would silently never match.
    if part.contains(['%', '?', '#']) || part.contains(char::is_control) {
        return Err(format!(
            "{part:?} is not plain text without \"%\", \"?\" and \"#\""
        ));
    }
    Ok(Segment::Literal(part.to_owned()))
}

fn name(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Literal(_) => None,
        Segment::Parameter(name) | Segment::Rest(name) => Some(name),
    }
}

/// `[A-Za-z_][A-Za-z0-9_]*`
pub(crate) fn is_identifier(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
