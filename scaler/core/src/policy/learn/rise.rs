//! How far the demand rises while an instance starts.

use std::time::Duration;

use crate::Timestamp;

/// Larger rises count as this one.
const LARGEST: usize = 64;
/// When so many times were looked at, all counts are halved.
const MEMORY: f32 = 8192.0;

/// For stretches of one start time each: by how many instances the demand rose above what it was at
/// the stretch's beginning.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct Rise {
    /// When the stretch ends.
    pub(super) until: Timestamp,
    pub(super) first: u32,
    pub(super) most: u32,
    pub(super) last: u32,
    pub(super) counts: [f32; LARGEST],
    pub(super) stretches: f32,
}

impl Default for Rise {
    fn default() -> Self {
        Rise {
            until: Timestamp::ZERO,
            first: 0,
            most: 0,
            last: 0,
            counts: [0.0; LARGEST],
            stretches: 0.0,
        }
    }
}

impl Rise {
    /// From now on `instances` are needed; a start takes so long.
    pub(super) fn change(&mut self, instances: u32, start: Duration, now: Timestamp) {
        let start = start.max(Duration::from_micros(1));
        if now >= self.until {
            self.end_stretch(start, now);
        }
        self.most = self.most.max(instances);
        self.last = instances;
    }

    fn end_stretch(&mut self, start: Duration, now: Timestamp) {
        if self.until == Timestamp::ZERO {
            self.until = now;
        }
        let rise = self.most.saturating_sub(self.first) as usize;
        // Those in which nothing changed since are stretches too.
        let quiet = now.since(self.until).as_secs_f32() / start.as_secs_f32();
        self.counts[rise.min(LARGEST - 1)] += 1.0;
        self.stretches += 1.0 + quiet;
        if self.stretches > MEMORY {
            let scale = MEMORY / 2.0 / self.stretches;
            self.counts.iter_mut().for_each(|count| *count *= scale);
            self.stretches *= scale;
        }
        self.until = now + start;
        (self.first, self.most) = (self.last, self.last);
    }

    /// The most spares of which each avoids a delay that is worth `price` seconds at least as often
    /// as it costs that: `price * P(rise >= spares) >= start`.
    pub(super) fn worthwhile(&self, price: f64, start: Duration, now: Timestamp) -> u32 {
        let quiet = now.since(self.until).as_secs_f64();
        let needed = start.as_secs_f64() * f64::from(self.stretches) + quiet;
        let mut beyond = 0.0;
        for (rise, &count) in self.counts.iter().enumerate().skip(1).rev() {
            beyond += f64::from(count);
            if price * beyond > needed {
                return rise as u32;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_millis(1 + millis)
    }

    #[test]
    fn as_many_are_worthwhile_as_are_needed_often_enough() {
        let mut rise = Rise::default();
        // In each second, ten stretches, two more are needed for a moment.
        for second in 0..100 {
            rise.change(5, START, at(1000 * second));
            rise.change(7, START, at(1000 * second + 50));
            rise.change(5, START, at(1000 * second + 60));
        }
        let now = at(99_061);
        // One of ten stretches: each of the two costs a second and is of use once in it.
        assert_eq!(rise.worthwhile(1.2, START, now), 2);
        assert_eq!(rise.worthwhile(0.8, START, now), 0);
        // It is not so any more after some time without any change.
        assert_eq!(
            rise.worthwhile(1.2, START, now + Duration::from_secs(60)),
            0
        );
    }

    #[test]
    fn nothing_seen_needs_nothing() {
        assert_eq!(Rise::default().worthwhile(1e9, START, at(5)), 0);
    }
}
