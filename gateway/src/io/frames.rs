//! A count of the frames of a caller's HTTP/2 connection that carry nothing for anybody.

use std::time::{Duration, Instant};

use super::PREFACE;

/// Frames are counted together for so long.
const WINDOW: Duration = Duration::from_secs(10);
/// One frame more may come for so many bytes that the caller took: who takes much opens windows
/// often, and may measure the way.
const BYTES_EACH: u32 = 64;
/// Nothing is earned beyond this, in bytes.
const EARNED_MAX: u32 = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// Follows the frames that a caller sends (RFC 9113 section 4.1) without keeping any of them.
///
/// Settings, pings, windows, priorities, resets and unknown frames cost their sender nothing and us
/// a look or an answer each (RFC 9113 section 10.5). h2 bounds what it keeps of them, not their
/// number; it does bound empty DATA and the length of a field section.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes of the preface that are still to come.
    preface: usize,
    /// The header of the current frame, as far as it came.
    header: [u8; 9],
    count: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: usize,
    /// Frames that carried nothing since then.
    idle: (Instant, u32),
    limit: u32,
    /// Bytes that the caller took and that no such frame was set off against.
    earned: u32,
}

impl Frames {
    /// At most `limit` frames that carry nothing are let through in ten seconds.
    pub(crate) fn new(limit: u32, now: Instant) -> Self {
        Frames {
            preface: PREFACE.len(),
            header: [0; 9],
            count: 0,
            payload: 0,
            idle: (now, 0),
            limit,
            earned: 0,
        }
    }

    /// Takes the next bytes; false if they are too many frames of nothing.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let skipped = (self.preface + self.payload).min(bytes.len());
            let preface = self.preface.min(skipped);
            self.preface -= preface;
            self.payload -= skipped - preface;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return true;
            }
            let taken = (self.header.len() - self.count).min(bytes.len());
            self.header[self.count..self.count + taken].copy_from_slice(&bytes[..taken]);
            self.count += taken;
            bytes = &bytes[taken..];
            if self.count < self.header.len() {
                return true;
            }
            self.count = 0;
            if !self.begin() {
                return false;
            }
        }
    }

    /// The caller took so many bytes.
    pub(crate) fn earn(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.earned = self.earned.saturating_add(bytes).min(EARNED_MAX);
    }

    /// A header is whole.
    fn begin(&mut self) -> bool {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let carries = match kind {
            HEADERS | CONTINUATION => true,
            DATA => self.payload > 0 || flags & END_STREAM != 0,
            _ => false,
        };
        if carries {
            return true;
        }
        if let Some(left) = self.earned.checked_sub(BYTES_EACH) {
            self.earned = left;
            return true;
        }
        let (since, count) = &mut self.idle;
        *count += 1;
        if *count <= self.limit {
            return true;
        }
        // The clock is looked at only here.
        let now = Instant::now();
        let passed = now.duration_since(*since) >= WINDOW;
        (*since, *count) = (now, 0);
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, length: u16) -> Vec<u8> {
        let mut frame = vec![0];
        frame.extend(length.to_be_bytes());
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.resize(frame.len() + usize::from(length), PING);
        frame
    }

    /// How many pieces of `stream` pass.
    fn passed(frames: &mut Frames, stream: &[u8], step: usize) -> usize {
        stream
            .chunks(step)
            .take_while(|piece| frames.feed(piece))
            .count()
    }

    #[test]
    fn what_carries_something_is_free_in_whatever_pieces_it_comes() {
        let mut stream = PREFACE.to_vec();
        for _ in 0..20 {
            stream.extend(frame(HEADERS, 0, 300));
            stream.extend(frame(CONTINUATION, 4, 0));
            stream.extend(frame(DATA, 0, 1000));
            stream.extend(frame(DATA, END_STREAM, 0));
        }
        for step in [1, 7, 9, 1000, stream.len()] {
            let mut frames = Frames::new(0, Instant::now());
            let pieces = stream.chunks(step).len();
            assert_eq!(passed(&mut frames, &stream, step), pieces, "step {step}");
        }
    }

    #[test]
    fn what_carries_nothing_is_counted() {
        for nothing in [frame(PING, 0, 8), frame(DATA, 0, 0), frame(0x77, 0, 3)] {
            let mut frames = Frames::new(5, Instant::now());
            frames.feed(PREFACE);
            let flood = nothing.repeat(10);
            assert_eq!(passed(&mut frames, &flood, nothing.len()), 5);
        }
    }

    #[test]
    fn who_takes_much_may_send_more() {
        let mut frames = Frames::new(5, Instant::now());
        frames.feed(PREFACE);
        frames.earn(3 * 64 + 63);
        let ping = frame(PING, 0, 8);
        assert_eq!(passed(&mut frames, &ping.repeat(20), ping.len()), 8);
    }

    #[test]
    fn counts_are_forgotten() {
        let long_ago = Instant::now().checked_sub(WINDOW).unwrap();
        let mut frames = Frames::new(5, long_ago);
        frames.feed(PREFACE);
        let ping = frame(PING, 0, 8);
        assert_eq!(passed(&mut frames, &ping.repeat(20), ping.len()), 11);
    }
}
