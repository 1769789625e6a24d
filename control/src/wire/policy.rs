//! The policies that a function had.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The policies that a function had, apart from the versions of its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyHistory {
    /// Its name.
    pub function: String,
    /// Oldest first; the last one is in force.
    pub versions: Vec<PolicyVersion>,
    /// Live revisions that were published since with other settings of scaling, which hold for them.
    #[serde(default)]
    pub apart: Vec<u32>,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyVersion {
    /// From 1.
    pub number: u32,
    /// Since when it is in force, in milliseconds since 1970.
    pub at_ms: u64,
    /// `manifest`, `promoted`, `set` or `rolled-back`.
    pub source: String,
    /// The earlier version that it is, if it was rolled back to.
    pub of: Option<u32>,
    /// Keys of the manifest and their values that hold in place of the manifest's.
    pub changes: Vec<(String, String)>,
}
