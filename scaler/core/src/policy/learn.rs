//! What a learning policy knows of one function.

mod idle_times;

pub(crate) use idle_times::IdleTimes;
pub use idle_times::{Forecast, IdlePattern};

use std::time::Duration;

use crate::words::{Reader, Words};
use crate::{Policy, ScaleSpec, Timestamp};

/// What was learned of one function's requests and instances.
///
/// Its size is bounded, and what happens costs a bounded time and no allocation. It is a part of
/// [`PolicyState`](crate::PolicyState), and there is none for policies that do not learn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learning {
    /// For `histogram`.
    pub(crate) idle_times: Option<IdleTimes>,
}

impl Learning {
    /// Nothing learned yet; none if the policy does not learn.
    pub(crate) fn of(spec: &ScaleSpec) -> Option<Box<Learning>> {
        let histogram = spec.policy == Policy::Histogram;
        spec.policy.learns().then(|| {
            Box::new(Learning {
                idle_times: histogram.then(|| IdleTimes::new(spec.histogram_range)),
            })
        })
    }

    /// The settings are others from now on, under the same policy.
    pub(crate) fn adapt(&mut self, spec: &ScaleSpec) {
        if let Some(times) = &mut self.idle_times {
            times.set_range(spec.histogram_range);
        }
    }

    /// All of it, as numbers.
    pub(crate) fn save(&self, words: &mut Words) {
        if let Some(times) = &self.idle_times {
            times.save(words);
        }
    }

    /// None if it is none of `save` under the same policy. What does not go with the settings is
    /// left out.
    pub(crate) fn load(spec: &ScaleSpec, words: &mut Reader<'_>) -> Option<Box<Learning>> {
        let mut learned = Learning::of(spec)?;
        if let Some(times) = &mut learned.idle_times {
            *times = IdleTimes::load(spec.histogram_range, words)?;
        }
        Some(learned)
    }

    /// A request came and was not turned away.
    pub(crate) fn arrived(&mut self, _now: Timestamp) {}

    /// A request got its slot after it `waited`.
    pub(crate) fn granted(&mut self, _waited: Duration, _now: Timestamp) {}

    /// A request ended, having held its slot for so long.
    pub(crate) fn served(&mut self, _service: Duration, _now: Timestamp) {}

    /// From now on there are `level` requests in the function, in flight and waiting.
    pub(crate) fn changed(&mut self, level: u32, now: Timestamp) {
        if let Some(times) = &mut self.idle_times {
            times.changed(level, now);
        }
    }

    /// An instance is up, so long after it was asked for.
    pub(crate) fn started(&mut self, _took: Duration, _now: Timestamp) {}
}
