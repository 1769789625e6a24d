//! Settings for tests.

use std::time::Duration;

use proptest::prelude::*;

use crate::{Admission, Aggregation, Backoff, Freeze, Health, Policy, ScaleSpec, SpareSpec};

/// On arrival, one request per instance, at most four instances, everything else out of the way.
pub(crate) fn spec() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::OnArrival,
        concurrency: 1,
        target: 1.0,
        target_utilization_percentage: 70.0,
        min_scale: 0,
        max_scale: 4,
        initial_scale: 0,
        activation_scale: 1,
        idle_timeout: Duration::from_secs(10),
        stable_window: Duration::from_secs(60),
        metric_aggregation_algorithm: Aggregation::Linear,
        panic_window_percentage: 10.0,
        panic_threshold_percentage: 200.0,
        max_scale_up_rate: 1000.0,
        max_scale_down_rate: 2.0,
        scale_down_delay: Duration::ZERO,
        scale_to_zero_grace_period: Duration::from_secs(30),
        scale_to_zero_retention: Duration::ZERO,
        tick_interval: Duration::from_secs(2),
        histogram_range: Duration::from_secs(4 * 3_600),
        wait_p99: Duration::from_millis(50),
        max_idle_percentage: 0.0,
        start_price: 5.0,
        max_starting: 4,
        max_waiters: 1000,
        admission: Admission::Off,
        freeze: Freeze::default(),
        health: Health {
            failures: 0,
            ejection: Duration::from_secs(10),
            max_ejection: Duration::from_secs(300),
            max_ejected_percentage: 50.0,
            replace_after: 3,
        },
        slow_start: Duration::ZERO,
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(30),
            reject_after: 3,
        },
        drain_timeout: Duration::from_secs(30),
        stop_grace: Duration::from_secs(5),
        spares: None,
    }
}

/// Any settings, small enough for bounds to be reached.
pub(crate) fn any_spec() -> impl Strategy<Value = ScaleSpec> {
    let scale = (0_u32..3, 1_u32..6, 0_u32..3, 1_u32..4);
    let limits = (1_u32..4, 1_u32..4, 0_u32..12, 1_u32..4);
    let times = (
        0_u64..20,
        prop_oneof![2 => Just(0_u64), 1 => 1_u64..20],
        0_u64..8,
        0_u64..4,
    );
    let rates = (
        1.5_f64..1000.0,
        1.5_f64..10.0,
        110.0_f64..1000.0,
        10.0_f64..100.0,
    );
    let load = (any::<bool>(), 0_u32..4, 0.0_f64..=100.0, 1_u32..4, 0_u64..3);
    let freeze = (prop::option::of(0_u64..8), 0_u32..3);
    let policy = prop::sample::select(&Policy::ALL[..]);
    (policy, scale, limits, times, rates, load, freeze).prop_map(
        |(policy, (min, more, initial, activation), limits, times, rates, load, freeze)| {
            let (admission, failures, percentage, replace_after, slow) = load;
            let (concurrency, max_starting, max_waiters, reject_after) = limits;
            let (idle, delay, drain, grace) = times;
            ScaleSpec {
                policy,
                concurrency,
                target: f64::from(concurrency),
                min_scale: min,
                max_scale: min + more,
                initial_scale: initial,
                activation_scale: activation,
                metric_aggregation_algorithm: aggregation(activation == 2),
                idle_timeout: Duration::from_secs(idle),
                stable_window: Duration::from_secs(6 + idle),
                max_scale_up_rate: rates.0,
                max_scale_down_rate: rates.1,
                panic_threshold_percentage: rates.2,
                target_utilization_percentage: rates.3,
                scale_down_delay: Duration::from_secs(delay),
                histogram_range: Duration::from_secs(1 + 4 * idle),
                wait_p99: Duration::from_millis(idle * 40),
                max_idle_percentage: percentage,
                start_price: 0.5 + percentage,
                scale_to_zero_grace_period: Duration::from_secs(grace),
                max_starting,
                max_waiters,
                admission: [Admission::Off, Admission::Deadline][usize::from(admission)],
                freeze: Freeze {
                    after: freeze.0.map(Duration::from_secs),
                    keep_hot: freeze.1,
                },
                health: Health {
                    failures,
                    ejection: Duration::from_millis(300 * slow),
                    max_ejection: Duration::from_secs(3),
                    max_ejected_percentage: percentage,
                    replace_after,
                },
                slow_start: Duration::from_secs(slow),
                backoff: backoff(reject_after),
                drain_timeout: Duration::from_secs(drain),
                stop_grace: Duration::from_secs(grace),
                spares: (idle % 2 == 1).then(|| spares((min, more), idle, slow == 0)),
                ..spec()
            }
        },
    )
}

fn backoff(reject_after: u32) -> Backoff {
    Backoff {
        reject_after,
        ..spec().backoff
    }
}

fn aggregation(weighted: bool) -> Aggregation {
    match weighted {
        true => Aggregation::WeightedExponential,
        false => Aggregation::Linear,
    }
}

fn spares((least, more): (u32, u32), idle: u64, eager: bool) -> SpareSpec {
    SpareSpec {
        least,
        most: least + more,
        idle_timeout: Duration::from_secs(idle),
        eager,
        refill: Duration::from_millis(10),
    }
}
