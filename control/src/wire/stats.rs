//! Counters of requests, for `stoker top`.

use serde::{Deserialize, Serialize};

/// What the gateway has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// When the gateway's counters began, in milliseconds since 1970: another number means that
    /// they begin anew.
    pub since_ms: u64,
    /// One per revision with series of its own, at most a few more than `metrics.functions`; the
    /// others are in one that is named `_other`.
    pub functions: Vec<FunctionStats>,
}

/// What one revision of a function has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionStats {
    /// Its name.
    pub function: String,
    /// The revision.
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
    #[serde(default)]
    pub thawed: Latencies,
}

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many were measured.
    pub count: u64,
    /// Their sum.
    pub sum_seconds: f64,
    /// How many took at most so many seconds; bounds rise, counts include those before. Empty if
    /// none was measured.
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
