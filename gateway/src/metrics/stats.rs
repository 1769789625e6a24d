//! The counters of requests as numbers, for clients that are not Prometheus.

use prometheus::Histogram;
use prometheus::core::Metric;

use super::series::{Series, Warmth};

/// What one revision of a function has counted since the gateway started.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    /// How many were measured.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_seconds: f64,
    /// How many were at most so many seconds; bounds rise. Those beyond the last are in `count`
    /// only. Empty if none was measured.
    pub buckets: Vec<(f64, u64)>,
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
