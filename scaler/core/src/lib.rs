//! The scaling core: a pure state machine and pure policies.
//!
//! Nothing here reads a clock, an environment or a random source, waits, or does input and output.
//! Time is an argument, events go in, effects come out. The runtime and the simulator drive the
//! very same [`Pool`] and the very same [`decide`].

#![forbid(unsafe_code)]

mod event;
mod id;
mod policy;
mod pool;
pub mod sim;
mod spec;
mod starts;
#[cfg(test)]
mod testing;
mod time;
mod window;
mod words;

pub use event::{Effect, Effects, Event, FailureKind, Outcome, RejectCause, StartFailure};
pub use id::{InstanceId, WaiterId};
pub use policy::{
    Clamp, Decision, Forecast, GoalWhy, Holds, IdlePattern, Learning, Load, Mode, Observations,
    Panic, PolicyState, RollingMax, SpareDecision, SpareObservations, SpareWhy, Why, decide,
    decide_spares,
};
pub use pool::{
    Census, FloorStep, Frozen, Inherited, InstanceState, InstanceView, Learned, Legacy, Moments,
    Occupancy, Pool, PoolView, Record, Standing, Violation,
};
pub use spec::{Admission, Aggregation, Backoff, Freeze, Health, Policy, ScaleSpec, SpareSpec};
pub use starts::{Gate, HeldBy, HeldStarts, Look, NewStart, StartLimits};
pub use time::Timestamp;
