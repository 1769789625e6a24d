//! What functions and scalers are made of.

use std::path::PathBuf;
use std::time::Duration;

use stoker_core::{Admission, Backoff, Freeze, Health, InstanceId, Policy, ScaleSpec};
use stoker_scaler::driver::{Isolation, LaunchSpec, Observed, Resources, SocketKind};

use crate::fake::endpoint;
use crate::support::NEVER;

/// Revision `revision` of function `function`.
pub(crate) fn launch(function: &str, revision: &str) -> LaunchSpec {
    LaunchSpec {
        function: function.into(),
        revision: revision.into(),
        number: None,
        command: vec!["program".to_owned()],
        runtime: None,
        environment: Vec::new(),
        working_directory: PathBuf::from("/"),
        socket: SocketKind::Unix,
        user: None,
        rlimits: Vec::new(),
        resources: Resources::default(),
        isolation: Isolation::default(),
        start_timeout: NEVER,
    }
}

/// An instance that a former gateway left.
pub(crate) fn observed(id: InstanceId, function: &str, revision: &str) -> Observed {
    Observed {
        id,
        function: function.into(),
        revision: revision.into(),
        endpoint: endpoint(id),
        pid: Some(id.count()),
    }
}

/// On arrival, one request per instance, at most four instances, and no time ever comes.
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
        idle_timeout: NEVER,
        stable_window: Duration::from_secs(60),
        metric_aggregation_algorithm: stoker_core::Aggregation::Linear,
        panic_window_percentage: 10.0,
        panic_threshold_percentage: 200.0,
        max_scale_up_rate: 1000.0,
        max_scale_down_rate: 2.0,
        scale_down_delay: Duration::ZERO,
        scale_to_zero_grace_period: Duration::from_secs(30),
        scale_to_zero_retention: Duration::ZERO,
        tick_interval: Duration::from_secs(2),
        histogram_range: Duration::from_secs(14_400),
        wait_p99: Duration::from_millis(50),
        max_idle_percentage: 0.0,
        start_price: 5.0,
        max_starting: 4,
        max_waiters: 1000,
        admission: Admission::Off,
        freeze: Freeze::default(),
        health: Health {
            failures: 0,
            ejection: NEVER,
            max_ejection: NEVER,
            max_ejected_percentage: 50.0,
            replace_after: 3,
        },
        slow_start: Duration::ZERO,
        backoff: Backoff {
            initial: NEVER,
            max: NEVER,
            reject_after: 3,
        },
        drain_timeout: NEVER,
        spares: None,
        stop_grace: NEVER,
    }
}
