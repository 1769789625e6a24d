//! Why a function has the instances that it has, and what other settings would give.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DecisionInfo;

/// Why a function has, or had, as many instances as it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Its name.
    pub function: String,
    /// The time that this is about, in microseconds since 1970.
    pub at_us: u64,
    /// The reasons, for people.
    pub sentences: Vec<String>,
    /// The decision in force.
    pub decision: Option<DecisionInfo>,
    /// Each of them, oldest first.
    pub instances: Vec<ExplainedInstance>,
    /// What other settings would have given, if that was asked for.
    #[serde(default)]
    pub counterfactual: Option<Counterfactual>,
    /// How the policy in the shadow fares, if there is one.
    #[serde(default)]
    pub shadow: Option<ShadowInfo>,
}

/// One instance, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedInstance {
    /// `12-3`.
    pub id: String,
    /// As `ps` shows it.
    pub state: String,
    /// What it does, until when, and why it is there.
    pub sentence: String,
}

/// The last hour, or what is recorded of it, under other settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counterfactual {
    /// The settings that differ, as on the command line.
    pub changes: String,
    /// The time that was replayed.
    pub seconds: f64,
    /// What really happened.
    pub recorded: Outcome,
    /// The settings in force, replayed.
    pub actual: Outcome,
    /// The other settings, replayed.
    pub changed: Outcome,
}

/// How requests fared and what that cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Requests.
    pub requests: u64,
    /// Those that waited.
    pub delayed: u64,
    /// Those that got no slot.
    pub refused: u64,
    /// Half of the requests waited no longer; `null` if there are none or so many were refused.
    pub wait_p50_ms: Option<f64>,
    /// 99 % of them waited no longer.
    pub wait_p99_ms: Option<f64>,
    /// Nobody who was served waited longer.
    pub wait_max_ms: f64,
    /// Instances that were started.
    pub starts: u64,
    /// Instances times the time that they were there.
    pub instance_seconds: f64,
}

/// A policy in the shadow, beside the one in force, over the same requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShadowInfo {
    /// `goal`, for example.
    pub policy: String,
    /// Since when, in seconds.
    pub seconds: f64,
    /// Instances that it has now.
    pub instances: u32,
    /// What would be.
    pub shadow: Outcome,
    /// What is.
    pub live: Outcome,
}
