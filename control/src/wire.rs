//! The admin API's JSON, as server and client share it.

mod explain;
mod history;
mod policy;
mod record;
mod registry;
mod starts;
mod stats;
mod usage;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use explain::{Counterfactual, ExplainedInstance, Explanation, Outcome, ShadowInfo};
pub use history::{FunctionHistory, History};
pub use policy::{PolicyHistory, PolicyVersion};
pub use record::{RecordEvent, RecordLine};
pub use registry::{
    AliasInfo, AliasRequest, AuditRecord, CodeFile, FilesDiff, InvokeAnswer, InvokeRequest, Phase,
    PublishRequest, Published, RevisionDetail, RevisionDiff, RevisionSummary, RollbackRequest,
    SecretPlace, SecretRequest, SecretSummary, Sticky, Traffic, Weight, ZipDeployLine,
    ZipDeployment,
};
pub use starts::{StartInfo, StartedInfo};
pub use stats::{FunctionStats, Latencies, Stats};
pub use usage::{Budget, BudgetInfo, Usage, UsageInfo};

/// A function in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionSummary {
    /// Its name.
    pub name: String,
    /// A hash of what is launched.
    pub revision: String,
    /// `on-arrival` or `kpa`.
    pub policy: String,
    /// Path of its default route.
    pub url: String,
    /// Requests at once per instance.
    pub concurrency: u32,
    /// Never fewer instances.
    pub min_scale: u32,
    /// Never more instances.
    pub max_scale: u32,
    /// Its instances by state.
    pub states: States,
    /// Those that are starting but do not begin yet, for the machine has no room.
    #[serde(default)]
    pub held_starts: Option<HeldStarts>,
    /// Requests in instances.
    pub in_flight: u32,
    /// Requests waiting for one.
    pub waiting: u32,
    /// How long a request that comes now would wait; `null` while too little was measured.
    #[serde(default)]
    pub expected_wait_ms: Option<f64>,
    /// Instances that the policy or an operator wants.
    pub desired: u32,
    /// The number that an operator holds it at.
    pub scale_override: Option<u32>,
    /// The last failed start since the last good one.
    pub last_failure: Option<Failure>,
    /// Processes that wait to become an instance of it; Node functions may share them.
    #[serde(default)]
    pub spares: u32,
    /// How much of its budget is used, if it has one.
    #[serde(default)]
    pub budget: Option<BudgetUse>,
}

impl FunctionSummary {
    /// Whether it has instances or requests, or wants instances.
    pub fn is_active(&self) -> bool {
        self.states != States::default() || self.in_flight + self.waiting + self.desired > 0
    }
}

/// Instances by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct States {
    /// On their way.
    pub starting: u32,
    /// Take requests, or are set aside.
    pub ready: u32,
    /// Finish what they have.
    pub draining: u32,
    /// Were told to end.
    pub stopping: u32,
    /// Of those that are ready, the ones that are set aside for they failed, or on trial.
    #[serde(default)]
    pub aside: u32,
    /// Of those that are ready, the ones that are frozen.
    #[serde(default)]
    pub frozen: u32,
}

/// How much of a budget is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetUse {
    /// 1 is all of it; more than that if more was used.
    pub used_ratio: f64,
    /// As much was used as a warning is given for.
    pub warned: bool,
    /// Why requests are refused, if they are.
    pub stopped: Option<String>,
}

/// Starts that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldStarts {
    /// How many.
    pub count: u32,
    /// What the first of them waits for: `at-once`, `rate` or `memory`.
    pub reason: String,
}

/// Failed starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// `not-executable`, `exited`, `never-listened` or `resources`.
    pub kind: String,
    /// What happened, in words.
    pub detail: String,
    /// How many in a row.
    pub count: u32,
}

/// All about a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionDetail {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: FunctionSummary,
    /// Where its manifest is.
    pub manifest: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Besides the default route.
    pub routes: Vec<Route>,
    /// Oldest first.
    pub instances: Vec<InstanceInfo>,
    /// How long the oldest waiting request has been waiting.
    pub oldest_wait_ms: Option<f64>,
    /// No start within this time, for starts have failed.
    pub backoff_ms: Option<f64>,
    /// The last answer of the policy.
    pub decision: Option<DecisionInfo>,
}

/// One route to a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// `null` for any.
    pub host: Option<String>,
    /// The path's pattern.
    pub path: String,
    /// Empty for all.
    pub methods: Vec<String>,
    /// Whether the function sees the path without the pattern's literal prefix.
    pub strip_prefix: bool,
}

/// Why there are as many instances as there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionInfo {
    /// Instances wanted.
    pub desired: u32,
    /// What would be wanted without the bound that won, and with all others.
    #[serde(default)]
    pub unclamped: u32,
    /// `stable` or `panic`.
    pub mode: String,
    /// The bound that changed the answer last.
    pub clamp: String,
    /// Every term, in one sentence.
    pub why: String,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceInfo {
    /// `12-3`.
    pub id: String,
    /// Its function.
    pub function: String,
    /// What it runs.
    pub revision: String,
    /// `starting`, `ready`, `draining` or `stopping`; `frozen` if it is ready but gets no CPU until
    /// its next request, `aside` if it is ready but failed again and again, `trial` while one
    /// request tries whether it works again.
    pub state: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Where it is reached.
    pub endpoint: Option<String>,
    /// Since it was asked for or adopted.
    pub age_seconds: f64,
    /// Since it entered its state.
    pub state_seconds: f64,
    /// Since its last request ended; `null` if it has one.
    pub idle_seconds: Option<f64>,
    /// Requests that it has.
    pub in_use: u32,
    /// Requests that it had.
    pub served: u64,
    /// Where the time of its start went; `null` if it is not up yet or was adopted.
    pub start: Option<StartInfo>,
    /// How it came to be: `exec`, `fork`, `spare` or `cell`; `null` in the same cases.
    #[serde(default)]
    pub start_kind: Option<String>,
}

/// A process that is kept ready for the next starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreparedInfo {
    /// `parent` forks; a `spare` or a `cell` waits to become an instance.
    pub kind: String,
    /// Whose instances it is for; Node functions may share cells.
    pub functions: Vec<String>,
    /// `python` or `node`.
    pub runtime: String,
    /// `loading`, `ready`, `waiting`; `failed` if there is no process for this cause.
    pub state: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Its own memory and its part of what it shares, as far as the kernel tells.
    pub memory_bytes: Option<u64>,
    /// Why it failed last.
    pub failure: Option<String>,
}

/// Instances, and what is kept ready for more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Processes {
    /// Oldest first.
    pub instances: Vec<InstanceInfo>,
    /// By function.
    pub prepared: Vec<PreparedInfo>,
}

/// The answer to an eviction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evicted {
    /// Instances that were told to go.
    pub evicted: u32,
    /// Those of them that are not gone yet.
    pub left: Vec<InstanceInfo>,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// New functions.
    pub added: Vec<String>,
    /// Functions whose new revision takes over.
    pub replaced: Vec<String>,
    /// Functions whose settings changed under running instances.
    pub changed: Vec<String>,
    /// Functions that are gone.
    pub removed: Vec<String>,
    /// Files of certificates that are new or changed.
    pub certificates: Vec<String>,
    /// Settings that take effect with the next start only.
    pub needs_restart: Vec<String>,
}

/// Whether all is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `alive` or `ready`.
    pub status: String,
}

/// How many instances are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleRequest {
    /// At most the function's `max_scale`; `null` for what the policy wants.
    #[schemars(required, extend("type" = ["integer", "null"]))]
    pub desired: Option<u32>,
}

/// Who is to take over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// The program, absolute; by default the path that the gateway was started from.
    pub binary: Option<String>,
}

/// Another gateway has taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upgraded {
    /// Its process.
    pub pid: u32,
}

/// The gateway itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayInfo {
    /// Of the program.
    pub version: String,
    /// Where callers connect, and in brackets what is asked of them beyond plain HTTP.
    pub listen: Vec<String>,
    /// What every default route begins with.
    pub prefix: String,
    /// How many functions there are.
    pub functions: usize,
    /// The configuration in the files.
    pub configuration: ConfigurationInfo,
}

/// The configuration in the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationInfo {
    /// The gateway's file.
    pub file: String,
    /// What is wrong with it; then the former one is in force.
    pub errors: Vec<String>,
}

/// A key, without what would open anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeySummary {
    /// The key begins with `stk_` and this.
    pub id: String,
    /// Two keys share it while one replaces the other.
    pub name: String,
    /// `function`, `host` or `master`.
    pub scope: String,
    /// The function that it opens, if only one.
    pub function: Option<String>,
    /// In seconds since 1970.
    pub created: u64,
    /// The same; `null` if it does not expire.
    pub expires: Option<u64>,
    /// Whether it opens nothing any more.
    pub expired: bool,
}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedKey {
    /// What it is.
    #[serde(flatten)]
    pub summary: KeySummary,
    /// The key itself, which is told only now.
    pub key: String,
}

/// Without the key itself, so that no log ever shows it.
impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// What a new key is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// `function`, `host` or `master`.
    pub scope: String,
    /// Which, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// `default` if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds from now on; for ever if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// How a key is to be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationRequest {
    /// Seconds that the old key stays valid; a day if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<u64>,
}

/// A problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemDocument {
    /// `urn:stoker:problem:…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, in words.
    pub title: String,
    /// The status of the response.
    pub status: u16,
    /// What happened here.
    pub detail: String,
    /// Each thing that is wrong with the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}
