//! What a learning policy knows of one function.

use std::time::Duration;

use crate::words::{Reader, Words};
use crate::{ScaleSpec, Timestamp};

/// What was learned of one function's requests and instances.
///
/// Its size is bounded, and what happens costs a bounded time and no allocation. It is a part of
/// [`PolicyState`](crate::PolicyState), and there is none for policies that do not learn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learning {}

impl Learning {
    /// Nothing learned yet; none if the policy does not learn.
    pub(crate) fn of(spec: &ScaleSpec) -> Option<Box<Learning>> {
        spec.policy.learns().then(Box::default)
    }

    /// The settings are others from now on, under the same policy.
    pub(crate) fn adapt(&mut self, _spec: &ScaleSpec) {}

    /// All of it, as numbers.
    pub(crate) fn save(&self, _words: &mut Words) {}

    /// None if it is none of `save`, or was learned with settings that do not go with these.
    pub(crate) fn load(spec: &ScaleSpec, _words: &mut Reader<'_>) -> Option<Box<Learning>> {
        Learning::of(spec)
    }

    /// A request came and was not turned away.
    pub(crate) fn arrived(&mut self, _now: Timestamp) {}

    /// A request got its slot after it `waited`.
    pub(crate) fn granted(&mut self, _waited: Duration, _now: Timestamp) {}

    /// A request ended, having held its slot for so long.
    pub(crate) fn served(&mut self, _service: Duration, _now: Timestamp) {}

    /// From now on there are `level` requests in the function, in flight and waiting.
    pub(crate) fn changed(&mut self, _level: u32, _now: Timestamp) {}

    /// An instance is up, so long after it was asked for.
    pub(crate) fn started(&mut self, _took: Duration, _now: Timestamp) {}
}
