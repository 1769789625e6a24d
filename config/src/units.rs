//! Durations and sizes with a unit.

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) const ZERO: Duration = Duration::ZERO;
pub(crate) const MILLI: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const TIB: u64 = 1 << 40;

/// Smallest first, in nanoseconds.
const DURATIONS: [(&str, u64); 5] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS),
    ("m", 60 * NANOS),
    ("h", 3600 * NANOS),
];

const NANOS: u64 = 1_000_000_000;

/// In bytes.
const SIZES: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Binary ones for output, largest first.
const SHOWN_SIZES: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

/// Reads `250ms`, `1.5s`, `10m`, `1h`, `500us`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| {
        format!("{text:?} is no duration: a number and one of us, ms, s, m, h, such as \"250ms\"")
    })
}

/// Reads `64KiB`, `10MiB`, `10MB`, `512B`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    size(text).ok_or_else(|| {
        format!("{text:?} is no size: a whole number and a unit, such as \"64KiB\" or \"10MB\"")
    })
}

/// In the largest unit that needs no fraction.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    for (unit, scale) in DURATIONS.iter().rev() {
        if nanos.is_multiple_of(u128::from(*scale)) {
            return format!("{}{unit}", nanos / u128::from(*scale));
        }
    }
    format!("{}.{:03}us", nanos / 1_000, nanos % 1_000)
}

/// In the largest binary unit that needs no fraction.
pub fn format_size(bytes: u64) -> String {
    for (unit, scale) in SHOWN_SIZES {
        if bytes > 0 && bytes.is_multiple_of(scale) {
            return format!("{}{unit}", bytes / scale);
        }
    }
    bytes.to_string()
}

/// For numbers that their bound has already made to fit.
pub(crate) fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// For numbers that fit unless the machine has 32 bits; there, as large as can be.
pub(crate) fn wide(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text);
    let scale = scale(&DURATIONS, unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, fraction_of(fraction, scale)?),
        None => (number, 0),
    };
    let nanos = digits(whole)?.checked_mul(scale)?.checked_add(fraction)?;
    Some(Duration::from_nanos(nanos))
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    digits(number)?.checked_mul(scale(&SIZES, unit)?)
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

fn scale(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, scale)| *scale)
}

/// At most nine digits after the point; what is below a nanosecond is dropped.
fn fraction_of(text: &str, scale: u64) -> Option<u64> {
    let power = u32::try_from(text.len())
        .ok()
        .filter(|length| *length <= 9)?;
    let product = u128::from(digits(text)?) * u128::from(scale);
    u64::try_from(product / 10_u128.pow(power)).ok()
}

/// `parse` alone would also take a sign.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
