//! Meets a stated wait at the least cost.
//!
//! - Where a start takes no longer than a request may wait, instances start on arrival, but only for
//!   requests for which running ones do not make room in time.
//! - An idle instance stays as long as that is cheaper than to start again: rent or buy, with the
//!   idle times that were seen so far of the first, the second and so on instance.
//! - Where that is not enough and more than one request in a hundred is late, a price for each late
//!   one rises, slowly, until that is so no more. It makes instances stay longer, start before what
//!   comes at regular times, and where a start is shorter than a request, keeps spares beyond those
//!   in use.
//!
//! It does not flap: an instance is stopped only after it was idle for at least as long as its
//! successor would take to start, and started only for a request that waits, for a spare that was
//! taken, or for a time that was foretold once.

mod why;

pub use why::GoalWhy;

use std::time::Duration;

use crate::policy::Holds;
use crate::policy::learn::{Demand, Worth};
use crate::policy::on_arrival::{self, Ahead, instances, requests};
use crate::time::seconds;
use crate::{Decision, Observations, PolicyState, ScaleSpec, Timestamp};

/// Instances looked at in one decision beyond those that must be there.
const MOST_LOOKS: u32 = 8;
/// Between two looks at an idle time that a price for late requests made long: the price falls while
/// nobody is late, which causes no decision.
const SOONEST_LOOK: Duration = Duration::from_millis(500);
const LATEST_LOOK: Duration = Duration::from_secs(30);

/// As long as nothing is known, as `on-arrival`.
pub(super) fn decide(
    spec: &ScaleSpec,
    mut prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    let learned = prior.learned.as_mut();
    let Some(demand) = learned.and_then(|learned| learned.demand.as_mut()) else {
        return on_arrival::decide(spec, prior, obs, now);
    };
    demand.account(obs.ready.saturating_add(obs.starting), now);
    let (ahead, why) = plan(demand, spec, obs, now);
    let mut decision = on_arrival::decide_ahead(spec, prior, (obs, ahead), now);
    decision.why.goal = Some(why);
    decision
}

fn plan(demand: &Demand, spec: &ScaleSpec, obs: &Observations, now: Timestamp) -> (Ahead, GoalWhy) {
    let worth = demand.worth(spec);
    let requests = requests(spec, obs);
    let needed = instances(spec, requests);
    let serving = obs.ready.saturating_add(obs.starting);

    let patience = Patience::of(demand, spec, obs, now);
    let urgent = instances(spec, requests - u64::from(patience.bearable));
    let mut wanted = worth_starting(demand, worth, urgent, needed);
    let spares = demand.spares(worth, now.since(obs.last_active), now);
    if spares > 0 {
        wanted = wanted.max(needed.saturating_add(spares));
    }
    let foretold = demand.foretold(worth, now);
    wanted = wanted.max(foretold.instances);

    let idle_timeout = match demand.start() {
        // An instance stays at least as long as its successor would take to come.
        Some(start) => seconds(demand.idle_time(serving, worth).max(start)),
        None => spec.idle_timeout,
    };
    let priced = worth.delay > 0.0 && serving > needed;
    let look = priced.then(|| now + (idle_timeout / 16).clamp(SOONEST_LOOK, LATEST_LOOK));
    let times = [foretold.until, look];
    let why = GoalWhy {
        wait: spec.wait_p99,
        late_share: demand.late_share(),
        start_s: demand.start(),
        service_s: demand.service(),
        price_s: worth.delay,
        bearable: patience.bearable,
        spares,
        idle: idle_timeout,
    };
    let ahead = Ahead {
        instances: wanted,
        bearable: patience.bearable,
        idle_timeout,
        holds: holds(spec, serving, spares),
        wake_at: times.into_iter().flatten().filter(|&at| at > now).min(),
        wake_waiting_at: patience.until.filter(|&at| at > now),
    };
    (ahead, why)
}

/// Between those that requests need at once and those that they would have use for: as many as
/// would stay until they have come. Others are of no use to later requests either.
fn worth_starting(demand: &Demand, worth: Worth, urgent: u32, needed: u32) -> u32 {
    let start = demand.start().unwrap_or(0.0);
    let most = needed.min(urgent.saturating_add(MOST_LOOKS));
    let further = (urgent + 1..=most).take_while(|&next| demand.idle_time(next, worth) >= start);
    urgent + further.count() as u32
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

    /// A start may wait until it would be over just when the oldest request becomes late. Within
    /// that time so many requests end as there are slots, times it, over the time that a request
    /// takes. If a start takes longer than requests may wait anyway, half of a start is worth
    /// waiting.
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
fn holds(spec: &ScaleSpec, serving: u32, spares: u32) -> Holds {
    match spares {
        0 => Holds::ALWAYS,
        _ => Holds {
            least: 0,
            most: serving
                .saturating_sub(spares)
                .saturating_mul(spec.concurrency),
        },
    }
}
