//! Starts per second, as a token bucket.

use std::time::Duration;

use super::StartLimits;
use crate::Timestamp;

/// What is added to the time until the next one, for which a rounded quotient may be too short.
const ROUNDING: Duration = Duration::from_nanos(1);

/// Holds `burst` tokens and fills evenly.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    /// When `tokens` was right.
    at: Timestamp,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(limits: &StartLimits, now: Timestamp) -> Self {
        Bucket {
            per_second: f64::from(limits.per_second),
            burst: f64::from(limits.burst),
            tokens: f64::from(limits.burst),
            at: now,
        }
    }

    /// Changes rate and size; what is in it stays, as far as it fits.
    pub(super) fn set(&mut self, limits: &StartLimits, now: Timestamp) {
        self.fill(now);
        *self = Bucket {
            tokens: self.tokens.min(f64::from(limits.burst)),
            ..Bucket::new(limits, now)
        };
    }

    pub(super) fn has_one(&mut self, now: Timestamp) -> bool {
        self.fill(now);
        self.tokens >= 1.0
    }

    /// Takes one that is there.
    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// When there will be one, if none is taken until then.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        let missing = (1.0 - self.tokens).max(0.0);
        now + Duration::from_secs_f64(missing / self.per_second) + ROUNDING
    }

    fn fill(&mut self, now: Timestamp) {
        let passed = now.since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_a_burst_and_then_so_many_per_second() {
        let limits = StartLimits {
            per_second: 10,
            burst: 3,
            ..StartLimits::default()
        };
        let start = Timestamp::from_nanos(5);
        let mut bucket = Bucket::new(&limits, start);
        let mut given = 0;
        for tenth in 0..20 {
            // A hair more than a tenth, for tenths are no binary fractions.
            let now = start + Duration::from_micros(100_001) * tenth;
            while bucket.has_one(now) {
                bucket.take();
                given += 1;
            }
            let wait = bucket.next(now).since(now);
            assert!(wait <= Duration::from_millis(101), "{wait:?}");
        }
        assert_eq!(given, 3 + 19);
        let later = start + Duration::from_secs(60);
        assert!(bucket.has_one(later));
        let smaller = StartLimits { burst: 1, ..limits };
        bucket.set(&smaller, later);
        bucket.take();
        assert!(!bucket.has_one(later));
    }
}
