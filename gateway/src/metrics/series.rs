//! The series of one revision of a function, found once and then only counted.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus::{Histogram, IntCounter};
use stoker_core::FailureKind;
use stoker_scaler::Notice;
use stoker_scaler::driver::{StartKind, StartTimings};

use super::families::PerRevision;

/// The classes of status codes, as labels.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Who made an answer that came to its end, as labels.
const ORIGINS: [&str; 2] = ["function", "gateway"];
/// What a request found, as labels.
pub(super) const WARMTHS: [&str; 3] = ["warm", "cold", "thawed"];

/// What a request found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Warmth {
    Warm,
    Cold,
    /// An instance that was frozen.
    Thawed,
}

const RESULTS: [&str; 3] = ["ready", "failed", "adopted"];
const KINDS: [&str; 4] = ["not-executable", "exited", "never-listened", "resources"];
/// What follows a start, as labels beside those of its phases.
const CONNECT: &str = "connect";
const FIRST_BYTE: &str = "first-byte";
const WANTED: [&str; 2] = ["no", "yes"];

/// The series of one revision of a function. Most appear with the first event that they count.
pub(crate) struct Series {
    pub(super) function: Arc<str>,
    pub(super) revision: Arc<str>,
    families: Arc<PerRevision>,
    from_function: [OnceLock<IntCounter>; 5],
    from_gateway: [OnceLock<IntCounter>; 5],
    incomplete: OnceLock<IntCounter>,
    request_bytes: IntCounter,
    response_bytes: IntCounter,
    timings: [OnceLock<Timings>; 3],
    /// By kind; kinds are few, and each is met for the first time once.
    problems: Mutex<Vec<(&'static str, IntCounter)>>,
}

/// The histograms of warm, of cold or of thawed requests.
pub(super) struct Timings {
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
    pub(super) queue: Histogram,
}

impl Series {
    pub(super) fn new(
        families: &Arc<PerRevision>,
        function: &Arc<str>,
        revision: &Arc<str>,
    ) -> Self {
        let own: &[&str] = &[function, revision];
        let series = Series {
            function: Arc::clone(function),
            revision: Arc::clone(revision),
            from_function: Default::default(),
            from_gateway: Default::default(),
            incomplete: OnceLock::new(),
            request_bytes: families.request_bytes.with_label_values(own),
            response_bytes: families.response_bytes.with_label_values(own),
            timings: Default::default(),
            problems: Mutex::default(),
            families: Arc::clone(families),
        };
        // What ratios and alerts are made of is there at zero, so that its first event is seen as
        // a rise.
        for class in [1, 3, 4] {
            series.requests(0, class);
        }
        series.requests(1, 4);
        series.incomplete();
        series.exits(false);
        series.starts(0);
        series.starts(1);
        series
    }

    /// The function's name.
    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    /// Counts the head of an answer of the function.
    pub(super) fn answered(&self, warmth: Warmth, queue: Duration, first_byte: Duration) {
        let timings = self.timings(warmth);
        timings.queue.observe(queue.as_secs_f64());
        timings.first_byte.observe(first_byte.as_secs_f64());
    }

    /// Counts what a cold request went through after the start.
    pub(super) fn first_answered(&self, connect: Duration, first_byte: Duration) {
        self.phase(CONNECT, connect);
        self.phase(FIRST_BYTE, first_byte);
    }

    /// Counts an answer of the function that came to its end.
    pub(super) fn completed(&self, status: StatusCode, warmth: Warmth, duration: Duration) {
        self.requests(0, class(status)).inc();
        self.timings(warmth)
            .duration
            .observe(duration.as_secs_f64());
    }

    /// Counts a request that did not come to its end.
    pub(super) fn interrupted(&self) {
        self.incomplete().inc();
    }

    pub(super) fn moved(&self, request_bytes: u64, response_bytes: u64) {
        self.request_bytes.inc_by(request_bytes);
        self.response_bytes.inc_by(response_bytes);
    }

    /// Counts an answer that the gateway gave in the function's place.
    pub(super) fn problem(&self, status: StatusCode, kind: &'static str) {
        self.requests(1, class(status)).inc();
        let mut problems = self.problems.lock();
        match problems.iter().find(|(name, _)| *name == kind) {
            Some((_, counter)) => counter.inc(),
            None => {
                let labels = [&*self.function, &*self.revision, kind];
                let counter = self.families.problems.with_label_values(&labels);
                counter.inc();
                problems.push((kind, counter));
            }
        }
    }

    /// Counts instances that an operator told to go.
    pub(super) fn evicted(&self, count: u64) {
        let labels: &[&str] = &[&self.function, &self.revision];
        self.families
            .evictions
            .with_label_values(labels)
            .inc_by(count);
    }

    /// Counts what the scaler tells.
    pub(super) fn note(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Started { timings, kind, .. } => {
                self.started(timings);
                let labels = [&*self.function, &*self.revision, kind.name()];
                self.families.start_kinds.with_label_values(&labels).inc();
            }
            Notice::StartFailed { failure, .. } => {
                self.starts(1).inc();
                let labels = [&*self.function, &*self.revision, kind(failure.kind)];
                self.families
                    .start_failures
                    .with_label_values(&labels)
                    .inc();
            }
            Notice::Adopted { .. } => self.starts(2).inc(),
            Notice::Exited { wanted, .. } => self.exits(*wanted).inc(),
            Notice::Frozen { .. } | Notice::Thawed { .. } | Notice::Relieved { .. } => {
                let own: &[&str] = &[&self.function, &self.revision];
                self.families.frost.note(own, notice);
            }
            Notice::CannotFreeze { .. } | Notice::Held { .. } | Notice::Decided(_) => {}
        }
    }

    /// Takes the series out of the exposition.
    pub(super) fn remove(&self) {
        let families = &self.families;
        let own: &[&str] = &[&self.function, &self.revision];
        let with = |more: &[&'static str]| [own, more].concat();
        // What is not there need not go.
        for class in CLASSES {
            for origin in ORIGINS {
                families
                    .requests
                    .remove_label_values(&with(&[class, origin]))
                    .ok();
            }
        }
        let incomplete = with(&["none", "incomplete"]);
        families.requests.remove_label_values(&incomplete).ok();
        for (kind, _) in &*self.problems.lock() {
            families.problems.remove_label_values(&with(&[kind])).ok();
        }
        for plain in [
            &families.request_bytes,
            &families.response_bytes,
            &families.evictions,
        ] {
            plain.remove_label_values(own).ok();
        }
        families.frost.remove(own);
        for start in WARMTHS {
            for family in [&families.duration, &families.first_byte, &families.queue] {
                family.remove_label_values(&with(&[start])).ok();
            }
        }
        for phase in StartTimings::PHASES
            .into_iter()
            .chain([CONNECT, FIRST_BYTE])
        {
            families.start.remove_label_values(&with(&[phase])).ok();
        }
        for (family, values) in [
            (&families.starts, &RESULTS[..]),
            (
                &families.start_kinds,
                &StartKind::ALL.map(StartKind::name)[..],
            ),
            (&families.start_failures, &KINDS[..]),
            (&families.exits, &WANTED[..]),
        ] {
            for value in values {
                family.remove_label_values(&with(&[value])).ok();
            }
        }
    }

    /// The number of requests by class, of the function and of the gateway.
    pub(super) fn counts(&self) -> [[u64; 5]; 2] {
        [&self.from_function, &self.from_gateway].map(|counters| {
            counters
                .each_ref()
                .map(|counter| counter.get().map_or(0, IntCounter::get))
        })
    }

    /// The number of requests that did not come to their end.
    pub(super) fn incomplete_count(&self) -> u64 {
        self.incomplete.get().map_or(0, IntCounter::get)
    }

    /// A number that rises with every request that is answered or ends.
    pub(super) fn activity(&self) -> u64 {
        let ended = self.counts().into_iter().flatten().sum::<u64>() + self.incomplete_count();
        let timings = self.timings.iter().filter_map(OnceLock::get);
        let answered = timings.map(|timings| timings.first_byte.get_sample_count());
        ended + answered.sum::<u64>()
    }

    /// The time to the first byte, if any was measured.
    pub(super) fn first_byte(&self, warmth: Warmth) -> Option<&Histogram> {
        let timings = self.timings[warmth as usize].get();
        timings.map(|timings| &timings.first_byte)
    }

    /// Starts that came up, and that did not.
    pub(super) fn start_counts(&self) -> (u64, u64) {
        (self.starts(0).get(), self.starts(1).get())
    }

    fn requests(&self, origin: usize, class: usize) -> &IntCounter {
        let counters = [&self.from_function, &self.from_gateway][origin];
        counters[class].get_or_init(|| {
            let labels = [
                &*self.function,
                &*self.revision,
                CLASSES[class],
                ORIGINS[origin],
            ];
            self.families.requests.with_label_values(&labels)
        })
    }

    fn incomplete(&self) -> &IntCounter {
        self.incomplete.get_or_init(|| {
            let labels = [&*self.function, &*self.revision, "none", "incomplete"];
            self.families.requests.with_label_values(&labels)
        })
    }

    fn starts(&self, result: usize) -> IntCounter {
        let labels = [&*self.function, &*self.revision, RESULTS[result]];
        self.families.starts.with_label_values(&labels)
    }

    fn exits(&self, wanted: bool) -> IntCounter {
        let labels = [
            &*self.function,
            &*self.revision,
            WANTED[usize::from(wanted)],
        ];
        self.families.exits.with_label_values(&labels)
    }

    fn started(&self, timings: &StartTimings) {
        self.starts(0).inc();
        for (phase, time) in StartTimings::PHASES.into_iter().zip(timings.phases()) {
            // Most starts are not held.
            if phase != "gate" || !time.is_zero() {
                self.phase(phase, time);
            }
        }
    }

    fn phase(&self, phase: &str, time: Duration) {
        let labels = [&*self.function, &*self.revision, phase];
        let histogram = self.families.start.with_label_values(&labels);
        histogram.observe(time.as_secs_f64());
    }

    fn timings(&self, warmth: Warmth) -> &Timings {
        self.timings[warmth as usize].get_or_init(|| {
            let start = WARMTHS[warmth as usize];
            let labels = [&*self.function, &*self.revision, start];
            Timings {
                duration: self.families.duration.with_label_values(&labels),
                first_byte: self.families.first_byte.with_label_values(&labels),
                queue: self.families.queue.with_label_values(&labels),
            }
        })
    }
}

/// The place of a status among [`CLASSES`]; odd ones count as 5xx.
fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).wrapping_sub(1).min(4)
}

fn kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NotExecutable => KINDS[0],
        FailureKind::Exited => KINDS[1],
        FailureKind::NeverListened => KINDS[2],
        FailureKind::Resources => KINDS[3],
    }
}
