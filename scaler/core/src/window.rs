//! Time-weighted averages.

use std::time::Duration;

use crate::Timestamp;
use crate::words::{Reader, Words};

/// The integral of a level over time, kept in buckets of one second.
///
/// The integral is exact, in level times nanoseconds. Only the bucket that the start of an
/// averaging window cuts in two is taken in proportion.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// There is no data before this time.
    since: Timestamp,
    /// Data is complete up to this time.
    at: Timestamp,
    /// End of the bucket that `at` is in; saves a division for most calls.
    bucket_end: u64,
    /// A ring: second `s` is at `s % len`.
    buckets: Vec<u64>,
}

/// The longest averaging window, in seconds.
const MOST_SECONDS: usize = 3_600;
/// Nanoseconds in a bucket.
const BUCKET: u64 = 1_000_000_000;

impl Window {
    /// Remembers at least `span` back from the latest time.
    pub(crate) fn new(span: Duration, now: Timestamp) -> Self {
        // One more for the bucket that is being filled, one for the bucket that is cut.
        let seconds = span.as_secs() as usize + usize::from(span.subsec_nanos() > 0);
        Window {
            since: now,
            at: now,
            bucket_end: (now.as_nanos() / BUCKET)
                .saturating_add(1)
                .saturating_mul(BUCKET),
            buckets: vec![0; seconds + 2],
        }
    }

    /// Records that the level was `level` from the last time up to `now`.
    pub(crate) fn advance(&mut self, level: u32, now: Timestamp) {
        if now.as_nanos() < self.bucket_end {
            if now > self.at {
                let place = self.place((self.bucket_end / BUCKET) - 1);
                self.buckets[place] += u64::from(level) * (now.as_nanos() - self.at.as_nanos());
                self.at = now;
            }
            return;
        }
        self.advance_far(u64::from(level), now);
    }

    /// The average over the part of the last `span` for which there is data, if there is any.
    ///
    /// The last `advance` tells which time is "now".
    pub(crate) fn average(&self, span: Duration) -> Option<f64> {
        let now = self.at.as_nanos();
        let from = (self.at - span).max(self.since).as_nanos();
        if from >= now {
            return None;
        }
        let first = from / BUCKET;
        let last = now / BUCKET;
        let mut sum = self.share(first, from, now);
        for second in first + 1..=last {
            sum += self.buckets[self.place(second)] as f64;
        }
        Some(sum / (now - from) as f64)
    }

    /// All of it that counts, as numbers.
    pub(crate) fn save(&self, words: &mut Words) {
        words.time(self.since);
        words.time(self.at);
        let last = self.at.as_nanos() / BUCKET;
        let first = self.first();
        words.number(last + 1 - first);
        for second in first..=last {
            words.number(self.buckets[self.place(second)]);
        }
    }

    /// None if it is none of `save`, or comes from after `now`.
    pub(crate) fn load(words: &mut Reader<'_>, now: Timestamp) -> Option<Self> {
        let (since, at) = (words.time()?, words.time()?);
        let length = words.length(MOST_SECONDS + 2)?;
        let last = at.as_nanos() / BUCKET;
        let first = (last + 1).checked_sub(length as u64)?;
        if length == 0 || since > at || at > now {
            return None;
        }
        let mut window = Window::new(Duration::from_secs(length as u64), at);
        for second in first..=last {
            let place = window.place(second);
            // The integral over a second of no more requests than can be counted.
            let whole = words.number()?;
            if whole > u64::from(u32::MAX) * BUCKET {
                return None;
            }
            window.buckets[place] = whole;
        }
        window.since = since.max(Timestamp::from_nanos(first * BUCKET));
        Some(window)
    }

    /// The first second of which something is known.
    fn first(&self) -> u64 {
        let last = self.at.as_nanos() / BUCKET;
        let kept = (last + 1).saturating_sub(self.buckets.len() as u64);
        kept.max(self.since.as_nanos() / BUCKET)
    }

    /// Remembers at least `span` from now on, and keeps what is known.
    pub(crate) fn resize(&mut self, span: Duration) {
        let old = std::mem::replace(self, Window::new(span, self.at));
        if old.buckets.len() == self.buckets.len() {
            *self = old;
            return;
        }
        let last = old.at.as_nanos() / BUCKET;
        let kept = old.buckets.len().min(self.buckets.len()) as u64;
        let first = (last + 1).saturating_sub(kept);
        for second in first..=last {
            let place = self.place(second);
            self.buckets[place] = old.buckets[old.place(second)];
        }
        self.since = old.since.max(Timestamp::from_nanos(first * BUCKET));
    }

    /// [`Window::advance`] over at least one end of a bucket.
    fn advance_far(&mut self, level: u64, now: Timestamp) {
        let length = self.buckets.len() as u64;
        let current = now.as_nanos() / BUCKET;
        if current - self.at.as_nanos() / BUCKET >= length {
            self.buckets.fill(level * BUCKET);
            self.at = Timestamp::from_nanos(current * BUCKET);
            let place = self.place(current);
            self.buckets[place] = 0;
        }
        while self.at < now {
            let second = self.at.as_nanos() / BUCKET;
            let end = (second + 1).saturating_mul(BUCKET);
            let stop = end.min(now.as_nanos());
            let place = self.place(second);
            self.buckets[place] += level * (stop - self.at.as_nanos());
            if stop == end {
                let next = self.place(second + 1);
                self.buckets[next] = 0;
            }
            self.at = Timestamp::from_nanos(stop);
        }
        self.bucket_end = (current + 1).saturating_mul(BUCKET);
    }

    /// The part of the integral over `second` that lies after `from`, as if it were even.
    fn share(&self, second: u64, from: u64, now: u64) -> f64 {
        let start = (second * BUCKET).max(self.since.as_nanos());
        let end = ((second + 1).saturating_mul(BUCKET)).min(now);
        let whole = self.buckets[self.place(second)] as f64;
        if end <= start {
            return 0.0;
        }
        whole * ((end - from) as f64 / (end - start) as f64)
    }

    fn place(&self, second: u64) -> usize {
        (second % self.buckets.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests;
