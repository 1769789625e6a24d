//! Counted durations, put in order.

use std::time::Duration;

use crate::Histogram;

/// The durations of some histograms in ascending order.
pub(crate) struct Samples {
    /// A duration in nanoseconds, and how many are at most as long.
    steps: Vec<(u64, u64)>,
    mean_ns: f64,
    variance_ns2: f64,
}

impl Samples {
    /// All that these counted.
    pub(crate) fn of<'a>(histograms: impl IntoIterator<Item = &'a Histogram>) -> Self {
        let mut buckets: Vec<(u64, u64)> = histograms
            .into_iter()
            .flat_map(Histogram::buckets)
            .collect();
        // Stable sorting takes sorted runs as they are.
        buckets.sort_by_key(|bucket| bucket.0);
        buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        let count: u64 = buckets.iter().map(|bucket| bucket.1).sum();
        let weighted = |f: &dyn Fn(f64) -> f64| {
            let sum = |&(ns, n): &(u64, u64)| f(ns as f64) * n as f64;
            buckets.iter().map(sum).sum::<f64>()
        };
        let mean_ns = weighted(&|ns| ns) / count.max(1) as f64;
        let variance_ns2 =
            weighted(&|ns| (ns - mean_ns).powi(2)) / count.saturating_sub(1).max(1) as f64;
        let mut below = 0;
        let steps = buckets
            .into_iter()
            .map(|(ns, count)| {
                below += count;
                (ns, below)
            })
            .collect();
        Samples {
            steps,
            mean_ns,
            variance_ns2,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.1)
    }

    /// The `rank`-th shortest, beginning with 1, in nanoseconds; the longest if there are fewer,
    /// none of nothing.
    pub(crate) fn at_rank(&self, rank: u64) -> Option<u64> {
        let index = self.steps.partition_point(|step| step.1 < rank);
        let index = index.min(self.steps.len().checked_sub(1)?);
        Some(self.steps[index].0)
    }

    /// What `quantile`, in [0, 1], of all are at most, in nanoseconds: the inverse of the empirical
    /// distribution function (type 1 of Hyndman and Fan, 1996).
    pub(crate) fn quantile(&self, quantile: f64) -> Option<u64> {
        let rank = (quantile * self.count() as f64 - 1e-9).ceil() as u64;
        self.at_rank(rank.max(1))
    }

    pub(crate) fn min(&self) -> Option<u64> {
        self.steps.first().map(|step| step.0)
    }

    pub(crate) fn max(&self) -> Option<u64> {
        self.steps.last().map(|step| step.0)
    }

    /// The average in nanoseconds; zero of nothing.
    pub(crate) fn mean_ns(&self) -> f64 {
        self.mean_ns
    }

    /// How sure the average is if the samples are independent, in nanoseconds.
    pub(crate) fn standard_error_ns(&self) -> f64 {
        (self.variance_ns2 / self.count().max(1) as f64).sqrt()
    }

    /// Durations in nanoseconds, ascending, and how many are at most as long.
    pub(crate) fn steps(&self) -> &[(u64, u64)] {
        &self.steps
    }
}

/// Nanoseconds that came out of arithmetic, as a duration.
pub(crate) fn duration(ns: f64) -> Duration {
    Duration::from_nanos(ns.max(0.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        for ns in values {
            histogram.record(Duration::from_nanos(ns));
        }
        histogram
    }

    #[test]
    fn ranks_are_those_of_the_sorted_list() {
        // Below 2048 ns every nanosecond has its own bucket.
        let (first, second) = (counted([30, 10, 10]), counted([20, 500]));
        let samples = Samples::of([&first, &second]);
        let ranks: Vec<_> = (1..=6).map(|rank| samples.at_rank(rank)).collect();
        assert_eq!(ranks, [10, 10, 20, 30, 500, 500].map(Some));
        assert_eq!(samples.quantile(0.5), Some(20));
        assert_eq!(samples.quantile(0.8), Some(30));
        assert_eq!(samples.quantile(0.81), Some(500));
        assert_eq!((samples.min(), samples.max()), (Some(10), Some(500)));
        // numpy: mean 114, var(ddof=1) 46630.
        assert!((samples.mean_ns() - 114.0).abs() < 1e-9);
        assert!((samples.standard_error_ns() - (46_630.0_f64 / 5.0).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn nothing_has_no_rank() {
        let nothing = Samples::of([]);
        assert_eq!(nothing.count(), 0);
        assert_eq!(nothing.at_rank(1), None);
        assert_eq!(nothing.quantile(0.5), None);
        assert_eq!(nothing.mean_ns(), 0.0);
    }
}
