//! When how many instances are needed, level by level.
//!
//! Level `k` is in use while at least `k` instances have a request or would have one. Every arrival
//! raises the demand by one level at most, and requests go to the most recently used instance
//! first: so the time for which level `k` is not in use is the time for which the `k`th instance is
//! idle, and a request waits for a start exactly if the level that it raises the demand to has no
//! instance. What is learned of each level by itself therefore tells what its instance's idle time
//! costs and saves.

use crate::Timestamp;
use crate::policy::learn::rhythm::Rhythm;

/// Levels up to here are learned one by one, those above in groups of about an eighth of their
/// number.
const EXACT: u32 = 16;
/// Higher levels count as this one.
const HIGHEST: u32 = 1 << 16;
/// Levels and groups of them.
pub(super) const MOST_GROUPS: usize = 112;
/// Two for each power of two milliseconds, from 1 ms to 4.6 hours; longer gaps are the last one's.
pub(super) const BUCKETS: usize = 48;
/// When so many gaps were counted, all counts are halved: so that old ones are forgotten.
const MEMORY: u32 = 256;
/// Gaps that must have been seen before they are relied on.
const ENOUGH: u32 = 4;

/// What is known of every level so far. A few hundred bytes for each level, or group of levels, that
/// was ever used, of which there are at most 112.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::policy) struct Levels {
    pub(super) groups: Vec<Level>,
    /// Groups in use now.
    pub(super) used: usize,
}

/// One level, or the lowest one of a group.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct Level {
    /// When it was last left; none before that.
    pub(super) fell: Option<Timestamp>,
    /// When it was last reached.
    pub(super) rose: Timestamp,
    /// Times for which it was not in use, by length.
    pub(super) gaps: [u16; BUCKETS],
    pub(super) total: u32,
    /// The times from one use to the next one.
    pub(super) rhythm: Rhythm,
}

/// How long to keep an idle instance, and what one gap costs on average then, both in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::policy) struct Hold {
    pub(in crate::policy) idle: f64,
    pub(super) cost: f64,
}

impl Levels {
    /// From now on `instances` are needed; true if that is a level that was never reached before.
    pub(super) fn change(&mut self, instances: u32, now: Timestamp) -> bool {
        let used = match instances {
            0 => 0,
            level => place(level) + 1,
        };
        let new = self.groups.len() < used;
        while self.groups.len() < used {
            self.groups.push(Level::new(now));
        }
        for level in self.groups.iter_mut().take(self.used).skip(used) {
            level.fell = Some(now);
        }
        for level in self.groups.iter_mut().take(used).skip(self.used) {
            level.rise(now);
        }
        self.used = used;
        new
    }

    /// The cheapest idle time of the `instance`th instance, from 1, if another start for it costs as
    /// much as `price` seconds of idling.
    pub(in crate::policy) fn hold(&self, instance: u32, price: f64) -> Hold {
        let level = self.groups.get(place(instance.max(1)));
        level.map_or(Hold::blind(price), |level| level.hold(price))
    }

    /// The `instance`th level if it is learned by itself and not in use, and no higher than `most`.
    pub(super) fn unused(&self, instance: u32, most: u32) -> Option<&Level> {
        let place = instance.checked_sub(1)? as usize;
        let known = instance <= most.min(EXACT) && place >= self.used;
        self.groups.get(place).filter(|_| known)
    }
}

impl Level {
    pub(super) fn new(now: Timestamp) -> Self {
        Level {
            fell: None,
            rose: now,
            gaps: [0; BUCKETS],
            total: 0,
            rhythm: Rhythm::default(),
        }
    }

    fn rise(&mut self, now: Timestamp) {
        if let Some(fell) = self.fell {
            if self.total >= MEMORY {
                self.gaps.iter_mut().for_each(|count| *count /= 2);
                self.total = self.gaps.iter().map(|&count| u32::from(count)).sum();
            }
            self.gaps[bucket(now.since(fell).as_secs_f64())] += 1;
            self.total += 1;
            self.rhythm.note(now.since(self.rose));
        }
        self.rose = now;
    }

    /// `argmin over T of sum(min(gap, T)) + price * #(gap > T)`, which is rent or buy with known
    /// gaps. As long as too little is known, `T = price`, which costs at most twice the optimum
    /// whatever comes (Karlin et al., "Competitive snoopy caching", 1988).
    pub(super) fn hold(&self, price: f64) -> Hold {
        if self.total < ENOUGH {
            return Hold::blind(price);
        }
        let total = f64::from(self.total);
        let mut best = Hold {
            idle: 0.0,
            cost: price * total,
        };
        let (mut bridged, mut left) = (0.0, total);
        for (bucket, &count) in self.gaps[..BUCKETS - 1].iter().enumerate() {
            if count == 0 {
                continue;
            }
            let edge = edge(bucket);
            bridged += f64::from(count) * edge * MIDDLE;
            left -= f64::from(count);
            let cost = bridged + left * (edge + price);
            if cost < best.cost {
                best = Hold { idle: edge, cost };
            }
        }
        Hold {
            cost: best.cost / total,
            ..best
        }
    }
}

impl Hold {
    fn blind(price: f64) -> Self {
        Hold {
            idle: price,
            cost: 2.0 * price,
        }
    }
}

/// The middle of a bucket over its upper edge: `2^(-1/4)`.
const MIDDLE: f64 = 0.8409;

/// Where a level is, from 1.
fn place(level: u32) -> usize {
    let below = level.clamp(1, HIGHEST) - 1;
    if below < EXACT {
        return below as usize;
    }
    let octave = below.ilog2();
    let eighth = (below >> (octave - 3)) & 7;
    (EXACT + (octave - EXACT.ilog2()) * 8 + eighth) as usize
}

/// The bucket of a time in seconds.
fn bucket(seconds: f64) -> usize {
    let halves = (2.0 * (seconds * 1000.0).max(1e-9).log2()).ceil();
    (halves.max(0.0) as usize).min(BUCKETS - 1)
}

/// The longest time of a bucket, in seconds.
fn edge(bucket: usize) -> f64 {
    2f64.powf(bucket as f64 / 2.0) / 1000.0
}
