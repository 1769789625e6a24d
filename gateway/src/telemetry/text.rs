//! Numbers, times and texts as bytes, without the machinery of `fmt`: a line is written for every
//! request.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stoker_scaler::logs::LogTime;

const HEX: &[u8; 16] = b"0123456789abcdef";
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends milliseconds with three places.
pub(super) fn millis(out: &mut Vec<u8>, duration: Duration) {
    let micros = duration.as_micros() as u64;
    number(out, micros / 1000);
    let part = (micros % 1000) as u32;
    let place = |unit: u32| b'0' + (part / unit % 10) as u8;
    out.extend_from_slice(&[b'.', place(100), place(10), place(1)]);
}

/// Appends a time as RFC 3339 has it, UTC, to the millisecond.
pub(super) fn rfc3339(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.extend_from_slice(&second(since.as_secs()));
    let millis = since.subsec_millis();
    let place = |unit: u32| b'0' + (millis / unit % 10) as u8;
    out.extend_from_slice(&[b'.', place(100), place(10), place(1), b'Z']);
}

/// Appends a time as the combined format has it, UTC: `21/Nov/2026:01:02:03 +0000`.
pub(super) fn combined_time(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = second(since.as_secs());
    let month = usize::from(text[5] - b'0') * 10 + usize::from(text[6] - b'0');
    out.extend_from_slice(&text[8..10]);
    out.push(b'/');
    out.extend_from_slice(MONTHS[month.clamp(1, 12) - 1]);
    out.push(b'/');
    out.extend_from_slice(&text[..4]);
    out.push(b':');
    out.extend_from_slice(&text[11..19]);
    out.extend_from_slice(b" +0000");
}

/// `2026-11-21T01:02:03`, made once per second and thread.
fn second(unix: u64) -> [u8; 19] {
    thread_local! {
        static LAST: Cell<(u64, [u8; 19])> = const { Cell::new((u64::MAX, [b'0'; 19])) };
    }
    LAST.with(|last| {
        let (at, text) = last.get();
        if at == unix {
            return text;
        }
        let made = LogTime::from_unix_micros(unix.saturating_mul(1_000_000)).to_string();
        let mut text = [b'0'; 19];
        text.copy_from_slice(&made.as_bytes()[..19]);
        last.set((unix, text));
        text
    })
}

/// Appends what goes between the quotes of a JSON string (RFC 8259 section 7). Bytes that are not
/// UTF-8 are taken as Latin-1, as header fields once were.
pub(super) fn json(out: &mut Vec<u8>, value: &[u8]) {
    // Without a branch per byte, for nearly every value is plain.
    let all_plain = value.iter().fold(true, |plain, &byte| {
        plain & (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\')
    });
    if all_plain {
        return out.extend_from_slice(value);
    }
    let mut plain = 0;
    let is_text = value.is_ascii() || std::str::from_utf8(value).is_ok();
    for (index, &byte) in value.iter().enumerate() {
        let quoted = byte == b'"' || byte == b'\\';
        if !quoted && byte >= 0x20 && byte != 0x7f && (byte < 0x80 || is_text) {
            continue;
        }
        out.extend_from_slice(&value[plain..index]);
        plain = index + 1;
        if quoted {
            out.extend_from_slice(&[b'\\', byte]);
        } else {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&hex(byte));
        }
    }
    out.extend_from_slice(&value[plain..]);
}

/// Appends what goes between the quotes of the combined format: as nginx does, whatever could end
/// them or is not visible as `\xHH`.
pub(super) fn combined(out: &mut Vec<u8>, value: &[u8]) {
    let mut plain = 0;
    for (index, &byte) in value.iter().enumerate() {
        if byte != b'"' && byte != b'\\' && (0x20..0x7f).contains(&byte) {
            continue;
        }
        out.extend_from_slice(&value[plain..index]);
        plain = index + 1;
        out.extend_from_slice(b"\\x");
        out.extend_from_slice(&hex(byte).map(|digit| digit.to_ascii_uppercase()));
    }
    out.extend_from_slice(&value[plain..]);
}

fn hex(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_and_times() {
        assert_eq!(text(|out| number(out, 0)), "0");
        assert_eq!(text(|out| number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(
            text(|out| millis(out, Duration::from_micros(12_034))),
            "12.034"
        );
        let time = UNIX_EPOCH + Duration::from_millis(1_795_223_045_007);
        assert_eq!(text(|out| rfc3339(out, time)), "2026-11-21T01:04:05.007Z");
        assert_eq!(
            text(|out| combined_time(out, time)),
            "21/Nov/2026:01:04:05 +0000"
        );
    }

    #[test]
    fn strings_stay_strings() {
        let value = b"a\"b\\c\n\x7f\xe4";
        let json = text(|out| {
            out.push(b'"');
            json(out, value);
            out.push(b'"');
        });
        assert_eq!(json, "\"a\\\"b\\\\c\\u000a\\u007f\\u00e4\"");
        assert_eq!(text(|out| super::json(out, "ä€".as_bytes())), "ä€");
        assert_eq!(
            text(|out| combined(out, value)),
            "a\\x22b\\x5Cc\\x0A\\x7F\\xE4"
        );
    }
}
