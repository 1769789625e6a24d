//! Bytes into lines.

use std::borrow::Cow;

/// Cuts a stream of bytes into lines, however it comes in pieces.
#[derive(Debug)]
pub(super) struct Splitter {
    limit: usize,
    /// The beginning of a line whose end has not come, never longer than `limit`.
    pending: Vec<u8>,
}

impl Splitter {
    /// Lines longer than `limit` bytes are split.
    pub(super) fn new(limit: usize) -> Self {
        Splitter {
            limit,
            pending: Vec::new(),
        }
    }

    /// The same with the beginning of a line.
    pub(super) fn begun(limit: usize, mut begun: Vec<u8>) -> Self {
        begun.truncate(limit);
        Splitter {
            limit,
            pending: begun,
        }
    }

    /// The beginning of a line whose end has not come.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Calls `line` for each line that `bytes` completes.
    pub(super) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(Cow<'_, str>)) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            let (body, ended) = match piece.split_last() {
                Some((b'\n', body)) => (body, true),
                _ => (piece, false),
            };
            self.extend(body, &mut line);
            if ended {
                line(text(
                    self.pending.strip_suffix(b"\r").unwrap_or(&self.pending),
                ));
                self.pending.clear();
            }
        }
    }

    /// Calls `line` for a last line without a newline.
    pub(super) fn finish(&mut self, mut line: impl FnMut(Cow<'_, str>)) {
        if !self.pending.is_empty() {
            line(text(&self.pending));
            self.pending = Vec::new();
        }
    }

    /// Appends to the pending line. It is cut only when a byte more is there, so that a line of
    /// exactly the limit leaves no empty one behind.
    fn extend(&mut self, mut body: &[u8], line: &mut impl FnMut(Cow<'_, str>)) {
        while self.pending.len() + body.len() > self.limit {
            let (head, rest) = body.split_at(self.limit - self.pending.len());
            self.pending.extend_from_slice(head);
            let cut = character_boundary(&self.pending, rest);
            line(text(&self.pending[..cut]));
            self.pending.drain(..cut);
            body = rest;
        }
        self.pending.extend_from_slice(body);
    }
}

/// Where to cut between `line` and `rest` without tearing a character apart.
fn character_boundary(line: &[u8], rest: &[u8]) -> usize {
    let continues = |b: &u8| b & 0b1100_0000 == 0b1000_0000;
    if !rest.first().is_some_and(continues) {
        return line.len();
    }
    let back = line
        .iter()
        .rev()
        .take(3)
        .take_while(|b| continues(b))
        .count()
        + 1;
    // Not UTF-8 at all, or nothing else in the line: cut where it is full.
    match line.len().checked_sub(back) {
        Some(cut) if cut > 0 && line[cut] >= 0b1100_0000 => cut,
        _ => line.len(),
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(limit: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::new(limit);
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.feed(piece, |line| lines.push(line.into_owned()));
            assert!(splitter.pending.len() <= limit);
        }
        splitter.finish(|line| lines.push(line.into_owned()));
        lines
    }

    #[test]
    fn lines_come_out_however_the_pieces_fall() {
        let all = b"one\n\nthree\r\n four \nlast";
        let expected = ["one", "", "three", " four ", "last"];
        for at in 0..all.len() {
            assert_eq!(
                split(100, &[&all[..at], &all[at..]]),
                expected,
                "cut at {at}"
            );
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(split(100, &single), expected);
    }

    #[test]
    fn nothing_gives_no_line() {
        assert!(split(100, &[]).is_empty());
        assert!(split(100, &[b""]).is_empty());
        assert_eq!(split(100, &[b"\n"]), [""]);
    }

    #[test]
    fn long_lines_are_split_and_exact_ones_are_not() {
        assert_eq!(split(4, &[b"abcd\n"]), ["abcd"]);
        assert_eq!(split(4, &[b"abcd", b"\n"]), ["abcd"]);
        assert_eq!(split(4, &[b"abcde\n"]), ["abcd", "e"]);
        assert_eq!(split(4, &[b"abcdefghijk"]), ["abcd", "efgh", "ijk"]);
    }

    #[test]
    fn a_split_keeps_characters_whole() {
        assert_eq!(split(4, &["abcé€🚀".as_bytes()]), ["abc", "é", "€", "🚀"]);
        let bytes = "a🚀b🚀c\n".as_bytes();
        for at in 0..bytes.len() {
            assert_eq!(
                split(4, &[&bytes[..at], &bytes[at..]]),
                ["a", "🚀", "b", "🚀", "c"]
            );
        }
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_bounded() {
        assert_eq!(split(100, &[b"a\xffb\n"]), ["a\u{fffd}b"]);
        let lines = split(4, &[&[0x80; 9]]);
        assert_eq!(
            lines,
            [
                "\u{fffd}".repeat(4),
                "\u{fffd}".repeat(4),
                "\u{fffd}".into()
            ]
        );
    }
}
