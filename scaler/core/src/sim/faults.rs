//! What goes wrong.

use crate::Timestamp;

/// Probabilities, each in [0, 1], and times of what goes wrong. The default is a perfect world.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Per start: it takes ten times as long.
    pub slow_start: f64,
    /// Per start: it does not begin at once, and is given up if it is not needed when it could.
    pub held_start: f64,
    /// Per start: it fails.
    pub failed_start: f64,
    /// Per failed start: it is one that never listened.
    pub never_listened: f64,
    /// Per grant: the instance ends in the middle of the request.
    pub exit: f64,
    /// Per grant: the instance is found unreachable.
    pub unhealthy: f64,
    /// Per start: the instance is one that fails requests.
    pub sick: f64,
    /// Per request on a sick instance: it fails.
    pub fail: f64,
    /// Per request: the caller leaves at some time before its patience ends, waiting or served.
    pub leave: f64,
    /// Per grant: the caller leaves in the very moment of the grant.
    pub leave_at_grant: f64,
    /// Per stop: the instance ignores it and must be killed.
    pub stubborn: f64,
    /// Per second: a tick that nobody ordered.
    pub early_tick: f64,
    /// When an operator evicts the instances.
    pub evictions: Vec<Timestamp>,
    /// When the machine is short of memory.
    pub reclaims: Vec<Timestamp>,
    /// When an operator holds the number of instances, or lets go.
    pub holds: Vec<(Timestamp, Option<u32>)>,
    /// When memory is short, and how many frozen instances may go for it.
    pub pressures: Vec<(Timestamp, u32)>,
    /// When another gateway takes over.
    pub takeovers: Vec<Timestamp>,
}
