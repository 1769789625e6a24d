//! The record of what happened, line by line.

use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordLine {
    /// When, in microseconds since 1970; of a request, when it ended.
    pub at_us: u64,
    /// To which function.
    pub function: String,
    /// Which revision of it.
    pub revision: String,
    /// What.
    #[serde(flatten)]
    pub event: RecordEvent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RecordEvent {
    /// A request was served.
    Request {
        /// From its arrival until it had a slot of an instance that runs.
        waited_ms: f64,
        /// From then to its end.
        service_ms: f64,
        /// `answered`, `failed` or `unknown`.
        outcome: String,
        /// The first one of its instance.
        first: bool,
    },
    /// A request got no slot.
    Refused {
        /// How long it waited for that.
        waited_ms: f64,
        /// `queue-full`, `too-late`, `expired`, `start-failed`, `shutting-down` or `cancelled`.
        cause: String,
    },
    /// An instance takes requests.
    Started {
        /// Which.
        instance: String,
        /// Since it was asked for.
        took_ms: f64,
        /// `request` if requests waited for it, else `policy`.
        cause: String,
    },
    /// An instance did not come up.
    StartFailed {
        /// Which.
        instance: String,
        /// Since it was asked for.
        took_ms: f64,
    },
    /// Another number of instances is wanted, or the mode is another one.
    Decided {
        /// Instances wanted.
        desired: u32,
        /// What would have been wanted without the bound that won.
        unclamped: u32,
        /// That bound.
        clamp: String,
        /// `stable` or `panic`.
        mode: String,
        /// Instances that took requests.
        ready: u32,
        /// Instances on their way.
        starting: u32,
        /// Requests in flight.
        in_flight: u32,
        /// Requests waiting.
        waiting: u32,
        /// Average load over the stable window; `null` if the policy does not look at it.
        stable_load: Option<f64>,
        /// The same over the panic window.
        panic_load: Option<f64>,
        /// Every term, in one sentence.
        why: String,
    },
    /// An instance gets no more requests.
    Ending {
        /// Which.
        instance: String,
        /// `policy`, `operator`, `evicted`, `memory`, `unhealthy`, `settings`, `retired` or
        /// `itself`.
        why: String,
    },
    /// An instance is gone.
    Ended {
        /// Which.
        instance: String,
        /// Since it was asked for or adopted.
        lived_ms: f64,
    },
}
