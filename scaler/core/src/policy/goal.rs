//! Meets a stated wait at the least cost.

use std::time::Duration;

use crate::policy::learn::Demand;
use crate::policy::{Bounded, Holds, blank, on_arrival};
use crate::{Clamp, Decision, GoalWhy, Mode, Observations, PolicyState, ScaleSpec, Timestamp, Why};

/// Instances looked at in one decision beyond those that must be there.
const MOST_LOOKS: u32 = 8;

/// Between two looks at an idle time that a price for delays made long: the price falls while nobody
/// is late, which causes no decision.
const SOONEST_LOOK: Duration = Duration::from_millis(500);
const LATEST_LOOK: Duration = Duration::from_secs(30);

pub(super) fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    let mut next = prior;
    let Some(mut learned) = next.learned.take() else {
        return on_arrival::decide(spec, next, obs, now);
    };
    let serving = obs.ready.saturating_add(obs.starting);
    let demand = &mut learned.demand;
    demand.tune(spec);
    demand.account(serving, now);

    let concurrency = spec.concurrency.max(1);
    let slots = u64::from(obs.ready) * u64::from(concurrency);
    let requests = u64::from(obs.in_flight).min(slots) + u64::from(obs.queued);
    let instances = |requests: u64| {
        let needed = requests.div_ceil(u64::from(concurrency));
        u32::try_from(needed).unwrap_or(u32::MAX)
    };
    let needed = instances(requests);
    let patience = Patience::of(demand, spec, obs, now);
    let worth = demand.worth(spec);
    let mut wanted = instances(requests - u64::from(patience.bearable));
    let start = demand.start().unwrap_or(0.0);
    for _ in 0..MOST_LOOKS {
        // One that would go before it has come is of no use to what comes later.
        if wanted >= needed || demand.idle_time(wanted + 1, worth) < start {
            break;
        }
        wanted += 1;
    }
    let empty = now.since(obs.last_active);
    let spares = demand.spares(worth, empty, now);
    if spares > 0 {
        wanted = wanted.max(needed.saturating_add(spares));
    }
    let ahead = demand.ahead(worth, now);
    let mut result = Bounded::new(wanted.max(ahead.instances));
    if requests > 0 {
        result.at_least(spec.activation_scale.max(1), Clamp::ActivationScale);
    }
    let (delayed, falls_at) = on_arrival::hold_back(&mut result, spec, &mut next, now);
    let floor = result.within_scale(spec, &mut next, obs);
    let idle = match demand.start() {
        // An instance stays at least as long as its successor would take to come.
        Some(start) => seconds(demand.idle_time(serving, worth).max(start)),
        None => spec.idle_timeout,
    };

    let mut why = Why {
        target: f64::from(concurrency),
        stable: needed,
        delayed,
        idle_for: empty,
        floor,
        goal: Some(GoalWhy {
            wait: spec.wait_p99,
            late_share: demand.late_share(),
            start: demand.start().map(seconds),
            service: demand.service().map(seconds),
            price: seconds(worth.delay),
            bearable: patience.bearable,
            spares,
            ahead: ahead.instances,
            idle,
        }),
        ..blank(spec, obs)
    };
    result.explain(&mut why);
    let priced = worth.delay > 0.0 && serving > needed;
    let look = priced.then(|| now + (idle / 16).clamp(SOONEST_LOOK, LATEST_LOOK));
    let times = [patience.until, falls_at, ahead.until, look];
    let holds = holds(serving, spares, concurrency, spec);
    next.learned = Some(learned);
    Decision {
        desired: result.value,
        mode: Mode::Stable,
        why,
        idle_timeout: Some(idle),
        holds,
        wake_at: times.into_iter().flatten().filter(|&at| at > now).min(),
        next,
    }
}

/// Requests that need no start, for running ones will make room for them in time.
struct Patience {
    bearable: u32,
    /// When that is over.
    until: Option<Timestamp>,
}

impl Patience {
    const NONE: Patience = Patience {
        bearable: 0,
        until: None,
    };

    /// A start may wait until it would be over just when the request becomes late. Within that time
    /// so many requests end as there are slots in use, times it, over the time a request takes. If a
    /// start takes longer than requests may wait anyway, half of a start is worth waiting.
    fn of(demand: &Demand, spec: &ScaleSpec, obs: &Observations, now: Timestamp) -> Self {
        let (Some(since), Some(start), Some(service)) =
            (obs.waiting_since, demand.start(), demand.service())
        else {
            return Self::NONE;
        };
        let rest = spec.wait_p99.as_secs_f64() - demand.longest_start();
        let patience = if rest > 0.0 { rest } else { start / 2.0 };
        let until = since + seconds(patience);
        if until <= now {
            return Self::NONE;
        }
        let slots = f64::from(obs.ready) * f64::from(spec.concurrency);
        let freed = (slots * patience / service.max(1e-9)) as u32;
        let bearable = freed.min(obs.queued);
        Patience {
            bearable,
            until: (bearable > 0).then_some(until),
        }
    }
}

/// With spares, more load needs more instances before anyone waits.
fn holds(serving: u32, spares: u32, concurrency: u32, spec: &ScaleSpec) -> Holds {
    if !spec.scale_down_delay.is_zero() {
        return Holds::NEVER;
    }
    match spares {
        0 => Holds::ALWAYS,
        _ => Holds {
            least: 0,
            most: serving.saturating_sub(spares).saturating_mul(concurrency),
        },
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, 1e9)).unwrap_or_default()
}
