//! Start when queued work exceeds what is starting.

use crate::policy::{Bounded, Holds, blank};
use crate::{Clamp, Decision, Mode, Observations, PolicyState, ScaleSpec, Timestamp, Why};

/// `ready slots in use + waiting`, over the concurrency, rounded up.
///
/// A request waits only when every ready slot is in use, so more instances than `ready + starting`
/// are wanted exactly when `queued > starting * concurrency`. Instances above the result are not
/// stopped for it: the pool stops those that were idle for [`Decision::idle_timeout`], and the result is the
/// number that stays.
pub(super) fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    let mut next = prior;
    // Leases on draining instances, and those above a concurrency that was lowered, take no slot
    // that a new instance would have to give.
    let slots = u64::from(obs.ready) * u64::from(spec.concurrency);
    let requests = u64::from(obs.in_flight).min(slots) + u64::from(obs.queued);
    let needed = requests.div_ceil(u64::from(spec.concurrency.max(1)));
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);

    let mut result = Bounded::new(needed);
    if requests > 0 {
        result.at_least(spec.activation_scale.max(1), Clamp::ActivationScale);
    }
    let mut delayed = result.value;
    let mut wake_at = None;
    if !spec.scale_down_delay.is_zero() {
        // Requests, not a clock, cause these decisions: the former answer held until now.
        next.wanted.extend(now);
        let capped = result.value.min(spec.max_scale);
        delayed = next.wanted.record(capped, spec.scale_down_delay, now);
        result.at_least(delayed, Clamp::ScaleDownDelay);
        wake_at = next.wanted.falls_at(spec.scale_down_delay);
    }
    let floor = result.within_scale(spec, &mut next, obs);

    let mut why = Why {
        target: f64::from(spec.concurrency),
        stable: needed,
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
        idle_timeout: Some(spec.idle_timeout),
        // Only one that must know since when less is wanted is asked each time.
        holds: match spec.scale_down_delay.is_zero() {
            true => Holds::ALWAYS,
            false => Holds::NEVER,
        },
        wake_at,
        next,
    }
}
