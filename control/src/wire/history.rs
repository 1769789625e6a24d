//! What functions did of late.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What functions did of late, look by look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Whether anything is remembered, as `history.enabled` says.
    pub enabled: bool,
    /// Between two looks, as `history.interval` says.
    pub interval_ms: u64,
    /// What is older is forgotten, as `history.keep` says.
    pub keep_ms: u64,
    /// When it was looked, the oldest first, in milliseconds since 1970. Where two are further apart
    /// than `interval_ms`, nobody looked.
    pub looks_ms: Vec<u64>,
    /// By name, each that did something or had instances at one of them.
    pub functions: Vec<FunctionHistory>,
}

/// One function: every list has as many values as `looks`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionHistory {
    /// Its name.
    pub function: String,
    /// Places in `looks_ms`, rising. At the others it had no instance and no request.
    pub looks: Vec<u32>,
    /// Requests that ended since the look before, per second.
    pub rate: Vec<f32>,
    /// Of these, answers of 5xx and requests that did not come to their end, per second.
    pub errors: Vec<f32>,
    /// Requests that were answered after they had waited for a start, per second.
    pub cold: Vec<f32>,
    /// Half of the others had the head of their answer within so long; `null` if there was none.
    pub p50_ms: Vec<Option<f32>>,
    /// The same of 99 in 100.
    pub p99_ms: Vec<Option<f32>>,
    /// Instances at that time, without those that were told to end.
    pub instances: Vec<u32>,
    /// Requests that waited for an instance at that time.
    pub waiting: Vec<u32>,
    /// Requests in instances at that time.
    pub in_flight: Vec<u32>,
}

impl FunctionHistory {
    /// Of nothing so far.
    pub fn new(function: &str) -> Self {
        FunctionHistory {
            function: function.to_owned(),
            ..FunctionHistory::default()
        }
    }
}
