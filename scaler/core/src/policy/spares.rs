//! How many processes should wait, ready to become instances.

use std::fmt;
use std::time::Duration;

use crate::SpareSpec;

/// What the policy sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpareObservations {
    /// The most instances that were started within [`SpareObservations::span`] of each other,
    /// during the last [`SpareSpec::idle_timeout`].
    pub burst: u32,
    /// The time within which starts count as one burst: that of one start, or that in which a spare
    /// is replaced, whichever is longer.
    pub span: Duration,
    /// How long the function has had no request; none if it was never used.
    pub idle_for: Option<Duration>,
    /// The revision was replaced, or the gateway ends.
    pub retired: bool,
    /// The machine is short of memory, and no request has come since it was.
    pub forgone: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpareDecision {
    /// Spares wanted. With zero what they are made from is kept ready, with none not even that.
    pub spares: Option<u32>,
    /// Every term that led here.
    pub why: SpareWhy,
}

/// The reasons for a number of spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpareWhy {
    /// As many as were started in one burst, within the bounds.
    Burst {
        /// What was seen.
        seen: SpareObservations,
        /// The settings.
        spec: SpareSpec,
    },
    /// No request has come yet.
    Unused,
    /// No request has come for this long.
    Idle(Duration),
    /// The revision was replaced, or the gateway ends.
    Retired,
    /// The machine is short of memory.
    Memory,
}

/// The number of spares: the largest burst of starts that was seen lately, at least
/// [`SpareSpec::least`] and at most [`SpareSpec::most`]; none while the function is not used,
/// unless it is to be ready from the beginning.
pub fn decide_spares(spec: &SpareSpec, seen: SpareObservations) -> SpareDecision {
    let none = |why| SpareDecision { spares: None, why };
    match seen.idle_for {
        _ if seen.retired => return none(SpareWhy::Retired),
        _ if seen.forgone => return none(SpareWhy::Memory),
        None if !spec.eager => return none(SpareWhy::Unused),
        Some(idle) if idle >= spec.idle_timeout && !spec.eager => {
            return none(SpareWhy::Idle(spec.idle_timeout));
        }
        _ => {}
    }
    let most = spec.most.max(spec.least);
    SpareDecision {
        spares: Some(seen.burst.clamp(spec.least, most)),
        why: SpareWhy::Burst { seen, spec: *spec },
    }
}

impl fmt::Display for SpareWhy {
    /// `at most 3 instances were started within 10ms in the last 600s; at least 1 and at most 4`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpareWhy::Burst { seen, spec } => write!(
                f,
                "at most {} instances were started within {:?} in the last {:?}; at least {} and \
                 at most {}",
                seen.burst, seen.span, spec.idle_timeout, spec.least, spec.most
            ),
            SpareWhy::Unused => f.write_str("no request has come yet"),
            SpareWhy::Idle(time) => write!(f, "no request has come for {time:?}"),
            SpareWhy::Retired => f.write_str("the revision is retired"),
            SpareWhy::Memory => f.write_str("the machine is short of memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn spec(eager: bool) -> SpareSpec {
        SpareSpec {
            least: 1,
            most: 4,
            idle_timeout: MINUTE,
            eager,
            refill: Duration::from_millis(10),
        }
    }

    fn seen(burst: u32, idle_for: Option<Duration>) -> SpareObservations {
        SpareObservations {
            burst,
            span: Duration::from_millis(10),
            idle_for,
            retired: false,
            forgone: false,
        }
    }

    #[test]
    fn as_many_as_a_burst_needs_within_the_bounds() {
        for (burst, spares) in [(0, 1), (1, 1), (3, 3), (9, 4)] {
            let decision = decide_spares(&spec(false), seen(burst, Some(Duration::ZERO)));
            assert_eq!(decision.spares, Some(spares));
        }
        let decision = decide_spares(&spec(false), seen(3, Some(Duration::ZERO)));
        assert_eq!(
            decision.why.to_string(),
            "at most 3 instances were started within 10ms in the last 60s; at least 1 and at most 4"
        );
    }

    #[test]
    fn nothing_is_kept_for_a_function_that_is_not_used() {
        let unused = decide_spares(&spec(false), seen(0, None));
        assert_eq!((unused.spares, unused.why), (None, SpareWhy::Unused));
        let idle = decide_spares(&spec(false), seen(3, Some(MINUTE)));
        assert_eq!((idle.spares, idle.why), (None, SpareWhy::Idle(MINUTE)));
        assert_eq!(idle.why.to_string(), "no request has come for 60s");
    }

    #[test]
    fn an_eager_function_is_always_ready_until_it_is_retired() {
        assert_eq!(decide_spares(&spec(true), seen(0, None)).spares, Some(1));
        assert_eq!(
            decide_spares(&spec(true), seen(0, Some(MINUTE * 9))).spares,
            Some(1)
        );
        let retired = SpareObservations {
            retired: true,
            ..seen(2, None)
        };
        assert_eq!(decide_spares(&spec(true), retired).spares, None);
    }

    proptest! {
        #[test]
        fn the_bounds_hold(least in 0_u32..9, more in 0_u32..9, burst in 0_u32..99, eager: bool,
            idle in proptest::option::of(0_u64..200)) {
            let spec = SpareSpec { least, most: least + more, ..spec(eager) };
            let answer = decide_spares(&spec, seen(burst, idle.map(Duration::from_secs)));
            if let Some(spares) = answer.spares {
                prop_assert!((least..=least + more).contains(&spares));
                prop_assert!(eager || idle.is_some_and(|idle| idle < 60));
            } else {
                prop_assert!(!eager);
            }
        }
    }
}
