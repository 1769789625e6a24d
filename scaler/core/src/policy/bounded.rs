//! A number of instances on its way through the bounds.

use crate::policy::{Clamp, Observations, PolicyState, Why};
use crate::{Policy, ScaleSpec};

/// A number of instances, the bound that changed it last, and what it would be without that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounded {
    pub(super) value: u32,
    pub(super) clamp: Clamp,
    /// With every bound but `clamp`.
    pub(super) unclamped: u32,
}

impl Bounded {
    pub(super) fn new(value: u32) -> Self {
        Bounded {
            value,
            clamp: Clamp::None,
            unclamped: value,
        }
    }

    pub(super) fn at_least(&mut self, bound: u32, clamp: Clamp) {
        if self.value < bound {
            *self = Bounded {
                value: bound,
                clamp,
                unclamped: self.value,
            };
        } else {
            self.unclamped = self.unclamped.max(bound);
        }
    }

    pub(super) fn at_most(&mut self, bound: u32, clamp: Clamp) {
        if self.value > bound {
            *self = Bounded {
                value: bound,
                clamp,
                unclamped: self.value,
            };
        } else {
            self.unclamped = self.unclamped.min(bound);
        }
    }

    /// The larger one of two; of equal ones the first.
    pub(super) fn or_more(self, other: Bounded) -> Bounded {
        let (larger, smaller) = match other.value > self.value {
            true => (other, self),
            false => (self, other),
        };
        Bounded {
            unclamped: larger.unclamped.max(smaller.value),
            ..larger
        }
    }

    /// The bounds that end every policy; returns the lower one.
    pub(super) fn within_scale(
        &mut self,
        spec: &ScaleSpec,
        next: &mut PolicyState,
        obs: &Observations,
    ) -> u32 {
        let initial = spec.initial_scale.min(spec.max_scale);
        next.initial_reached |= obs.ready >= initial;
        self.at_least(spec.min_scale, Clamp::Min);
        let mut floor = spec.min_scale;
        if obs.scheduled > 0 {
            self.at_least(obs.scheduled, Clamp::Schedule);
            floor = floor.max(obs.scheduled);
        }
        if !next.initial_reached {
            self.at_least(initial, Clamp::Initial);
            floor = floor.max(initial);
        }
        self.at_most(spec.max_scale, Clamp::Max);
        floor
    }

    /// What it became, into the terms.
    pub(super) fn explain(self, why: &mut Why) {
        why.desired = self.value;
        why.clamp = self.clamp;
        why.unclamped = self.unclamped;
    }
}

impl Policy {
    /// It learns from what happens, so that whoever asks it must keep a [`Learning`](crate::Learning).
    pub(crate) const fn learns(self) -> bool {
        matches!(self, Policy::Histogram | Policy::Goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value, the bound that changed it last, and the value without that one.
    fn after(value: u32, bounds: &[(bool, u32, Clamp)]) -> (u32, Clamp, u32) {
        let mut result = Bounded::new(value);
        for &(upwards, bound, clamp) in bounds {
            match upwards {
                true => result.at_least(bound, clamp),
                false => result.at_most(bound, clamp),
            }
        }
        (result.value, result.clamp, result.unclamped)
    }

    #[test]
    fn only_the_bound_that_won_is_left_out() {
        use Clamp::{Initial, Max, Min, None, Schedule};
        assert_eq!(after(5, &[]), (5, None, 5));
        assert_eq!(after(5, &[(true, 2, Min), (false, 9, Max)]), (5, None, 5));
        assert_eq!(after(1, &[(true, 3, Min), (false, 9, Max)]), (3, Min, 1));
        // Without the first the second would have raised it.
        let floors = [(true, 4, Min), (true, 3, Schedule), (false, 9, Max)];
        assert_eq!(after(1, &floors), (4, Min, 3));
        assert_eq!(
            after(1, &[(true, 2, Min), (true, 3, Initial)]),
            (3, Initial, 2)
        );
        assert_eq!(after(1, &[(true, 9, Min), (false, 4, Max)]), (4, Max, 9));
        assert_eq!(after(20, &[(false, 9, Max), (true, 12, Min)]), (12, Min, 9));
    }

    #[test]
    fn the_larger_one_of_two_would_be_the_other_one_without_its_bound() {
        let mut raised = Bounded::new(1);
        raised.at_least(8, Clamp::ActivationScale);
        let five = Bounded::new(5);
        let expected = Bounded {
            unclamped: 5,
            ..raised
        };
        assert_eq!(five.or_more(raised), expected);
        assert_eq!(raised.or_more(five), expected);
    }
}
