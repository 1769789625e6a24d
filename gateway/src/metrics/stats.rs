//! The counters of requests as numbers, for clients that are not Prometheus: the admin API has
//! them as JSON, by these names.

use prometheus::Histogram;
use prometheus::core::Metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::series::{Series, Warmth};

/// What one revision of a function has counted since the gateway started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionStats {
    /// The function's name; `_other` for all without series of their own.
    pub function: String,
    /// The revision's name; `_other` likewise.
    pub revision: String,
    /// Answers of the function that came to their end, by class of status: 1xx to 5xx.
    pub from_function: [u64; 5],
    /// The gateway's own answers, likewise.
    pub from_gateway: [u64; 5],
    /// Requests that did not come to their end.
    pub incomplete: u64,
    /// Starts that came up.
    pub started: u64,
    /// Starts that did not.
    pub start_failures: u64,
    /// From the arrival to the head of the answer, warm requests.
    pub warm: Latencies,
    /// The same, cold requests.
    pub cold: Latencies,
    /// The same, requests that found their instance frozen.
    pub thawed: Latencies,
}

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latencies {
    /// How many were measured.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_seconds: f64,
    /// How many were at most so many seconds; bounds rise. Those beyond the last are in `count`
    /// only. Empty if none was measured.
    pub buckets: Vec<(f64, u64)>,
}

impl FunctionStats {
    /// All requests that ended.
    pub fn requests(&self) -> u64 {
        let answered = self.from_function.iter().chain(&self.from_gateway);
        answered.sum::<u64>() + self.incomplete
    }

    /// Those that were answered with 5xx or did not come to their end.
    pub fn errors(&self) -> u64 {
        self.from_function[4] + self.from_gateway[4] + self.incomplete
    }

    /// Adds what another revision has counted.
    pub fn add(&mut self, other: &FunctionStats) {
        for (mine, theirs) in [
            (&mut self.from_function, &other.from_function),
            (&mut self.from_gateway, &other.from_gateway),
        ] {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        self.incomplete += other.incomplete;
        self.started += other.started;
        self.start_failures += other.start_failures;
        self.warm.add(&other.warm);
        self.cold.add(&other.cold);
        self.thawed.add(&other.thawed);
    }
}

impl Latencies {
    /// Adds others, whose bounds are the same.
    pub fn add(&mut self, other: &Latencies) {
        self.count += other.count;
        self.sum_seconds += other.sum_seconds;
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        for ((_, mine), (_, theirs)) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
    }

    /// What came since `before`, which was counted earlier.
    pub fn since(&self, before: &Latencies) -> Latencies {
        let old = |at: usize| before.buckets.get(at).map_or(0, |bucket| bucket.1);
        let buckets = self.buckets.iter().enumerate();
        Latencies {
            count: self.count.saturating_sub(before.count),
            sum_seconds: (self.sum_seconds - before.sum_seconds).max(0.0),
            buckets: buckets
                .map(|(at, (bound, count))| (*bound, count.saturating_sub(old(at))))
                .collect(),
        }
    }

    /// The time in seconds that the share `quantile` of them did not exceed, by straight lines
    /// within buckets as Prometheus' `histogram_quantile` has it; none if there were none.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let rank = quantile * self.count as f64;
        let (mut low, mut below) = (0.0, 0_u64);
        for (bound, count) in &self.buckets {
            if *count as f64 >= rank && *count > below {
                let part = (rank - below as f64) / (count - below) as f64;
                return Some(low + (bound - low) * part);
            }
            (low, below) = (*bound, *count);
        }
        Some(low)
    }
}

pub(super) fn of(series: &Series) -> FunctionStats {
    let [from_function, from_gateway] = series.counts();
    let (started, start_failures) = series.start_counts();
    FunctionStats {
        function: series.function.to_string(),
        revision: series.revision.to_string(),
        from_function,
        from_gateway,
        incomplete: series.incomplete_count(),
        started,
        start_failures,
        warm: latencies(series.first_byte(Warmth::Warm)),
        cold: latencies(series.first_byte(Warmth::Cold)),
        thawed: latencies(series.first_byte(Warmth::Thawed)),
    }
}

fn latencies(histogram: Option<&Histogram>) -> Latencies {
    let Some(histogram) = histogram else {
        return Latencies::default();
    };
    let metric = histogram.metric();
    let values = metric.get_histogram();
    Latencies {
        count: values.get_sample_count(),
        sum_seconds: values.get_sample_sum(),
        buckets: values
            .get_bucket()
            .iter()
            .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(counts: [u64; 3], count: u64) -> Latencies {
        Latencies {
            count,
            sum_seconds: 0.0,
            buckets: [0.001, 0.01, 0.1].into_iter().zip(counts).collect(),
        }
    }

    #[test]
    fn quantiles_lie_on_lines_within_buckets() {
        assert_eq!(Latencies::default().quantile(0.5), None);
        let some = latencies([0, 10, 10], 10);
        assert!((some.quantile(0.5).unwrap() - 0.0055).abs() < 1e-9);
        assert!((some.quantile(1.0).unwrap() - 0.01).abs() < 1e-9);
        let beyond = latencies([0, 0, 0], 4);
        assert_eq!(
            beyond.quantile(0.99),
            Some(0.1),
            "the last bound is all that is known"
        );
    }

    #[test]
    fn what_came_since() {
        let (before, now) = (latencies([1, 2, 3], 3), latencies([1, 5, 7], 8));
        assert_eq!(now.since(&before), latencies([0, 3, 4], 5));
        assert_eq!(now.since(&Latencies::default()), now);
        let mut sum = before.clone();
        sum.add(&now);
        assert_eq!(sum, latencies([2, 7, 10], 11));
    }
}
