//! Durations, counted without losing their tail.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest duration that is told apart, 1 hour in nanoseconds; longer ones count as that.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// The most durations of one kind in a file, so that sums of them do not overflow.
const MAX_COUNT: u64 = 1 << 40;

/// Significant decimal digits.
const DIGITS: u8 = 3;

/// Durations from 1 ns to an hour with three significant digits. As JSON it is the list of its
/// buckets that are not empty: `[[nanoseconds, count], ...]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(HIGHEST_NS);
        self.0.saturating_record(nanoseconds);
    }

    /// Takes over all that another one counted.
    pub fn add(&mut self, other: &Histogram) {
        self.0
            .add(&other.0)
            .expect("all histograms have the same range");
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that `quantile`, in [0, 1], of all are at most; none if nothing was counted.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.value_at_quantile(quantile)))
    }

    /// The average; none if nothing was counted.
    pub fn mean(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.mean() as u64))
    }

    /// The shortest; none if nothing was counted.
    pub fn min(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.min()))
    }

    /// The longest; none if nothing was counted.
    pub fn max(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.max()))
    }

    /// The buckets that are not empty, ascending: a duration in nanoseconds and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        let empty = hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS);
        Histogram(empty.expect("the bounds are valid"))
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.buckets())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut histogram = Histogram::default();
        for (nanoseconds, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            if nanoseconds == 0 || nanoseconds > 2 * HIGHEST_NS {
                return Err(de::Error::custom(format!(
                    "{nanoseconds} ns is not between 1 ns and 1 hour"
                )));
            }
            if count > MAX_COUNT {
                return Err(de::Error::custom(format!(
                    "{count} durations are more than {MAX_COUNT}"
                )));
            }
            histogram.0.saturating_record_n(nanoseconds, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_json() {
        let mut histogram = Histogram::default();
        for micros in [1, 50, 50, 1_234_567] {
            histogram.record(Duration::from_micros(micros));
        }
        let text = serde_json::to_string(&histogram).expect("it is plain data");
        let again: Histogram = serde_json::from_str(&text).expect("it was written so");
        assert_eq!(again.count(), 4);
        assert_eq!(again.quantile(0.5), histogram.quantile(0.5));
        assert_eq!(again.max(), histogram.max());
    }

    #[test]
    fn takes_nothing_that_cannot_be() {
        let error = |text: &str| {
            let parsed: Result<Histogram, _> = serde_json::from_str(text);
            parsed.unwrap_err().to_string()
        };
        assert!(error("[[0, 1]]").starts_with("0 ns is not between 1 ns and 1 hour"));
        assert!(error("[[1, 9999999999999]]").starts_with("9999999999999 durations are more than"));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
