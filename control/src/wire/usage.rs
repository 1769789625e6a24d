//! What functions use, and how much they may.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was used in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// When it begins, RFC 3339.
    pub from: String,
    /// When it ends.
    pub to: String,
    /// What a row is of: `minute`, `hour`, `day` or `month`, in UTC.
    pub by: String,
    /// Of all costs; nothing if there are no prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// By time, function and revision.
    pub rows: Vec<UsageInfo>,
}

/// What one revision of a function used in one minute, hour, day or month.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageInfo {
    /// When that began, RFC 3339.
    pub start: String,
    /// The same, in milliseconds since 1970.
    pub start_ms: u64,
    /// The function's name; `_other` for what there was no room for in the ledger.
    pub function: String,
    /// The number of a published revision, `trial` for those that were started before they were
    /// published, else a hash of what is launched.
    pub revision: String,
    /// Requests that reached an instance.
    pub invocations: u64,
    /// Of those, the ones that failed: 5xx, cut short or not answered by the function.
    pub failures: u64,
    /// Of those, the ones that waited for a start.
    pub cold: u64,
    /// From the slot until the end of the answer, summed over requests.
    pub wall_ms: f64,
    /// CPU time of instances that came up, and all that they started.
    pub cpu_ms: f64,
    /// Instances that came up.
    pub starts: u64,
    /// What their starts took.
    pub cold_ms: f64,
    /// Time of instances that had a request, drained, or started.
    pub busy_ms: f64,
    /// Time of instances that had none and could run.
    pub idle_ms: f64,
    /// Time of instances that were frozen.
    pub frozen_ms: f64,
    /// Time of processes that were kept ready to become instances.
    pub spare_ms: f64,
    /// GB (2^30 bytes) times seconds, reserved by instances in any state.
    pub gb_seconds_reserved: f64,
    /// Of that, by those that were idle or frozen.
    pub gb_seconds_idle: f64,
    /// GB times seconds that instances used, as measured.
    pub gb_seconds_used: f64,
    /// GB times seconds of processes that were kept ready.
    pub gb_seconds_spare: f64,
    /// Copies of requests that were sent to it and whose answers nobody got; no invocations.
    #[serde(default)]
    pub mirrored: u64,
    /// Instances that did not come up.
    #[serde(default)]
    pub failed_starts: u64,
    /// CPU time of those, which is not in `cpu_ms`.
    #[serde(default)]
    pub failed_cpu_ms: f64,
    /// CPU time of processes that were kept ready, which is not in `cpu_ms`.
    #[serde(default)]
    pub spare_cpu_ms: f64,
    /// Of requests' bodies.
    pub bytes_in: u64,
    /// Of answers' bodies.
    pub bytes_out: u64,
    /// By the prices of now; nothing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// How much a function may use in a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// `day` or `month` of the calendar, in UTC; `month` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// In the currency of the prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<f64>,
    /// Requests that reach an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocations: Option<u64>,
    /// GB-seconds of instances that start or have a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gb_seconds: Option<f64>,
    /// From this part on a warning is given; 80 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_percentage: Option<f64>,
    /// Requests are refused when it is used up; true if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<bool>,
}

/// A budget and how much of it is used. Sent to change it, only `budget` is read: null goes back to
/// the manifest's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetInfo {
    /// Nothing is limited if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Who set it: `manifest` or `api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The part of it that is used in this period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_ratio: Option<f64>,
    /// Why requests are refused, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// When the period ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
}
