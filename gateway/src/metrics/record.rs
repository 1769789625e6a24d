//! What is counted with every request.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::StatusCode;
use prometheus::{Histogram, IntCounter};

use crate::phases::Phases;

/// The classes of status codes, as labels.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The series of one function, found once.
pub(crate) struct FunctionMetrics {
    pub(super) function: Arc<str>,
    pub(super) from_function: [IntCounter; 5],
    pub(super) from_gateway: [IntCounter; 5],
    pub(super) incomplete: IntCounter,
    pub(super) bytes: IntCounter,
    pub(super) warm: Timings,
    pub(super) cold: Timings,
}

/// The histograms of warm or of cold requests.
pub(super) struct Timings {
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
    pub(super) queue: Histogram,
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
        phases: &Phases,
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
