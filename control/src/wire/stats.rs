//! Counters of requests, for `stoker top`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use stoker_gateway::{FunctionStats, Latencies};

/// What the gateway has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// When the gateway's counters began, in milliseconds since 1970: another number means that
    /// they begin anew.
    pub since_ms: u64,
    /// One per revision with series of its own, at most a few more than `metrics.functions`; the
    /// others are in one that is named `_other`.
    pub functions: Vec<FunctionStats>,
}
