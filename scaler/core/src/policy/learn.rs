//! What a learning policy knows of one function.

mod demand;
mod levels;
mod price;
mod rhythm;
mod rise;
mod usage;

pub(in crate::policy) use demand::Demand;

use std::time::Duration;

use crate::{ScaleSpec, Timestamp};

/// What was learned of one function's requests and instances.
///
/// Its size is bounded, and what happens costs a bounded time and no allocation. It is a part of
/// [`PolicyState`](crate::PolicyState), and there is none for policies that do not learn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learning {
    /// For `goal`.
    pub(in crate::policy) demand: Demand,
}

impl Learning {
    /// Nothing learned yet; none if the policy does not learn.
    pub(crate) fn of(spec: &ScaleSpec) -> Option<Box<Learning>> {
        spec.policy.learns().then(Box::default)
    }

    /// A request came and was not turned away.
    pub(crate) fn arrived(&mut self, now: Timestamp) {
        self.demand.arrived(now);
    }

    /// A request got its slot after it `waited`.
    pub(crate) fn granted(&mut self, waited: Duration, now: Timestamp) {
        self.demand.granted(waited, now);
    }

    /// A request ended, having held its slot for so long.
    pub(crate) fn served(&mut self, service: Duration, _now: Timestamp) {
        self.demand.served(service);
    }

    /// From now on there are `level` requests in the function, in flight and waiting.
    pub(crate) fn changed(&mut self, level: u32, now: Timestamp) {
        self.demand.changed(level, now);
    }

    /// An instance is up, so long after it was asked for.
    pub(crate) fn started(&mut self, took: Duration, _now: Timestamp) {
        self.demand.started(took);
    }
}
