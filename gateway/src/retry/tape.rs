//! The body of a request as far as it went, to be sent again.

use std::collections::VecDeque;

use bytes::Bytes;

/// A longer body is not kept.
pub(super) const KEPT_BYTES: usize = 64 * 1024;

/// Pieces of a body that were handed out. They are shared, not copied.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pieces: Vec<Bytes>,
    bytes: usize,
    torn: bool,
}

impl Tape {
    /// Keeps a piece that is handed out.
    pub(crate) fn note(&mut self, piece: &Bytes) {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > KEPT_BYTES {
            self.torn = true;
            self.pieces = Vec::new();
        }
        if !self.torn {
            self.pieces.push(piece.clone());
        }
    }

    /// True if every piece is there.
    pub(crate) fn is_whole(&self) -> bool {
        !self.torn
    }

    /// Puts the pieces back in front of what is still to be handed out.
    pub(crate) fn rewind(&mut self, ahead: &mut VecDeque<Bytes>) {
        for piece in self.pieces.drain(..).rev() {
            ahead.push_front(piece);
        }
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_comes_back_in_order() {
        let mut tape = Tape::default();
        let mut ahead = VecDeque::from([Bytes::from_static(b"c")]);
        tape.note(&Bytes::from_static(b"a"));
        tape.note(&Bytes::from_static(b"b"));
        assert!(tape.is_whole());
        tape.rewind(&mut ahead);
        assert_eq!(ahead, ["a", "b", "c"]);
        tape.note(&Bytes::from(vec![0; KEPT_BYTES + 1]));
        assert!(!tape.is_whole());
        tape.note(&Bytes::from_static(b"d"));
        assert!(!tape.is_whole());
    }
}
