//! What Prometheus sees.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::StatusCode;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use stoker_core::InstanceState;
use stoker_scaler::{FunctionView, Notice};

/// Upper bounds in seconds: from 50 microseconds, for a warm answer is that quick.
const BUCKETS: [f64; 20] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
    2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Every metric of the gateway. Functions appear with their first request or instance, so that the
/// number of series follows what is used, not what is registered.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    bytes: IntCounterVec,
    duration: HistogramVec,
    first_byte: HistogramVec,
    queue: HistogramVec,
    start: HistogramVec,
    starts: IntCounterVec,
    exits: IntCounterVec,
    instances: IntGaugeVec,
    waiting: IntGaugeVec,
    in_flight: IntGaugeVec,
    desired: IntGaugeVec,
    unrouted: IntCounterVec,
}

/// The series of one function, found once.
pub(crate) struct FunctionMetrics {
    function: Arc<str>,
    from_function: [IntCounter; 5],
    from_gateway: [IntCounter; 5],
    incomplete: IntCounter,
    bytes: IntCounter,
    warm: Timings,
    cold: Timings,
}

struct Timings {
    duration: Histogram,
    first_byte: Histogram,
    queue: Histogram,
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// If two metrics have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            let metric = HistogramVec::new(options, labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        Ok(Metrics {
            requests: counter(
                "stoker_requests_total",
                "Requests by class of status and by who answered: function, gateway, or incomplete.",
                &["function", "code", "origin"],
            )?,
            bytes: counter(
                "stoker_response_bytes_total",
                "Bytes of bodies sent.",
                &["function"],
            )?,
            duration: histogram(
                "stoker_request_duration_seconds",
                "From the arrival of a request to the end of its answer.",
                &["function", "start"],
            )?,
            first_byte: histogram(
                "stoker_first_byte_seconds",
                "From the arrival of a request to the head of its answer.",
                &["function", "start"],
            )?,
            queue: histogram(
                "stoker_queue_duration_seconds",
                "From the arrival of a request to its slot.",
                &["function", "start"],
            )?,
            start: histogram(
                "stoker_start_duration_seconds",
                "Parts of the starts of instances.",
                &["function", "phase"],
            )?,
            starts: counter(
                "stoker_starts_total",
                "Starts of instances, by result.",
                &["function", "result"],
            )?,
            exits: counter(
                "stoker_exits_total",
                "Instances that ended, by whether Stoker wanted it.",
                &["function", "wanted"],
            )?,
            instances: gauge(
                "stoker_instances",
                "Instances now, by state.",
                &["function", "state"],
            )?,
            waiting: gauge(
                "stoker_waiting_requests",
                "Requests waiting now.",
                &["function"],
            )?,
            in_flight: gauge(
                "stoker_in_flight_requests",
                "Slots in use now.",
                &["function"],
            )?,
            desired: gauge(
                "stoker_desired_instances",
                "Instances wanted now.",
                &["function"],
            )?,
            unrouted: counter(
                "stoker_unrouted_requests_total",
                "Requests answered by the gateway before a function was found.",
                &["code"],
            )?,
            registry,
        })
    }

    /// The text exposition, with `views` for the gauges.
    ///
    /// # Errors
    /// If a metric cannot be encoded.
    pub fn encode<'a>(
        &self,
        views: impl IntoIterator<Item = (&'a str, FunctionView)>,
    ) -> Result<String, prometheus::Error> {
        for gauge in [
            &self.instances,
            &self.waiting,
            &self.in_flight,
            &self.desired,
        ] {
            gauge.reset();
        }
        for (function, view) in views {
            self.observe(function, &view);
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Counts what the scaler tells.
    pub fn note(&self, function: &str, notice: &Notice<'_>) {
        match notice {
            Notice::Started { timings, .. } => {
                self.starts.with_label_values(&[function, "ready"]).inc();
                for (phase, time) in [
                    ("prepare", timings.prepare),
                    ("spawn", timings.spawn),
                    ("listen", timings.listen),
                ] {
                    self.start
                        .with_label_values(&[function, phase])
                        .observe(time.as_secs_f64());
                }
            }
            Notice::StartFailed { .. } => {
                self.starts.with_label_values(&[function, "failed"]).inc();
            }
            Notice::Adopted { .. } => self.starts.with_label_values(&[function, "adopted"]).inc(),
            Notice::Exited { wanted, .. } => {
                let wanted = if *wanted { "yes" } else { "no" };
                self.exits.with_label_values(&[function, wanted]).inc();
            }
            Notice::Decided(_) => {}
        }
    }

    /// Counts an answer given before a function was found.
    pub(crate) fn unrouted(&self, status: StatusCode) {
        self.unrouted.with_label_values(&[status.as_str()]).inc();
    }

    pub(crate) fn function(&self, function: &Arc<str>) -> FunctionMetrics {
        let name: &str = function;
        let requests = |origin: &str| {
            CLASSES.map(|class| self.requests.with_label_values(&[name, class, origin]))
        };
        let timings = |start: &str| Timings {
            duration: self.duration.with_label_values(&[name, start]),
            first_byte: self.first_byte.with_label_values(&[name, start]),
            queue: self.queue.with_label_values(&[name, start]),
        };
        FunctionMetrics {
            function: Arc::clone(function),
            from_function: requests("function"),
            from_gateway: requests("gateway"),
            incomplete: self
                .requests
                .with_label_values(&[name, "none", "incomplete"]),
            bytes: self.bytes.with_label_values(&[name]),
            warm: timings("warm"),
            cold: timings("cold"),
        }
    }

    fn observe(&self, function: &str, view: &FunctionView) {
        for (state, name) in [
            (InstanceState::Starting, "starting"),
            (InstanceState::Ready, "ready"),
            (InstanceState::Draining, "draining"),
            (InstanceState::Stopping, "stopping"),
        ] {
            let count = view
                .pool
                .instances
                .iter()
                .filter(|instance| instance.state == state)
                .count();
            self.instances
                .with_label_values(&[function, name])
                .set(count as i64);
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

/// One request that reached a function, counted when this is dropped.
pub(crate) struct Record {
    metrics: Arc<OnceLock<FunctionMetrics>>,
    arrived: Instant,
    cold: bool,
    status: StatusCode,
    bytes: u64,
    complete: bool,
}

impl Record {
    /// `metrics` must have been set.
    pub(crate) fn new(
        metrics: &Arc<OnceLock<FunctionMetrics>>,
        phases: &crate::phases::Phases,
        cold: bool,
        status: StatusCode,
    ) -> Self {
        if let Some(metrics) = metrics.get() {
            let timings = metrics.timings(cold);
            timings.queue.observe(phases.queue.as_secs_f64());
            let first_byte: Duration = phases.queue + phases.connect + phases.first_byte;
            timings.first_byte.observe(first_byte.as_secs_f64());
        }
        let metrics = Arc::clone(metrics);
        Record {
            metrics,
            arrived: phases.arrived,
            cold,
            status,
            bytes: 0,
            complete: false,
        }
    }

    pub(crate) fn add_bytes(&mut self, count: usize) {
        self.bytes += count as u64;
    }

    /// The whole answer was handed over.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    pub(crate) fn function(&self) -> &str {
        self.metrics.get().map_or("", |metrics| &metrics.function)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(metrics) = self.metrics.get() else {
            return;
        };
        metrics.bytes.inc_by(self.bytes);
        if self.complete {
            metrics.from_function[class(self.status)].inc();
            let duration = self.arrived.elapsed();
            metrics
                .timings(self.cold)
                .duration
                .observe(duration.as_secs_f64());
        } else {
            metrics.incomplete.inc();
        }
    }
}

impl FunctionMetrics {
    /// Counts an answer that the gateway gave in the function's place.
    pub(crate) fn problem(&self, status: StatusCode) {
        self.from_gateway[class(status)].inc();
    }

    fn timings(&self, cold: bool) -> &Timings {
        if cold { &self.cold } else { &self.warm }
    }
}

/// The place of a status among [`CLASSES`]; odd ones count as 5xx.
fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).wrapping_sub(1).min(4)
}
