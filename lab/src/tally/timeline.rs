//! What happened when, in buckets of which there are never many.

use stoker_core::Timestamp;

/// With more, pairs of them become one.
const MOST: usize = 480;

/// Nanoseconds of the first buckets.
const FIRST_WIDTH: u64 = 10_000_000;

/// Part of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) arrivals: u64,
    pub(crate) delayed: u64,
    pub(crate) refused: u64,
    pub(crate) starts: u64,
    /// Instances times nanoseconds.
    pub(crate) alive_time: u128,
    /// Instances with a call times nanoseconds.
    pub(crate) busy_time: u128,
    /// Nanoseconds, of the calls answered in it.
    pub(crate) longest_wait: u64,
}

/// The whole time of a replay in buckets of equal width.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// Nanoseconds.
    width: u64,
    /// All but the current one.
    past: Vec<Bucket>,
    current: Bucket,
    /// Where the current one ends.
    end: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline {
            width: FIRST_WIDTH,
            past: Vec::with_capacity(MOST),
            current: Bucket::default(),
            end: FIRST_WIDTH,
        }
    }
}

impl Timeline {
    /// The one that it is now.
    #[inline]
    pub(crate) fn current(&mut self) -> &mut Bucket {
        &mut self.current
    }

    /// Time goes on while so many instances are alive and so many of them have calls.
    #[inline]
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp, levels: (u32, u32)) {
        let (mut from, to) = (from.as_nanos(), to.as_nanos());
        // The last one of all has no end: times beyond it cannot be told apart.
        while to >= self.end && self.end < u64::MAX {
            self.current.pass(self.end.saturating_sub(from), levels);
            from = from.max(self.end);
            self.turn();
        }
        self.current.pass(to.saturating_sub(from), levels);
    }

    /// Width in nanoseconds, and all buckets in order.
    pub(crate) fn finish(mut self) -> (u64, Vec<Bucket>) {
        self.past.push(self.current);
        (self.width, self.past)
    }

    /// Begins the next bucket.
    fn turn(&mut self) {
        self.past.push(std::mem::take(&mut self.current));
        if self.past.len() == MOST {
            for place in 0..MOST / 2 {
                let mut bucket = self.past[2 * place];
                bucket.merge(&self.past[2 * place + 1]);
                self.past[place] = bucket;
            }
            self.past.truncate(MOST / 2);
            self.width = self.width.saturating_mul(2);
        }
        self.end = self.width.saturating_mul(self.past.len() as u64 + 1);
    }
}

impl Bucket {
    fn pass(&mut self, span: u64, (alive, busy): (u32, u32)) {
        self.alive_time += u128::from(alive) * u128::from(span);
        self.busy_time += u128::from(busy) * u128::from(span);
    }

    fn merge(&mut self, later: &Bucket) {
        self.arrivals += later.arrivals;
        self.delayed += later.delayed;
        self.refused += later.refused;
        self.starts += later.starts;
        self.alive_time += later.alive_time;
        self.busy_time += later.busy_time;
        self.longest_wait = self.longest_wait.max(later.longest_wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_time_is_reached() {
        let mut timeline = Timeline::default();
        timeline.advance(Timestamp::ZERO, Timestamp::MAX, (1, 1));
        timeline.advance(Timestamp::MAX, Timestamp::MAX, (1, 1));
        let (_, buckets) = timeline.finish();
        assert!(buckets.len() <= MOST);
        let alive: u128 = buckets.iter().map(|it| it.alive_time).sum();
        assert_eq!(alive, u128::from(u64::MAX));
    }

    #[test]
    fn nothing_is_lost_when_buckets_merge() {
        let mut timeline = Timeline::default();
        let mut now = Timestamp::ZERO;
        for step in 0..2_000_u64 {
            let next = Timestamp::from_nanos(now.as_nanos() + 7_000_000 * (1 + step % 9));
            timeline.advance(now, next, (3, 1));
            timeline.current().arrivals += 1;
            now = next;
        }
        let (width, buckets) = timeline.finish();
        assert!(buckets.len() <= MOST && width > FIRST_WIDTH);
        assert_eq!(buckets.iter().map(|it| it.arrivals).sum::<u64>(), 2_000);
        let alive: u128 = buckets.iter().map(|it| it.alive_time).sum();
        assert_eq!(alive, 3 * u128::from(now.as_nanos()));
        let busy: u128 = buckets.iter().map(|it| it.busy_time).sum();
        assert_eq!(busy, u128::from(now.as_nanos()));
        for bucket in &buckets[..buckets.len() - 1] {
            assert_eq!(bucket.busy_time, u128::from(width));
        }
    }
}
