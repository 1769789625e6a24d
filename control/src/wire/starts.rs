//! Starts of instances, and where their time went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the time of a start went; each part follows the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartInfo {
    /// From the decision that the instance is needed until the start began.
    #[serde(default)]
    pub decide_ms: f64,
    /// Held before anything was done, for the machine had no room.
    #[serde(default)]
    pub gate_ms: f64,
    /// Sockets, ports, directories, and the request to the spawner.
    pub prepare_ms: f64,
    /// Until the spawner had the request.
    pub spawn_ms: f64,
    /// Until the child was about to execute the program.
    #[serde(default)]
    pub clone_ms: f64,
    /// Until the kernel had loaded the program.
    #[serde(default)]
    pub exec_ms: f64,
    /// From then until it took requests; nothing if it inherited its socket.
    pub listen_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

/// A start that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartedInfo {
    /// `12-3`.
    pub instance: String,
    /// Its function.
    pub function: String,
    /// What it runs.
    pub revision: String,
    /// When the start ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// `request` if requests waited when it was decided, else `policy`.
    pub cause: String,
    /// `ready`, or the kind of its failure: `not-executable`, `exited`, `never-listened` or
    /// `resources`.
    pub result: String,
    /// Why it failed, in words.
    pub detail: Option<String>,
    /// The process, if it runs or ran.
    pub pid: Option<u32>,
    /// From the decision to the end of the start.
    pub total_ms: f64,
    /// Where that went; `null` if it failed.
    pub phases: Option<StartInfo>,
    /// The first answer to a request that had waited for it: from the slot to the connection;
    /// `null` if there is none.
    pub connect_ms: Option<f64>,
    /// The same: from the connection to the head of the answer.
    pub first_byte_ms: Option<f64>,
}
