//! What is published, and how it is built.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::GatewaySpec;

/// What a package may come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackagesSpec {
    /// Length of the archive, as it is sent.
    pub archive_bytes: u64,
    /// Length of all files, unpacked.
    pub total_bytes: u64,
    /// Length of one file.
    pub file_bytes: u64,
    /// Times that the files may be longer than the archive.
    pub ratio: u32,
    /// Files, directories and links.
    pub entries: u32,
    /// Length of a path.
    pub path_bytes: usize,
    /// Parts of a path.
    pub depth: usize,
}

/// Whom builds run as if the gateway is root and nobody says otherwise.
pub const BUILD_USER: &str = "nobody";

/// How packages are built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildsSpec {
    /// Whether they are at all.
    pub enabled: bool,
    /// Whom they run as; `None`: [`BUILD_USER`] if the gateway is root, else the gateway's user.
    pub user: Option<String>,
    /// For one build.
    pub timeout: Duration,
    /// Of all its processes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Of the code and of temporary files.
    pub disk_bytes: u64,
    /// Number of these.
    pub entries: u64,
    /// Free where the state directory is; with less a build is ended.
    pub disk_reserve_bytes: u64,
    /// Kept of what it prints.
    pub output_bytes: usize,
    /// It is kept apart, or fails.
    pub isolated: bool,
    /// What it sees besides the contract's variables.
    pub environment: BTreeMap<String, String>,
}

/// What makes code of a package that can be launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSpec {
    /// The program and its arguments, executed in the manifest's directory; at least one.
    pub command: Vec<String>,
    /// One of these files must be there; none of them if it is empty.
    pub needs: &'static [&'static str],
}

impl GatewaySpec {
    /// Where builds have their spawner and their temporary files.
    pub fn build_dir(&self) -> PathBuf {
        self.state_dir.join("build")
    }
}
