//! Chance that depends on what it is for, and not on what else was drawn.

use stoker_traces::random::{Random, mix};

/// What a number is drawn for. The numbers are part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Start = 1,
    Service = 2,
    Gap = 3,
    Plan = 4,
}

/// The `count`th draw for this purpose and key. A counter in place of a state: two policies that
/// replay the same calls meet the same service and start times, whatever else they do.
pub(crate) fn draw(key: u64, purpose: Purpose, count: u64) -> Random {
    let stream = mix(key ^ mix(purpose as u64));
    Random::new(mix(stream ^ mix(count)))
}

/// The key of a name under a seed: FNV-1a.
pub(crate) fn key(seed: u64, name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(seed).wrapping_add(hash)
}
