//! What was measured, as it is kept in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Histogram;

/// The form of the file; another number is another form.
pub const FORMAT: u32 = 1;

/// One run of `stoker bench`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The version that measured.
    pub stoker: String,
    /// `cold`, `warm`, `step`, `burst`, `soak`, `drain` or `replay`.
    pub mode: String,
    /// The command line, without secrets.
    pub command: Vec<String>,
    /// What was called.
    pub url: String,
    /// When it began, as in RFC 3339, UTC.
    pub begun: String,
    /// Where it ran.
    pub machine: Machine,
    /// Every setting that was in force, by its option's name.
    pub settings: BTreeMap<String, String>,
    /// What was measured, in the order in which people read it. Cold and warm requests never share
    /// a series.
    pub series: Vec<Series>,
    /// Instances and queue over time; empty if the target does not tell.
    pub timeline: Vec<Moment>,
    /// What a reader must know: what was left out, what the machine did meanwhile.
    pub notes: Vec<String>,
}

/// The machine, as far as it matters to figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// As the kernel calls it.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The distribution.
    pub system: String,
    /// What else may matter: governor, turbo, mitigations, hypervisor, load before the run.
    pub more: BTreeMap<String, String>,
}

/// Requests of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// `cold`, `warm`, `step-3`: what conditions and comparisons call it.
    pub name: String,
    /// Independent of each other, so that their spread says how sure a figure is.
    pub repetitions: Vec<Repetition>,
}

/// One repetition of one series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// Requests that were answered and belong here.
    pub answered: u64,
    /// Requests that failed, by what failed: `status 503`, `timeout`, `connect`, `reset`.
    pub failed: BTreeMap<String, u64>,
    /// Samples of the wrong kind, by why: `warm` among cold ones.
    pub discarded: BTreeMap<String, u64>,
    /// Requests that the generator sent later than it should have. Their samples are kept, lateness
    /// included: to drop them would hide what made it late.
    #[serde(default)]
    pub late: u64,
    /// Requests per second that were scheduled, if they were.
    pub offered_per_s: Option<f64>,
    /// From the first scheduled arrival to the last answer, seconds.
    pub elapsed_s: f64,
    /// From the scheduled arrival to the first byte of the answer.
    pub first_byte: Histogram,
    /// From the scheduled arrival to the end of the answer.
    pub total: Histogram,
    /// Where the target says the time went, by the names of its `Server-Timing`.
    pub phases: BTreeMap<String, Histogram>,
    /// What else was measured, by name: `ratio` of a burst to the ideal schedule, `rss_bytes` of the
    /// gateway at the end. The name ends in the unit; one without is a bare number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

/// The state of the target at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since the run began.
    pub at_ms: f64,
    /// Instances that are on their way.
    pub starting: u32,
    /// Instances that take requests.
    pub ready: u32,
    /// Instances that finish what they have.
    pub draining: u32,
    /// Instances that are frozen.
    pub frozen: u32,
    /// Requests that wait.
    pub waiting: u32,
    /// Requests in flight.
    pub in_flight: u32,
}
