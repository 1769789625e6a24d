//! What is published to the gateway, and where it is kept.

use std::path::PathBuf;
use std::time::Duration;

use super::GatewaySpec;

/// How much of what was published is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrySpec {
    /// The file of the key of the secrets; absolute; `None`: in the registry's directory.
    pub key_file: Option<PathBuf>,
    /// Revisions of each function that are kept though they are not in use, at least 1.
    pub keep_revisions: usize,
    /// How long these are kept after they were published or had traffic.
    pub keep_for: Duration,
    /// Between two collections of what is not kept.
    pub collect_interval: Duration,
    /// Revisions of each function that have an address without being in use, the newest, at least 1.
    pub addressable: usize,
    /// Of all packages and of their code together.
    pub max_bytes: u64,
    /// Packages that are published at the same time, at least 1.
    pub publishing: usize,
    /// Entries of the audit log, at least 1.
    pub audit_entries: u64,
}

impl GatewaySpec {
    /// Where published functions are kept.
    pub fn registry_dir(&self) -> PathBuf {
        self.state_dir.join("registry")
    }
}
