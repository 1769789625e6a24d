//! Knative's pod autoscaler.
//!
//! The terms and their order are those of `pkg/autoscaler/scaling/autoscaler.go`; what differs is
//! that the load is exact instead of scraped and that waiting requests are part of it.

use std::time::Duration;

use crate::policy::{Bounded, Holds, Panic, blank};
use crate::{Clamp, Decision, Load, Mode, Observations, PolicyState, ScaleSpec, Timestamp, Why};

/// The smallest load per instance that is planned for.
const LEAST_TARGET: f64 = 0.01;
/// Keeps a missing interval from becoming a busy loop.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// `ceil(load / target)` over two windows, the larger one while in panic.
pub(super) fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    let mut next = prior;
    if !next.decided && obs.ready > 1 {
        // Instances that nobody here asked for: a restart. What they carry is not known yet, so
        // they are kept, as Knative does.
        next.panic = Some(Panic {
            last_breach: now,
            peak: obs.ready,
        });
    }
    next.decided = true;

    let mut why = blank(spec, obs);
    why.target = (spec.target * spec.target_utilization_percentage / 100.0).max(LEAST_TARGET);
    why.idle_for = now.since(obs.last_active);
    let mut result = match obs.load {
        Some(load) => formula(spec, load, &mut next, &mut why, now),
        None => hold(spec, obs, &next),
    };
    why.delayed = result.value;
    if !spec.scale_down_delay.is_zero() {
        let capped = result.value.min(spec.max_scale);
        why.delayed = next.wanted.record(capped, spec.scale_down_delay, now);
        result.at_least(why.delayed, Clamp::ScaleDownDelay);
    }
    let serving = obs.ready.saturating_add(obs.starting);
    if !may_be_zero(spec, why.idle_for) {
        result.at_least(serving.min(1), Clamp::ScaleToZeroGrace);
    }
    why.floor = result.within_scale(spec, &mut next, obs);

    if let Some(panic) = &next.panic {
        why.mode = Mode::Panic;
        why.panic_peak = panic.peak;
    }
    result.explain(&mut why);
    // At zero only an arrival changes anything, and it asks by itself.
    let at_rest = result.value == 0 && serving == 0 && obs.queued == 0 && obs.in_flight == 0;
    let wake_at = (!at_rest).then(|| now + spec.tick_interval.max(LEAST_INTERVAL));
    Decision {
        desired: result.value,
        mode: why.mode,
        why,
        idle_timeout: None,
        // It looks at its interval.
        holds: Holds::ALWAYS,
        wake_at,
        wake_waiting_at: None,
        next,
    }
}

/// The two windows, the bounds on the rate of change, and panic.
fn formula(
    spec: &ScaleSpec,
    load: Load,
    next: &mut PolicyState,
    why: &mut Why,
    now: Timestamp,
) -> Bounded {
    let ready = f64::from(why.ready.max(1));
    why.rate_ceiling = (spec.max_scale_up_rate * ready).ceil() as u32;
    why.rate_floor = (ready / spec.max_scale_down_rate).floor() as u32;
    why.stable = (load.stable / why.target).ceil() as u32;
    why.panic = (load.panic / why.target).ceil() as u32;
    why.panic_ratio = f64::from(why.panic) / ready;
    why.panic_threshold = spec.panic_threshold_percentage / 100.0;

    if why.panic_ratio >= why.panic_threshold {
        let peak = next.panic.map_or(0, |panic| panic.peak);
        next.panic = Some(Panic {
            last_breach: now,
            peak,
        });
    } else if next
        .panic
        .is_some_and(|panic| now.since(panic.last_breach) > spec.stable_window)
    {
        // By now the surge is in the stable window.
        next.panic = None;
    }
    let stable = rated(spec, why.stable, why);
    let Some(panic) = &mut next.panic else {
        return stable;
    };
    let urgent = rated(spec, why.panic, why);
    let mut result = stable.or_more(urgent);
    result.at_least(panic.peak, Clamp::PanicHold);
    panic.peak = result.value;
    result
}

/// One window's wish within the bounds on the rate of change. Whatever is not zero by then is at
/// least the activation scale; a request that came just now counts, though it has no weight in the
/// averages yet.
fn rated(spec: &ScaleSpec, wish: u32, why: &Why) -> Bounded {
    let mut result = Bounded::new(wish);
    result.at_least(why.rate_floor, Clamp::MaxDownRate);
    result.at_most(why.rate_ceiling, Clamp::MaxUpRate);
    if result.value > 0 || why.queued > 0 || why.in_flight > 0 {
        result.at_least(spec.activation_scale.max(1), Clamp::ActivationScale);
    }
    result
}

/// Without data nothing shrinks; only waiting requests make it grow.
fn hold(spec: &ScaleSpec, obs: &Observations, next: &PolicyState) -> Bounded {
    let mut result = Bounded::new(obs.ready.saturating_add(obs.starting));
    result.clamp = Clamp::NoData;
    result.at_least(next.panic.map_or(0, |panic| panic.peak), Clamp::PanicHold);
    if obs.queued > 0 {
        result.at_least(spec.activation_scale.max(1), Clamp::ActivationScale);
    }
    result
}

/// The stable window passed without a request, and then the longer of grace and retention.
fn may_be_zero(spec: &ScaleSpec, idle_for: Duration) -> bool {
    let more = spec
        .scale_to_zero_grace_period
        .max(spec.scale_to_zero_retention);
    idle_for >= spec.stable_window.saturating_add(more)
}
