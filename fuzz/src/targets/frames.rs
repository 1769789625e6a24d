//! Frames that are followed and not kept.

use stoker_gateway::fuzzing::{http2_frames, websocket_ends};

use super::pieces;

/// The bytes before the first frame of HTTP/2.
const PREFACE_BYTES: usize = 24;

/// The ends of WebSocket frames are where the lengths say, in whatever pieces they come.
pub(crate) fn websocket(data: &[u8]) {
    let Some((step, stream)) = pieces(data) else {
        return;
    };
    let ends = websocket_ends(stream, stream.len());
    assert_eq!(websocket_ends(stream, step), ends);
    let mut expected = Vec::new();
    let mut at = 0;
    while let Some(end) = websocket_end(stream, at) {
        expected.push(end);
        at = end;
    }
    assert_eq!(ends, expected);
}

/// Where the frame at `at` ends (RFC 6455 section 5.2).
fn websocket_end(stream: &[u8], at: usize) -> Option<usize> {
    let second = *stream.get(at + 1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (extended, length) = match second & 0x7f {
        126 => {
            let bytes = stream.get(at + 2..at + 4)?;
            (2, u64::from(u16::from_be_bytes(bytes.try_into().ok()?)))
        }
        127 => {
            let bytes = stream.get(at + 2..at + 10)?;
            (8, u64::from_be_bytes(bytes.try_into().ok()?))
        }
        short => (0, u64::from(short)),
    };
    let end = (at + 2 + extended + mask).checked_add(usize::try_from(length).ok()?)?;
    (end <= stream.len()).then_some(end)
}

/// As many HTTP/2 frames of nothing are let through as may be, in whatever pieces they come.
pub(crate) fn http2(data: &[u8]) {
    let Some((step, frames)) = pieces(data) else {
        return;
    };
    let stream = [&[0; PREFACE_BYTES], frames].concat();
    let count = empty_frames(frames);
    for limit in [0, 1, 5] {
        let whole = http2_frames(&stream, stream.len(), limit);
        assert_eq!(http2_frames(&stream, step, limit), whole);
        assert_eq!(whole, count <= limit, "{count} of {limit}");
    }
}

/// Frames that carry nothing (RFC 9113 sections 4.1 and 6).
fn empty_frames(mut rest: &[u8]) -> u32 {
    let mut count = 0;
    while let Some((head, after)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let carries = match head[3] {
            0 => length > 0 || head[4] & 1 != 0,
            kind => kind == 1 || kind == 9,
        };
        count += u32::from(!carries);
        rest = after.get(length..).unwrap_or_default();
    }
    count
}
