//! Names of instances and waiters, never reused.

use std::fmt;

/// One running copy of a revision.
///
/// The upper half is the number of the pool that made it, the lower half counts that pool's
/// instances, so that ids are unique in a gateway and are never reused: a late event about an
/// instance that is gone finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(u64);

impl InstanceId {
    /// The `count`th instance of pool `pool`.
    pub const fn new(pool: u32, count: u32) -> Self {
        InstanceId(((pool as u64) << 32) | count as u64)
    }

    /// The id whose raw form is `raw`; for ids that crossed a process boundary.
    pub const fn from_raw(raw: u64) -> Self {
        InstanceId(raw)
    }

    /// The raw form, to cross a process boundary.
    pub const fn as_raw(self) -> u64 {
        self.0
    }

    /// The pool's number.
    pub const fn pool(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The place of this instance among all that its pool ever made, from 1.
    pub const fn count(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for InstanceId {
    /// `POOL-COUNT`, as in `12-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.pool(), self.count())
    }
}

/// One request that asked for a slot, unique within its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);
