//! Chance that depends on what it is for, and not on what else was drawn.

use std::f64::consts::TAU;

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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    state: u64,
}

impl Draw {
    pub(crate) fn new(key: u64, purpose: Purpose, count: u64) -> Self {
        let stream = mix(key ^ mix(purpose as u64));
        Draw {
            state: mix(stream ^ mix(count)),
        }
    }

    /// 64 random bits; others each time.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// From the standard normal distribution, after Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

/// The key of a name under a seed: FNV-1a.
pub(crate) fn key(seed: u64, name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(seed).wrapping_add(hash)
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(bits: u64) -> u64 {
    let mut mixed = bits;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
