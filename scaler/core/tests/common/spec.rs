//! Settings for tests.

use std::time::Duration;

use stoker_core::{Admission, Aggregation, Backoff, Freeze, Health, Policy, ScaleSpec};

/// On arrival, one request per instance, at most ten instances, everything else out of the way.
pub(crate) fn spec() -> ScaleSpec {
    ScaleSpec {
        wait_p99: Duration::ZERO,
        max_idle_percentage: 0.0,
        start_price: 5.0,
        policy: Policy::OnArrival,
        concurrency: 1,
        target: 1.0,
        target_utilization_percentage: 70.0,
        min_scale: 0,
        max_scale: 10,
        initial_scale: 0,
        activation_scale: 1,
        idle_timeout: Duration::from_secs(10),
        stable_window: Duration::from_secs(60),
        metric_aggregation_algorithm: Aggregation::Linear,
        panic_window_percentage: 10.0,
        panic_threshold_percentage: 200.0,
        max_scale_up_rate: 1_000.0,
        max_scale_down_rate: 2.0,
        scale_down_delay: Duration::ZERO,
        scale_to_zero_grace_period: Duration::from_secs(30),
        scale_to_zero_retention: Duration::ZERO,
        tick_interval: Duration::from_secs(2),
        histogram_range: Duration::from_secs(3_600),
        max_starting: 10,
        max_waiters: 1_000,
        admission: Admission::Off,
        freeze: Freeze::default(),
        health: Health {
            failures: 0,
            ejection: Duration::ZERO,
            max_ejection: Duration::ZERO,
            max_ejected_percentage: 0.0,
            replace_after: 1,
        },
        slow_start: Duration::ZERO,
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(30),
            reject_after: 1,
        },
        drain_timeout: Duration::ZERO,
        stop_grace: Duration::ZERO,
        spares: None,
    }
}
