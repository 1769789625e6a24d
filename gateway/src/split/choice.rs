//! Shares of requests, by turns or by what the request says of its caller.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

/// Steps of sequences: the golden section and the square root of two, as fractions of 2^64. Their
/// multiples fill the circle evenly, each by itself and both together.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const ROOT: u64 = 0x6a09_e667_f3bc_c909;

/// Points that fill [0, 1) evenly in whatever part of the sequence one looks at: of n of them in a
/// row, the number in any interval of length p is off n p by some log(n) at most (Weyl's sequence;
/// Kuipers and Niederreiter, "Uniform distribution of sequences", 1974, chapter 2). So shares are
/// kept among few requests already, with no random source and one addition to a number.
#[derive(Debug)]
pub(crate) struct Sequence {
    next: AtomicU64,
    step: u64,
}

/// Shares of several revisions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares {
    /// Those above zero.
    shares: Vec<Share>,
    /// Of all shares.
    sum: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Share {
    /// Where the revision stands in the list of all.
    place: usize,
    /// Goes into hashes, so that a revision stays where it is when others come and go.
    number: u32,
    percent: f64,
}

impl Sequence {
    /// For the choice of a revision.
    pub(crate) fn of_choices() -> Self {
        Sequence {
            next: AtomicU64::new(0),
            step: GOLDEN,
        }
    }

    /// For the choice of what is mirrored, independent of the other.
    pub(crate) fn of_mirrors() -> Self {
        Sequence {
            next: AtomicU64::new(0),
            step: ROOT,
        }
    }

    /// The next point, in [0, 1).
    pub(crate) fn next(&self) -> f64 {
        unit(self.next.fetch_add(self.step, Ordering::Relaxed))
    }
}

impl Shares {
    /// Of revisions by their places: numbers and shares in percent.
    pub(crate) fn new(all: impl IntoIterator<Item = (u32, f64)>) -> Self {
        let all = all.into_iter().enumerate();
        let shares: Vec<Share> = all
            .filter(|(_, (_, percent))| *percent > 0.0)
            .map(|(place, (number, percent))| Share {
                place,
                number,
                percent,
            })
            .collect();
        Shares {
            sum: shares.iter().map(|share| share.percent).sum(),
            shares,
        }
    }

    /// The place of the revision at this point of [0, 1).
    pub(crate) fn at(&self, point: f64) -> usize {
        let mut left = point * self.sum;
        for share in &self.shares {
            left -= share.percent;
            if left < 0.0 {
                return share.place;
            }
        }
        self.shares.last().map_or(0, |share| share.place)
    }

    /// The place of the revision for whoever has this value: the same one for as long as the shares
    /// are the same, in every process.
    ///
    /// Each revision draws -ln(u) / share, where u depends on its number and the value, and the
    /// least one wins (weighted rendezvous hashing; Schindelhauer and Schomaker, "Weighted
    /// distributed hash tables", 2005). Where d of all values have to move to meet new shares, at
    /// most 2d/(1+d) do, which no rule without memory betters (Moulton and Jiang, "Maximally
    /// consistent sampling and the Jaccard index of probability distributions", 2018); between two
    /// revisions it is d.
    pub(crate) fn of(&self, value: &[u8]) -> usize {
        let hash = fnv(value);
        let draw = |share: &Share| {
            let mixed = mix(hash ^ mix(u64::from(share.number)));
            // In (0, 1], for the logarithm's sake.
            let u = 1.0 - unit(mixed);
            -u.ln() / share.percent
        };
        let drawn = self.shares.iter().map(|share| (draw(share), share.place));
        let least = drawn.min_by(|a, b| a.0.total_cmp(&b.0));
        least.map_or(0, |(_, place)| place)
    }
}

/// A value for somebody who has none yet, unlike others'.
pub(super) fn fresh(seed: u64, sequence: &Sequence) -> u64 {
    let turn = sequence.next.fetch_add(sequence.step, Ordering::Relaxed);
    mix(seed ^ turn)
}

/// The upper 53 bits as a number in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// 64-bit FNV-1a, which is the same everywhere and always.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): every bit depends on every other.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(GOLDEN);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
