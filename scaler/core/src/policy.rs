//! How many instances there should be.

mod kpa;
mod on_arrival;
mod rolling;
mod spares;
mod why;

pub use rolling::RollingMax;
pub use spares::{SpareDecision, SpareObservations, SpareWhy, decide_spares};
pub use why::{Clamp, Why};

use std::time::Duration;

use crate::{Policy, ScaleSpec, Timestamp};

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
    /// When to ask again though nothing happened.
    pub wake_at: Option<Timestamp>,
    /// To be handed in with the next question.
    pub next: PolicyState,
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
/// Equal arguments give equal answers.
pub fn decide(
    spec: &ScaleSpec,
    prior: &PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    match spec.policy {
        Policy::OnArrival => on_arrival::decide(spec, prior, obs, now),
        Policy::Kpa => kpa::decide(spec, prior, obs, now),
    }
}

/// A number of instances and the bound that changed it last.
struct Bounded {
    value: u32,
    clamp: Clamp,
}

impl Bounded {
    fn new(value: u32) -> Self {
        Bounded {
            value,
            clamp: Clamp::None,
        }
    }

    fn at_least(&mut self, bound: u32, clamp: Clamp) {
        if self.value < bound {
            *self = Bounded {
                value: bound,
                clamp,
            };
        }
    }

    fn at_most(&mut self, bound: u32, clamp: Clamp) {
        if self.value > bound {
            *self = Bounded {
                value: bound,
                clamp,
            };
        }
    }

    /// The bounds that end every policy; returns the lower one.
    fn within_scale(
        &mut self,
        spec: &ScaleSpec,
        next: &mut PolicyState,
        obs: &Observations,
    ) -> u32 {
        let initial = spec.initial_scale.min(spec.max_scale);
        next.initial_reached |= obs.ready >= initial;
        self.at_least(spec.min_scale, Clamp::Min);
        let mut floor = spec.min_scale;
        if !next.initial_reached {
            self.at_least(initial, Clamp::Initial);
            floor = floor.max(initial);
        }
        self.at_most(spec.max_scale, Clamp::Max);
        floor
    }
}

/// The terms that are copies of the question.
fn blank(spec: &ScaleSpec, obs: &Observations) -> Why {
    Why {
        policy: spec.policy,
        mode: Mode::Stable,
        desired: 0,
        clamp: Clamp::None,
        ready: obs.ready,
        starting: obs.starting,
        in_flight: obs.in_flight,
        queued: obs.queued,
        load: obs.load,
        target: 0.0,
        stable: 0,
        panic: 0,
        rate_floor: 0,
        rate_ceiling: 0,
        panic_ratio: 0.0,
        panic_threshold: 0.0,
        panic_peak: 0,
        delayed: 0,
        idle_for: Duration::ZERO,
        floor: spec.min_scale,
        ceiling: spec.max_scale,
    }
}

#[cfg(test)]
mod tests;
