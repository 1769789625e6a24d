//! Reading on after a syntax error.

use std::cell::OnceCell;
use std::ops::Range;

use toml::de::{DeTable, Error};

/// Of a file with this many lines that stop the parser, the rest may wait for the next try.
const ROUNDS: usize = 64;

/// All of the text that is TOML, and all that is wrong with the rest, in order.
///
/// The parser goes on after every error but one: a key with no value hides all that follows. So
/// such a line is blanked, in a copy that the caller keeps room for, and the copy is read; its
/// offsets are those of the text.
pub(crate) fn parse<'a>(text: &'a str, room: &'a OnceCell<String>) -> (DeTable<'a>, Vec<Error>) {
    let (table, mut faults) = DeTable::parse_recoverable(text);
    if !faults.iter().any(stops) {
        return (table.into_inner(), faults);
    }
    let mut copy = text.to_owned();
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let Some(stop) = faults.iter().find(|fault| stops(fault)) else {
            break;
        };
        let line = line_around(&copy, start(stop));
        // An error at the line's end is its own, too.
        let on_line = line.start..=line.end;
        found.extend(
            faults
                .iter()
                .filter(|fault| on_line.contains(&start(fault)))
                .cloned(),
        );
        let blank = " ".repeat(line.len());
        copy.replace_range(line, &blank);
        faults = DeTable::parse_recoverable(&copy).1;
    }
    let (table, rest) = DeTable::parse_recoverable(room.get_or_init(|| copy));
    found.extend(rest);
    found.sort_by_key(start);
    (table.into_inner(), found)
}

fn stops(fault: &Error) -> bool {
    fault.message().starts_with("key with no value")
}

fn start(fault: &Error) -> usize {
    fault.span().unwrap_or_default().start
}

/// Without the line's end.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let offset = offset.min(bytes.len());
    let start = bytes[..offset]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let length = bytes[offset..].iter().position(|byte| *byte == b'\n');
    start..length.map_or(bytes.len(), |length| offset + length)
}
