//! What is known of policies that are tried beside those in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A policy that is tried, and the one in force, over the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ShadowStatus {
    /// Its name.
    pub policy: String,
    /// How long it has been tried.
    pub age: Duration,
    /// What it would do.
    pub shadow: Fare,
    /// What the policy in force does.
    pub live: Fare,
}

/// How requests fare and what that costs, since the trial began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fare {
    /// Requests.
    pub requests: u64,
    /// Those that waited and got a slot.
    pub delayed: u64,
    /// Those that got none.
    pub refused: u64,
    /// Half of them waited no longer.
    pub wait_p50: Duration,
    /// 99 % of them waited no longer.
    pub wait_p99: Duration,
    /// None that got a slot waited longer.
    pub wait_max: Duration,
    /// Instances started.
    pub starts: u64,
    /// Instances now.
    pub instances: u32,
    /// Instances times time.
    pub instance_seconds: f64,
}

/// By the function's name.
pub type Shadows = BTreeMap<Arc<str>, ShadowStatus>;
