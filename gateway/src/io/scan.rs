//! A look at the names of a head's lines as they come in.

/// Long enough for the names that matter.
const NAME: usize = 18;
const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";

/// Notes whether a head has a length, a transfer coding, or both, whatever reads it comes in.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    /// The beginning of the current line.
    name: [u8; NAME],
    /// Bytes of it; more than `NAME` if the line is longer.
    count: usize,
    length: bool,
    coding: bool,
    /// The empty line came: what follows is no head.
    over: bool,
}

impl HeadScan {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !self.over && !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.take(line);
            if end.is_some() {
                self.end_line();
            }
            bytes = rest;
        }
    }

    /// True if both were there.
    pub(crate) fn has_both(&self) -> bool {
        self.length && self.coding
    }

    fn take(&mut self, part: &[u8]) {
        let at = self.count.min(NAME);
        let kept = part.len().min(NAME - at);
        self.name[at..at + kept].copy_from_slice(&part[..kept]);
        self.count += part.len();
    }

    fn end_line(&mut self) {
        let line = &self.name[..self.count.min(NAME)];
        self.over = matches!(line, b"\r\n" | b"\n");
        self.length |= names(line, LENGTH);
        self.coding |= names(line, CODING);
        self.count = 0;
    }
}

/// True if the line is of this header. White space before the colon is refused elsewhere.
fn names(line: &[u8], name: &[u8]) -> bool {
    let (Some(start), Some(b':')) = (line.get(..name.len()), line.get(name.len())) else {
        return false;
    };
    start.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_both(head: &str, step: usize) -> bool {
        let mut scan = HeadScan::default();
        for part in head.as_bytes().chunks(step) {
            scan.feed(part);
        }
        scan.has_both()
    }

    #[test]
    fn both_are_seen_in_any_order_and_in_any_pieces() {
        let line = "POST / HTTP/1.1\r\nHost: a\r\n";
        for (headers, both) in [
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                true,
            ),
            (
                "transfer-encoding:chunked\r\nX: y\r\ncontent-length:5\r\n\r\n",
                true,
            ),
            ("CONTENT-LENGTH: 5\nTRANSFER-ENCODING: chunked\n\n", true),
            (
                "Content-Length: 5\r\n\r\nTransfer-Encoding: chunked\r\n",
                false,
            ),
            (
                "Content-Length: 5\r\nX-Transfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "Content-Length: 5\r\nX: Transfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            ("Transfer-Encoding: chunked\r\n\r\n", false),
            ("\r\n", false),
        ] {
            let head = format!("{line}{headers}");
            for step in 1..=head.len() {
                assert_eq!(
                    has_both(&head, step),
                    both,
                    "{headers:?} in steps of {step}"
                );
            }
        }
    }
}
