//! Start when queued work exceeds what is starting.

use std::time::Duration;

use crate::policy::{Bounded, Holds, blank};
use crate::{Clamp, Decision, Mode, Observations, PolicyState, ScaleSpec, Timestamp, Why};

/// What a policy that starts on arrival wants besides what the requests need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    /// Instances for requests to come; those in use count.
    pub(super) instances: u32,
    /// Waiting requests that need no start, for running ones make room for them in time.
    pub(super) bearable: u32,
    /// See [`Decision::idle_timeout`].
    pub(super) idle_timeout: Duration,
    /// See [`Decision::holds`].
    pub(super) holds: Holds,
    /// See [`Decision::wake_at`].
    pub(super) wake_at: Option<Timestamp>,
    /// See [`Decision::wake_waiting_at`].
    pub(super) wake_waiting_at: Option<Timestamp>,
}

impl Ahead {
    /// Nothing but the fixed idle time.
    pub(super) fn none(spec: &ScaleSpec) -> Self {
        Ahead {
            instances: 0,
            bearable: 0,
            idle_timeout: spec.idle_timeout,
            holds: Holds::ALWAYS,
            wake_at: None,
            wake_waiting_at: None,
        }
    }
}

/// Starts when queued work exceeds what is starting; the idle time is fixed.
pub(super) fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    decide_ahead(spec, prior, (obs, Ahead::none(spec)), now)
}

/// `ready slots in use + waiting`, over the concurrency, rounded up.
///
/// A request waits only when every ready slot is in use, so more instances than `ready + starting`
/// are wanted exactly when `queued > starting * concurrency`. Instances above the result are not
/// stopped for it: the pool stops those that were idle for [`Decision::idle_timeout`], and the result is the
/// number that stays. What is wanted ahead is wanted whatever there is.
pub(super) fn decide_ahead(
    spec: &ScaleSpec,
    prior: PolicyState,
    (obs, ahead): (&Observations, Ahead),
    now: Timestamp,
) -> Decision {
    let mut next = prior;
    let requests = requests(spec, obs);
    let needed = instances(spec, requests);
    let urgent = instances(spec, requests - u64::from(ahead.bearable.min(obs.queued)));

    let mut result = Bounded::new(urgent.max(ahead.instances));
    if requests > 0 {
        result.at_least(spec.activation_scale.max(1), Clamp::ActivationScale);
    }
    let mut delayed = result.value;
    let mut wake_at = ahead.wake_at;
    if !spec.scale_down_delay.is_zero() {
        // Requests, not a clock, cause these decisions: the former answer held until now.
        next.wanted.extend(now);
        let capped = result.value.min(spec.max_scale);
        delayed = next.wanted.record(capped, spec.scale_down_delay, now);
        result.at_least(delayed, Clamp::ScaleDownDelay);
        let falls_at = next.wanted.falls_at(spec.scale_down_delay);
        wake_at = wake_at.into_iter().chain(falls_at).min();
    }
    let floor = result.within_scale(spec, &mut next, obs);

    let mut why = Why {
        target: f64::from(spec.concurrency),
        stable: needed,
        ahead: ahead.instances,
        delayed,
        idle_for: now.since(obs.last_active),
        floor,
        ..blank(spec, obs)
    };
    result.explain(&mut why);
    Decision {
        desired: result.value,
        mode: Mode::Stable,
        why,
        idle_timeout: Some(ahead.idle_timeout),
        // Only one that must know since when less is wanted is asked each time.
        holds: match spec.scale_down_delay.is_zero() {
            true => ahead.holds,
            false => Holds::NEVER,
        },
        wake_at,
        wake_waiting_at: ahead.wake_waiting_at,
        next,
    }
}

/// Requests that need a slot of an instance that serves.
///
/// Leases on draining instances, and those above a concurrency that was lowered, take no slot that a
/// new instance would have to give.
pub(super) fn requests(spec: &ScaleSpec, obs: &Observations) -> u64 {
    let slots = u64::from(obs.ready) * u64::from(spec.concurrency);
    u64::from(obs.in_flight).min(slots) + u64::from(obs.queued)
}

/// Instances with a slot for each.
pub(super) fn instances(spec: &ScaleSpec, requests: u64) -> u32 {
    let needed = requests.div_ceil(u64::from(spec.concurrency.max(1)));
    u32::try_from(needed).unwrap_or(u32::MAX)
}
