//! How the gateway is run: taken over, its output kept, memory given back.

use std::time::Duration;

/// What happens to the workers when the gateway dies without stopping them.
#[derive(Clone, Debug, PartialEq)]
pub struct AdoptionSpec {
    /// The next gateway takes them over; otherwise they are stopped at once.
    pub enabled: bool,
    /// How long they wait for the next gateway.
    pub timeout: Duration,
}

/// When another gateway takes over from this one while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct TakeoverSpec {
    /// For the new one, from its execution until it is prepared.
    pub timeout: Duration,
    /// For idle connections, whose next answer is the last one, until they are closed.
    pub idle_grace: Duration,
}

/// What becomes of the memory of frozen instances.
#[derive(Clone, Debug, PartialEq)]
pub struct FreezeSpec {
    /// When they give it back.
    pub reclaim: ReclaimSpec,
    /// Memory is short while less than this part of it is available, in percent, in [0, 100].
    pub available_percentage: f64,
    /// Memory is scarce while programs stand still for want of it for this part of the time, in percent,
    /// in [0, 100]; 0 for never.
    pub stalled_percentage: f64,
    /// Between two looks at it.
    pub interval: Duration,
}

/// When frozen instances give their memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReclaimSpec {
    /// As soon as they are frozen.
    Always,
    /// While memory is short.
    Pressure,
    /// Never.
    Off,
}

/// The output of the functions.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSpec {
    /// Size at which a function's log is rotated.
    pub file_bytes: u64,
    /// Files kept per function, the current one included; at least 1.
    pub files: u32,
    /// A longer line is split.
    pub line_bytes: usize,
}
