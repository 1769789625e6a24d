//! Making metrics, and those that are set when they are asked for.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use stoker_core::InstanceState;
use stoker_scaler::FunctionView;

/// Upper bounds in seconds: from 50 microseconds, for a warm answer is that quick.
const BUCKETS: [f64; 20] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
    2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Makes metrics and registers them.
#[derive(Default)]
pub(super) struct Families {
    pub(super) registry: Registry,
}

impl Families {
    pub(super) fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        let metric = HistogramVec::new(options, labels)?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// What is read off the pools when Prometheus asks.
pub(super) struct Gauges {
    instances: IntGaugeVec,
    waiting: IntGaugeVec,
    in_flight: IntGaugeVec,
    desired: IntGaugeVec,
}

impl Gauges {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        let by_function = &["function"];
        Ok(Gauges {
            instances: families.gauge(
                "stoker_instances",
                "Instances now, by state.",
                &["function", "state"],
            )?,
            waiting: families.gauge(
                "stoker_waiting_requests",
                "Requests waiting now.",
                by_function,
            )?,
            in_flight: families.gauge(
                "stoker_in_flight_requests",
                "Slots in use now.",
                by_function,
            )?,
            desired: families.gauge(
                "stoker_desired_instances",
                "Instances wanted now.",
                by_function,
            )?,
        })
    }

    /// Forgets functions that are gone.
    pub(super) fn reset(&self) {
        for gauge in [
            &self.instances,
            &self.waiting,
            &self.in_flight,
            &self.desired,
        ] {
            gauge.reset();
        }
    }

    pub(super) fn set(&self, function: &str, view: &FunctionView) {
        for (state, name) in [
            (InstanceState::Starting, "starting"),
            (InstanceState::Ready, "ready"),
            (InstanceState::Draining, "draining"),
            (InstanceState::Stopping, "stopping"),
        ] {
            let alike = view
                .pool
                .instances
                .iter()
                .filter(|instance| instance.state == state);
            let count = i64::try_from(alike.count()).unwrap_or(i64::MAX);
            self.instances
                .with_label_values(&[function, name])
                .set(count);
        }
        self.waiting
            .with_label_values(&[function])
            .set(view.pool.waiting.into());
        self.in_flight
            .with_label_values(&[function])
            .set(view.pool.in_flight.into());
        let desired = view
            .pool
            .last_decision
            .as_ref()
            .map_or(0, |decision| decision.desired);
        self.desired
            .with_label_values(&[function])
            .set(desired.into());
    }
}
