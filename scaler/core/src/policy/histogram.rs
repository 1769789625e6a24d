//! The hybrid histogram policy of "Serverless in the Wild".
//!
//! Shahrad et al., USENIX ATC 2020, section 4.2. There an application is one image that is loaded
//! or not; here it is the last instance of a function, and those beyond it start on arrival and go
//! by the fixed idle time, as in `on-arrival`. Two more differences: where the histogram tells
//! nothing the fixed idle time counts in place of the histogram's range, since the one is a setting
//! and the other is hours; and so it does for idle times beyond the range, for which the paper fits
//! an ARIMA model.

use std::time::Duration;

use crate::policy::on_arrival::{self, Ahead};
use crate::policy::{Forecast, Holds};
use crate::{Decision, Observations, PolicyState, ScaleSpec, Timestamp};

/// While there are requests, as `on-arrival`. While there is none, the last instance goes at once
/// if the next request is not expected soon, comes back before that, and stays until it is expected
/// no more.
pub(super) fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    let learned = prior.learned.as_ref();
    let times = learned.and_then(|learned| learned.idle_times.as_ref());
    let pattern = times.map(|times| times.pattern()).unwrap_or_default();
    let ahead = match pattern.forecast {
        Forecast::Between(earliest, latest) => plan(spec, obs, (earliest, latest), now),
        Forecast::Unknown | Forecast::Scattered | Forecast::Beyond => Ahead::none(spec),
    };
    let mut decision = on_arrival::decide_ahead(spec, prior, (obs, ahead), now);
    decision.why.idle_pattern = Some(pattern);
    decision
}

fn plan(
    spec: &ScaleSpec,
    obs: &Observations,
    (earliest, latest): (Duration, Duration),
    now: Timestamp,
) -> Ahead {
    if obs.in_flight + obs.queued > 0 {
        return Ahead {
            // Its end is when the clock begins.
            holds: Holds {
                least: 1,
                most: u32::MAX,
            },
            ..Ahead::none(spec)
        };
    }
    let (from, until) = (obs.last_active + earliest, obs.last_active + latest);
    let next = if now < from { from } else { until };
    Ahead {
        instances: u32::from(from <= now && now < until),
        bearable: 0,
        idle_timeout: match earliest.is_zero() && now < until {
            // The others that were needed may be again.
            true => spec.idle_timeout,
            false => Duration::ZERO,
        },
        holds: Holds { least: 0, most: 0 },
        wake_at: (now < next).then_some(next),
        wake_waiting_at: None,
    }
}
