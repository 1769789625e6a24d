//! What Prometheus sees.

mod families;
mod record;

use std::sync::Arc;

use http::StatusCode;
use prometheus::{Encoder, HistogramVec, IntCounterVec, Registry, TextEncoder};
use stoker_scaler::{FunctionView, Notice};

use crate::overload::Shed;
use families::{Families, Gauges};
use record::{CLASSES, Timings};

pub(crate) use record::{FunctionMetrics, Record};

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
    unrouted: IntCounterVec,
    shed: Shed,
    shed_total: IntCounterVec,
    gauges: Gauges,
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// If two metrics have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let families = Families::default();
        let by_start = &["function", "start"];
        Ok(Metrics {
            requests: families.counter(
                "stoker_requests_total",
                "Requests by class of status and by who answered: function, gateway, or incomplete.",
                &["function", "code", "origin"],
            )?,
            bytes: families.counter(
                "stoker_response_bytes_total",
                "Bytes of bodies sent.",
                &["function"],
            )?,
            duration: families.histogram(
                "stoker_request_duration_seconds",
                "From the arrival of a request to the end of its answer.",
                by_start,
            )?,
            first_byte: families.histogram(
                "stoker_first_byte_seconds",
                "From the arrival of a request to the head of its answer.",
                by_start,
            )?,
            queue: families.histogram(
                "stoker_queue_duration_seconds",
                "From the arrival of a request to its slot.",
                by_start,
            )?,
            start: families.histogram(
                "stoker_start_duration_seconds",
                "Parts of the starts of instances.",
                &["function", "phase"],
            )?,
            starts: families.counter(
                "stoker_starts_total",
                "Starts of instances, by result.",
                &["function", "result"],
            )?,
            exits: families.counter(
                "stoker_exits_total",
                "Instances that ended, by whether Stoker wanted it.",
                &["function", "wanted"],
            )?,
            unrouted: families.counter(
                "stoker_unrouted_requests_total",
                "Requests answered by the gateway before a function was found.",
                &["code"],
            )?,
            shed: Shed::default(),
            shed_total: families.counter(
                "stoker_shed_total",
                "Connections and requests turned away for the gateway itself had too much to do.",
                &["reason"],
            )?,
            gauges: Gauges::new(&families)?,
            registry: families.registry,
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
        self.gauges.reset();
        for (function, view) in views {
            self.gauges.set(function, &view);
        }
        self.shed_total.reset();
        for (reason, count) in self.shed.read() {
            self.shed_total.with_label_values(&[reason]).inc_by(count);
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

    /// What was turned away.
    pub(crate) fn shed(&self) -> &Shed {
        &self.shed
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
}
