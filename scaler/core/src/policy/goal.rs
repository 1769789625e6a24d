//! Meets a stated wait at the least cost.

use crate::policy::on_arrival;
use crate::{Decision, Observations, PolicyState, ScaleSpec, Timestamp};

/// As long as it knows nothing: starts on arrival, with a fixed idle time.
pub(super) fn decide(
    spec: &ScaleSpec,
    prior: PolicyState,
    obs: &Observations,
    now: Timestamp,
) -> Decision {
    on_arrival::decide(spec, prior, obs, now)
}
