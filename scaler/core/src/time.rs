//! Time as a value.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in monotonic time: nanoseconds since an origin that the caller chose.
///
/// The runtime counts from the start of the process, the simulator from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The origin.
    pub const ZERO: Timestamp = Timestamp(0);
    /// Later than every reachable time; stands for "never".
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// The time `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// So many seconds, to the nearest nanosecond; at most some thirty years, and nothing if that is
/// negative.
///
/// Exactly as [`Duration::try_from_secs_f64`], which takes several times as long: policies ask with
/// every decision.
#[inline]
pub(crate) fn seconds(seconds: f64) -> Duration {
    const MOST: f64 = 1e9;
    /// Below this the product of a fraction with 10^9 is right to a millionth and less.
    const FAST: f64 = 4e6;
    if (0.0..FAST).contains(&seconds) {
        // Signed, for which there are instructions.
        let whole = seconds as i32;
        let nanos = (seconds - f64::from(whole)) * 1e9;
        let below = nanos as i32;
        let rest = nanos - f64::from(below);
        // Else it may be a tie, which is rounded to even.
        if (rest - 0.5).abs() > 1e-6 {
            let nearest = below as u32 + u32::from(rest > 0.5);
            return Duration::new(whole as u64, nearest);
        }
    }
    Duration::try_from_secs_f64(seconds.min(MOST)).unwrap_or_default()
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Saturates at [`Timestamp::MAX`].
    fn add(self, duration: Duration) -> Timestamp {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    /// Saturates at [`Timestamp::ZERO`].
    fn sub(self, duration: Duration) -> Timestamp {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_sub(nanos))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slowly(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds.min(1e9)).unwrap_or_default()
    }

    #[test]
    fn unusual_seconds_are_none_or_many() {
        for unusual in [
            -1.0,
            -0.0,
            f64::NAN,
            f64::NEG_INFINITY,
            f64::INFINITY,
            1e300,
            1e-300,
        ] {
            assert_eq!(seconds(unusual), slowly(unusual), "{unusual}");
        }
        assert_eq!(seconds(0.999_999_999_9), Duration::from_secs(1));
        // Ties: to even.
        for number in 0..1_000_u32 {
            let tie = (f64::from(number) + 0.5) * 1e-9;
            assert_eq!(seconds(tie), slowly(tie), "{tie}");
        }
    }

    proptest! {
        #[test]
        fn seconds_are_those_of_the_standard_library(
            whole in 0_u32..5_000_000,
            part in 0.0_f64..1.0,
            power in -12..7_i32,
        ) {
            for each in [f64::from(whole) + part, part * 10_f64.powi(power)] {
                prop_assert_eq!(seconds(each), slowly(each));
            }
        }
    }
}
