//! When how many instances are needed, level by level.
//!
//! Level `k` is in use while at least `k` instances have a request or would have one. Every arrival
//! raises the demand by one level at most, and requests go to the most recently used instance
//! first: so the time for which level `k` is not in use is the time for which the `k`th instance is
//! idle, and a request waits for a start exactly if the level that it raises the demand to has no
//! instance. What is learned of each level by itself therefore tells what its instance's idle time
//! costs and saves.

use std::time::Duration;

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
const NANOS_PER_MILLI: u64 = 1_000_000;
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
    /// A bit for each bucket in which there are any: few of them, and they are asked for with every
    /// decision.
    pub(super) filled: u64,
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
        level.map_or_else(|| Hold::blind(price), |level| level.hold(price))
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
            filled: 0,
            rhythm: Rhythm::default(),
        }
    }

    fn rise(&mut self, now: Timestamp) {
        if let Some(fell) = self.fell {
            if self.total >= MEMORY {
                self.gaps.iter_mut().for_each(|count| *count /= 2);
                self.sum_up();
            }
            let bucket = bucket(now.since(fell));
            self.gaps[bucket] += 1;
            self.total += 1;
            self.filled |= 1 << bucket;
            self.rhythm.note(now.since(self.rose));
        }
        self.rose = now;
    }

    /// Brings what is known of all gaps in line with them.
    pub(super) fn sum_up(&mut self) {
        (self.total, self.filled) = (0, 0);
        for (bucket, &count) in self.gaps.iter().enumerate() {
            self.total += u32::from(count);
            self.filled |= u64::from(count > 0) << bucket;
        }
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
        let mut rest = self.filled & !(1 << (BUCKETS - 1));
        // No longer time is cheaper once what it bridges costs more than all.
        while rest != 0 && bridged < best.cost {
            let bucket = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let (count, edge) = (f64::from(self.gaps[bucket]), EDGES[bucket]);
            bridged += count * edge * MIDDLE;
            left -= count;
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

/// The bucket of a time: `ceil(2 * log2(milliseconds))`.
fn bucket(time: Duration) -> usize {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let millis = nanos / NANOS_PER_MILLI;
    if millis == 0 {
        return 0;
    }
    let octave = millis.ilog2() as usize;
    // What is beyond the last bucket is in it.
    let octave = octave.min(BUCKETS / 2);
    let edge = NANOS_PER_MILLI << octave;
    let middle = (edge as f64 * std::f64::consts::SQRT_2) as u64;
    let bucket = 2 * octave + usize::from(nanos > edge) + usize::from(nanos > middle);
    bucket.min(BUCKETS - 1)
}

/// The longest time of each bucket, in seconds.
const EDGES: [f64; BUCKETS] = {
    let mut edges = [0.0; BUCKETS];
    let mut bucket = 0;
    while bucket < BUCKETS {
        let between = match bucket % 2 {
            0 => 1.0,
            _ => std::f64::consts::SQRT_2,
        };
        edges[bucket] = (1_u64 << (bucket / 2)) as f64 * between / 1000.0;
        bucket += 1;
    }
    edges
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_end_at_their_edges() {
        let nanos = |seconds: f64| (seconds * 1e9) as u64;
        for (place, &edge) in EDGES.iter().enumerate().take(BUCKETS - 1) {
            let of = |nanos| bucket(Duration::from_nanos(nanos));
            assert_eq!((of(nanos(edge)), of(nanos(edge) + 2)), (place, place + 1));
        }
        assert_eq!(
            (bucket(Duration::ZERO), bucket(Duration::MAX)),
            (0, BUCKETS - 1)
        );
    }

    #[test]
    fn places_ascend_and_are_bounded() {
        for level in 1..HIGHEST {
            let step = place(level + 1) - place(level);
            assert!(step <= usize::from(level < EXACT) + 1, "{level}");
        }
        assert_eq!((place(1), place(16), place(17)), (0, 15, 16));
        assert_eq!((place(18), place(19), place(33)), (16, 17, 24));
        assert_eq!(place(u32::MAX), MOST_GROUPS - 1);
    }

    /// Level 1 was not in use for so many milliseconds each.
    fn after(gaps: &[u64]) -> Levels {
        let mut levels = Levels::default();
        let mut now = Timestamp::ZERO;
        levels.change(1, now);
        for &gap in gaps {
            levels.change(0, now);
            now = now + Duration::from_millis(gap);
            levels.change(1, now);
        }
        levels
    }

    #[test]
    fn what_comes_back_soon_stays_and_what_does_not_goes() {
        // The edge above 900 ms is at 2^(20/2) ms.
        assert_eq!(after(&[900; 8]).hold(1, 10.0).idle, 1.024);
        assert_eq!(after(&[900; 8]).hold(1, 0.5).idle, 0.0);
        // Most come back soon, and for the others it is cheaper to start.
        let mut mixed = vec![900; 30];
        mixed.extend([600_000; 10]);
        assert_eq!(after(&mixed).hold(1, 10.0).idle, 1.024);
        // The price for 10 of 40 is now more than to wait for them.
        assert!(after(&mixed).hold(1, 1000.0).idle > 600.0);
    }

    #[test]
    fn with_little_known_it_stays_as_long_as_a_start_is_worth() {
        assert_eq!(after(&[900; 3]).hold(1, 10.0).idle, 10.0);
        assert_eq!(after(&[900; 8]).hold(2, 10.0).idle, 10.0);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut gaps = vec![900; 2_000];
        gaps.extend(vec![60_000; 1_500]);
        assert_eq!(after(&gaps).hold(1, 10.0).idle, 0.0);
    }

    proptest! {
        /// No idle time costs much less: within a bucket nothing is told apart.
        #[test]
        fn the_idle_time_is_the_cheapest_one(
            gaps in prop::collection::vec(1_u64..1_000_000, 4..200),
            price in 0.001_f64..1_000.0,
            other in 0.0_f64..1_000.0,
        ) {
            let cost = |idle: f64| -> f64 {
                let of = |&gap: &u64| {
                    let gap = gap as f64 / 1000.0;
                    if gap <= idle { gap } else { idle + price }
                };
                gaps.iter().map(of).sum()
            };
            let hold = after(&gaps).hold(1, price);
            prop_assert!(cost(hold.idle) <= 1.45 * cost(other), "{hold:?}");
            // What a second with known gaps costs is never more than twice as much as blindly.
            prop_assert!(hold.cost * gaps.len() as f64 <= 1.2 * cost(0.0));
        }

        /// A higher price keeps longer.
        #[test]
        fn the_idle_time_rises_with_the_price(
            gaps in prop::collection::vec(1_u64..1_000_000, 0..200),
            price in 0.001_f64..1_000.0,
            more in 1.0_f64..100.0,
        ) {
            let levels = after(&gaps);
            let (one, other) = (levels.hold(1, price), levels.hold(1, price * more));
            prop_assert!(one.idle <= other.idle && one.cost <= other.cost + 1e-9);
        }
    }
}
