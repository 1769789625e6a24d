//! One file while it is read: its text, its place, and what was found wrong in it.

mod recover;
mod rules;
#[cfg(test)]
mod tests;
mod walk;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use rules::Rules;
pub(crate) use walk::Place;

use crate::error::ConfigError;
use crate::schema::Name;

/// Of more lines with syntax errors the key is not looked for: each time that takes the whole text.
const MANY: usize = 100;

/// A longer value is cut in messages.
const SHOWN: usize = 60;

pub(crate) struct Page<'a> {
    file: &'a Path,
    text: &'a str,
    names: fn() -> Vec<Name>,
    errors: Vec<ConfigError>,
    /// Lines with a syntax error: what was recovered from them means nothing.
    broken: BTreeSet<usize>,
    /// Where each line begins; made when the first is asked for.
    lines: OnceCell<Vec<usize>>,
}

impl<'a> Page<'a> {
    /// The page, and all of its content that is TOML; for some syntax errors that takes room.
    pub(crate) fn parse(
        file: &'a Path,
        (text, room): (&'a str, &'a OnceCell<String>),
        names: fn() -> Vec<Name>,
    ) -> (Self, DeTable<'a>) {
        let (table, faults) = recover::parse(text, room);
        let mut page = Self {
            file,
            text,
            names,
            errors: Vec::new(),
            broken: BTreeSet::new(),
            lines: OnceCell::new(),
        };
        let mut before = None;
        for fault in &faults {
            // What is never closed makes the same mistake of every line after it.
            page.syntax(fault, before == Some(fault.message()));
            before = Some(fault.message());
        }
        (page, table)
    }

    /// In the order of the lines.
    pub(crate) fn into_errors(mut self) -> Vec<ConfigError> {
        self.errors.sort_by_key(|error| error.line);
        self.errors
    }

    /// From 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let lines = self.lines.get_or_init(|| {
            let ends = self
                .text
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect()
        });
        lines.partition_point(|start| *start <= offset)
    }

    /// All of the text is TOML.
    pub(crate) fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// No error was found in any of the keys, and so what they say can be held against each other.
    pub(crate) fn sound(&self, keys: &[&str]) -> bool {
        let hit = |error: &ConfigError| {
            keys.iter()
                .any(|key| error.key.starts_with(key) && key_ends(&error.key[key.len()..]))
        };
        self.broken.is_empty() && !self.errors.iter().any(hit)
    }

    /// The value at the span is not what is allowed.
    pub(crate) fn fault(&mut self, key: String, span: Range<usize>, expected: String) {
        // A text or list that was never closed took other lines with it.
        let lines = self.line(span.start)..=self.line(span.end);
        if self.broken.range(lines).next().is_none() {
            let value = self.shown(&key, span.clone());
            self.note(key, span.start, value, expected);
        }
    }

    /// What is at the offset is not what is allowed, whatever is there.
    pub(crate) fn note(&mut self, key: String, offset: usize, value: String, expected: String) {
        let line = self.line(offset);
        if !self.broken.contains(&line) {
            self.push(line, key, value, expected);
        }
    }

    /// The key is missing from the table that begins at the offset, if that is in the file.
    pub(crate) fn missing(&mut self, key: String, table: Option<usize>, expected: String) {
        // With a syntax error somewhere, the key may be there after all.
        if self.broken.is_empty() {
            let line = table.map_or(0, |offset| self.line(offset));
            self.push(line, key, "nothing".to_owned(), expected);
        }
    }

    /// A value that is not written in the file is not what is allowed.
    pub(crate) fn derived(&mut self, key: &str, value: String, expected: String) {
        self.push(0, key.to_owned(), value, expected);
    }

    fn push(&mut self, line: usize, key: String, value: String, expected: String) {
        self.errors.push(ConfigError {
            file: self.file.to_owned(),
            line,
            key,
            value,
            expected,
        });
    }

    fn syntax(&mut self, fault: &toml::de::Error, repeated: bool) {
        let span = fault.span().unwrap_or_default();
        let line = self.line(span.start);
        // One slip often breaks several rules of the grammar; the first says it best.
        let known = !self.broken.insert(line);
        let follows = self.broken.contains(&(line - 1));
        if known || repeated && follows {
            return;
        }
        let found = if self.broken.len() <= MANY {
            self.key_at(line)
        } else {
            None
        };
        let (key, value) = match found {
            Some(key) => (key.clone(), self.shown(&key, span)),
            // It might be anyone's, so it might be secret.
            None => (String::new(), "***".to_owned()),
        };
        let mut message = fault.message().to_owned();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        self.push(line, key, value, format!("valid TOML: {message}"));
    }

    /// The dotted key of a line that the parser could not read, as far as can be told: a line
    /// without one counts as its table. `None` for a table within the line, which may hold anything.
    fn key_at(&self, line: usize) -> Option<String> {
        let mut section = "";
        let mut key = "";
        for text in self.text.lines().take(line) {
            let text = text.trim();
            if text.contains('{') {
                key = "{";
                continue;
            }
            key = text
                .split_once('=')
                .map_or("", |(key, _)| key.trim_matches(['"', '\'', ' ', '\t']));
            if text.starts_with('[') {
                section = text.trim_matches(['[', ']', ' ']);
            }
        }
        (is_plain(section) && is_plain(key)).then(|| dotted(section, None, key))
    }

    /// As written, but on one line and not too long.
    fn shown(&self, key: &str, span: Range<usize>) -> String {
        if is_secret(key) {
            return "***".to_owned();
        }
        let written = self.text.get(span).unwrap_or_default().trim();
        if written.is_empty() {
            return "nothing".to_owned();
        }
        let mut shown = String::new();
        for (index, word) in written.split_whitespace().enumerate() {
            if index > 0 {
                shown.push(' ');
            }
            shown.push_str(word);
            if shown.len() > SHOWN {
                return cut(&shown);
            }
        }
        shown
    }
}

/// The value of a dotted key: `admin.listen`, `listen[2]`, `routes[0].path`.
pub(crate) fn locate<'t, 'a>(
    table: &'t DeTable<'a>,
    key: &str,
) -> Option<&'t Spanned<DeValue<'a>>> {
    let mut parts = key.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_ref().get(index),
        Err(_) => value.get_ref().get(part),
    })
}

/// `section[index].key`, without what is missing.
pub(crate) fn dotted(section: &str, index: Option<usize>, key: &str) -> String {
    let mut dotted = section.to_owned();
    if let Some(index) = index {
        dotted.push_str(&format!("[{index}]"));
    }
    if !dotted.is_empty() && !key.is_empty() {
        dotted.push('.');
    }
    if is_plain(key) {
        dotted.push_str(key);
    } else {
        dotted.push_str(&cut(&format!("{key:?}")));
    }
    dotted
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// What follows a key in the key of one of its elements, or nothing.
fn key_ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('[')
}

/// Values that messages never show: the administrators' token, also under a misspelt or misplaced
/// key, and what functions are told in their environment.
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    last.contains("tok") && !last.contains("file") || key.split('.').next() == Some("environment")
}

fn is_plain(key: &str) -> bool {
    key.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.')
}
