//! Where the frames of a WebSocket connection end (RFC 6455 section 5.2).

/// A close frame with the status 1001, "going away" (RFC 6455 section 7.4.1).
pub(crate) const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// Follows the frames of one direction without keeping any of them.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The header of the current frame, as far as it came.
    header: [u8; 14],
    count: usize,
    /// Bytes of the payload that are still to come.
    payload: u64,
}

impl Frames {
    /// True between two frames.
    pub(crate) fn is_between(&self) -> bool {
        self.count == 0 && self.payload == 0
    }

    /// Takes all of `data`; answers its length.
    pub(crate) fn feed(&mut self, data: &[u8]) -> usize {
        let mut at = 0;
        while at < data.len() {
            at += self.feed_one(&data[at..]);
        }
        at
    }

    /// Takes `data` up to the end of a frame; answers how much that was.
    pub(crate) fn feed_one(&mut self, data: &[u8]) -> usize {
        let mut at = 0;
        while at < data.len() {
            if self.payload > 0 {
                let left = (data.len() - at) as u64;
                let step = self.payload.min(left);
                self.payload -= step;
                at += usize::try_from(step).unwrap_or(usize::MAX);
            } else {
                self.header[self.count] = data[at];
                self.count += 1;
                at += 1;
                let Some(payload) = self.header_payload() else {
                    continue;
                };
                self.payload = payload;
                self.count = 0;
            }
            if self.is_between() {
                break;
            }
        }
        at
    }

    /// The length of the payload, once the header is whole.
    fn header_payload(&self) -> Option<u64> {
        if self.count < 2 {
            return None;
        }
        let masked = self.header[1] & 0x80 != 0;
        let short = self.header[1] & 0x7f;
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let whole = 2 + extended + if masked { 4 } else { 0 };
        if self.count < whole {
            return None;
        }
        let length = self.header[2..2 + extended]
            .iter()
            .fold(0_u64, |length, &byte| (length << 8) | u64::from(byte));
        Some(if extended == 0 { short.into() } else { length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a payload of `length`, masked or not.
    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65536 => {
                frame.push(mask | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            frame.extend([1, 2, 3, 4]);
        }
        frame.resize(frame.len() + length, 0xff);
        frame
    }

    #[test]
    fn ends_are_found_in_whatever_pieces_it_comes() {
        let lengths = [0, 1, 125, 126, 127, 65535, 65536, 0, 7];
        let mut stream = Vec::new();
        let mut ends = Vec::new();
        for (index, &length) in lengths.iter().enumerate() {
            stream.extend(frame(length, index % 2 == 0));
            ends.push(stream.len());
        }
        for step in [1, 2, 3, 13, 1000, stream.len()] {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            let mut at = 0;
            while at < stream.len() {
                let end = (at + step).min(stream.len());
                at += frames.feed_one(&stream[at..end]);
                if frames.is_between() {
                    found.push(at);
                }
            }
            assert_eq!(found, ends, "step {step}");
        }
    }

    #[test]
    fn in_the_middle_is_not_between() {
        let mut frames = Frames::default();
        assert!(frames.is_between());
        assert_eq!(frames.feed(&frame(300, false)[..200]), 200);
        assert!(!frames.is_between());
        assert_eq!(frames.feed_one(&[0; 500]), 104);
        assert!(frames.is_between());
    }
}
