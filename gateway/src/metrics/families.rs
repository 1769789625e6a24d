//! Making metrics, and the families that have series per function and revision.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use super::frost::Frost;

/// Upper bounds in seconds: from 50 microseconds, for a warm answer is that quick.
pub(super) const BUCKETS: [f64; 20] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
    2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// The same for parts of a start: fewer, for there are eight parts.
const PART_BUCKETS: [f64; 13] = [
    0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0,
];

type Result<T> = std::result::Result<T, prometheus::Error>;

/// Makes metrics and registers them.
#[derive(Default)]
pub(super) struct Families {
    pub(super) registry: Registry,
}

impl Families {
    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.register(IntCounter::new(name, help)?)
    }

    /// One that has fractions.
    pub(super) fn amount(&self, name: &str, help: &str) -> Result<Counter> {
        self.register(Counter::new(name, help)?)
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        self.register(HistogramVec::new(options, labels)?)
    }

    /// Of parts of something, which are many.
    fn parts(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(PART_BUCKETS.to_vec());
        self.register(HistogramVec::new(options, labels)?)
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// Those that have fractions.
    pub(super) fn levels(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    /// One that has fractions.
    pub(super) fn level(&self, name: &str, help: &str) -> Result<Gauge> {
        self.register(Gauge::new(name, help)?)
    }

    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// The families with series per function and revision, besides the gauges.
pub(super) struct PerRevision {
    pub(super) requests: IntCounterVec,
    pub(super) problems: IntCounterVec,
    pub(super) request_bytes: IntCounterVec,
    pub(super) response_bytes: IntCounterVec,
    pub(super) duration: HistogramVec,
    pub(super) first_byte: HistogramVec,
    pub(super) queue: HistogramVec,
    pub(super) start: HistogramVec,
    pub(super) starts: IntCounterVec,
    pub(super) start_kinds: IntCounterVec,
    pub(super) start_failures: IntCounterVec,
    pub(super) exits: IntCounterVec,
    pub(super) evictions: IntCounterVec,
    pub(super) frost: Frost,
}

impl PerRevision {
    pub(super) fn new(families: &Families) -> Result<Self> {
        let own: &[&str] = &["function", "revision"];
        let by_start: &[&str] = &["function", "revision", "start"];
        let [starts, start_kinds, start_failures] = starts(families)?;
        Ok(PerRevision {
            requests: families.counters(
                "stoker_requests_total",
                "Requests by class of status and by who answered: function, gateway, or incomplete.",
                &["function", "revision", "code", "origin"],
            )?,
            problems: families.counters(
                "stoker_problems_total",
                "The gateway's own answers, by the last part of their type.",
                &["function", "revision", "problem"],
            )?,
            request_bytes: families.counters(
                "stoker_request_bytes_total",
                "Bytes of bodies that functions were sent.",
                own,
            )?,
            response_bytes: families.counters(
                "stoker_response_bytes_total",
                "Bytes of bodies that functions answered with.",
                own,
            )?,
            duration: families.histograms(
                "stoker_request_duration_seconds",
                "From the arrival of a request to the end of its answer.",
                by_start,
            )?,
            first_byte: families.histograms(
                "stoker_first_byte_seconds",
                "From the arrival of a request to the head of its answer.",
                by_start,
            )?,
            queue: families.histograms(
                "stoker_queue_duration_seconds",
                "From the arrival of a request to its slot.",
                by_start,
            )?,
            start: parts_of_starts(families)?,
            starts,
            start_kinds,
            start_failures,
            exits: families.counters(
                "stoker_exits_total",
                "Instances that ended, by whether Stoker wanted it.",
                &["function", "revision", "wanted"],
            )?,
            evictions: families.counters(
                "stoker_evictions_total",
                "Instances that an operator told to go.",
                own,
            )?,
            frost: Frost::new(families)?,
        })
    }
}

/// Starts by result, by kind, and those that failed.
fn starts(families: &Families) -> Result<[IntCounterVec; 3]> {
    Ok([
        families.counters(
            "stoker_starts_total",
            "Starts of instances, by result.",
            &["function", "revision", "result"],
        )?,
        families.counters(
            "stoker_starts_by_kind_total",
            "Starts of instances that came up, by how they were made: exec, fork, spare, cell.",
            &["function", "revision", "kind"],
        )?,
        families.counters(
            "stoker_start_failures_total",
            "Starts that failed, by kind.",
            &["function", "revision", "kind"],
        )?,
    ])
}

fn parts_of_starts(families: &Families) -> Result<HistogramVec> {
    families.parts(
        "stoker_start_duration_seconds",
        "Parts of cold starts: of the starts of instances, and of the requests that waited for one.",
        &["function", "revision", "phase"],
    )
}
