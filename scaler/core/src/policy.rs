//! How many instances there should be.

mod bounded;
mod goal;
mod histogram;
mod kpa;
mod learn;
mod memory;
mod on_arrival;
mod rolling;
mod spares;
mod why;

pub use goal::GoalWhy;
pub use learn::{Forecast, IdlePattern, Learning};
pub use rolling::RollingMax;
pub use spares::{SpareDecision, SpareObservations, SpareWhy, decide_spares};
pub use why::{Clamp, Why};

use std::time::Duration;

use crate::{Policy, ScaleSpec, Timestamp};

use bounded::Bounded;

/// What the policy sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Observations {
    /// Average requests in the function, in flight and waiting; `None` is no data.
    pub load: Option<Load>,
    /// Instances that take requests.
    pub ready: u32,
    /// Instances that are on their way.
    pub starting: u32,
    /// Requests in flight now.
    pub in_flight: u32,
    /// Requests waiting now.
    pub queued: u32,
    /// When the function last had a request in it.
    pub last_active: Timestamp,
    /// Since when the request waits that waits for the longest time, if any does.
    pub waiting_since: Option<Timestamp>,
    /// Never fewer instances than this now, by a schedule; zero without one.
    pub scheduled: u32,
}

/// Time-weighted average concurrency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Over the stable window.
    pub stable: f64,
    /// Over the panic window.
    pub panic: f64,
}

/// A policy's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Live instances wanted.
    pub desired: u32,
    /// Stable or panic.
    pub mode: Mode,
    /// Every term that led here.
    pub why: Why,
    /// How long an instance above `desired` may be idle before it goes; none if those above
    /// `desired` go at once, idle or not.
    pub idle_timeout: Option<Duration>,
    /// For which loads the answer holds.
    pub holds: Holds,
    /// When to ask again though nothing happened.
    pub wake_at: Option<Timestamp>,
    /// The same, unless nobody waits any more by then.
    pub wake_waiting_at: Option<Timestamp>,
    /// To be handed in with the next question.
    pub next: PolicyState,
}

/// Requests in the function, in flight and waiting, for which a decision holds; with fewer or more
/// the policy is asked again. A request that has to wait always asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// The fewest.
    pub least: u32,
    /// The most.
    pub most: u32,
}

impl Holds {
    /// For all loads.
    pub const ALWAYS: Holds = Holds {
        least: 0,
        most: u32::MAX,
    };

    /// For none: the policy is asked with every change of load.
    pub const NEVER: Holds = Holds { least: 1, most: 0 };

    /// Whether it does for this load.
    pub const fn contains(self, level: u32) -> bool {
        self.least <= level && level <= self.most
    }
}

/// As in Knative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Follows the stable window.
    #[default]
    Stable,
    /// Follows the panic window and never shrinks.
    Panic,
}

/// What a policy remembers between two decisions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyState {
    /// Set while in panic mode.
    pub panic: Option<Panic>,
    /// What was wanted within `scale_down_delay`, empty if that is zero.
    pub wanted: RollingMax,
    /// As many instances as `initial_scale` were ready once, or that was given up.
    pub initial_reached: bool,
    /// There was a decision before.
    pub decided: bool,
    /// What the policy learned; none for one that does not, or knows nothing yet. Whoever asks
    /// feeds it with what happens.
    pub learned: Option<Box<Learning>>,
}

impl PolicyState {
    /// Before the first question; the policy has learned nothing yet.
    pub fn new(spec: &ScaleSpec) -> Self {
        PolicyState {
            learned: Learning::of(spec),
            ..PolicyState::default()
        }
    }
}

/// Panic mode, as in Knative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic {
    /// When the threshold was last reached; it ends a stable window later.
    pub last_breach: Timestamp,
    /// The most instances wanted since it began.
    pub peak: u32,
}

/// Answers how many live instances the function should have at `now`.
///
/// Equal arguments give equal answers. The state goes in and comes back in [`Decision::next`], so
/// that nothing is copied for it.
pub fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    match spec.policy {
        Policy::OnArrival => on_arrival::decide(spec, prior, obs, now),
        Policy::Histogram => histogram::decide(spec, prior, obs, now),
        Policy::Kpa => kpa::decide(spec, prior, obs, now),
        Policy::Goal => goal::decide(spec, prior, obs, now),
    }
}

/// The terms that are copies of the question.
fn blank(spec: &ScaleSpec, obs: &Observations) -> Why {
    Why {
        policy: spec.policy,
        mode: Mode::Stable,
        desired: 0,
        clamp: Clamp::None,
        unclamped: 0,
        ready: obs.ready,
        starting: obs.starting,
        in_flight: obs.in_flight,
        queued: obs.queued,
        load: obs.load,
        goal: None,
        target: 0.0,
        stable: 0,
        ahead: 0,
        panic: 0,
        rate_floor: 0,
        rate_ceiling: 0,
        panic_ratio: 0.0,
        panic_threshold: 0.0,
        panic_peak: 0,
        delayed: 0,
        idle_for: Duration::ZERO,
        idle_pattern: None,
        floor: spec.min_scale,
        ceiling: spec.max_scale,
    }
}

#[cfg(test)]
mod tests;
