use proptest::prelude::*;

use super::*;
use crate::testing::any_spec;
use crate::{Mode, Policy, PolicyState, ScaleSpec, decide};

fn any_observations() -> impl Strategy<Value = Observations> {
    let load = prop::option::weighted(0.9, (any_load(), any_load()));
    let counts = (0_u32..8, 0_u32..4, 0_u32..20, 0_u32..20);
    (load, counts, 0_u64..200).prop_map(|(load, (ready, starting, in_flight, queued), idle)| {
        Observations {
            load: load.map(|(stable, panic)| Load { stable, panic }),
            ready,
            starting,
            in_flight,
            queued,
            last_active: now() - Duration::from_secs(idle),
            scheduled: 0,
        }
    })
}

fn any_load() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 4 => 0.0_f64..40.0]
}

/// What a policy remembers after some questions, the last one at most a minute ago.
fn history() -> impl Strategy<Value = Vec<(Observations, u64)>> {
    prop::collection::vec((any_observations(), 0_u64..20_000), 0..6)
}

fn remember(spec: &ScaleSpec, history: &[(Observations, u64)]) -> (PolicyState, Timestamp) {
    let mut state = PolicyState::default();
    let mut time = now();
    for (observations, millis) in history {
        state = decide(spec, state, observations, time).next;
        time = time + Duration::from_millis(*millis);
    }
    (state, time)
}

fn kpa_only(spec: ScaleSpec) -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Kpa,
        ..spec
    }
}

proptest! {
    #[test]
    fn stays_within_bounds(spec in any_spec(), past in history(), obs in any_observations()) {
        let (prior, time) = remember(&spec, &past);
        let decision = decide(&spec, prior.clone(), &obs, time);
        prop_assert!(decision.desired <= spec.max_scale);
        prop_assert!(decision.desired >= spec.min_scale);
        prop_assert!(decision.wake_at.is_none_or(|wake_at| wake_at > time));
        prop_assert_eq!(decision.desired, decision.why.desired);
    }

    #[test]
    fn more_load_never_means_less(
        spec in any_spec(),
        past in history(),
        obs in any_observations(),
        more in (0.0_f64..20.0, 0.0_f64..20.0, 0_u32..20, 0_u32..20),
    ) {
        let (prior, time) = remember(&spec, &past);
        let heavier = Observations {
            load: obs.load.map(|load| Load {
                stable: load.stable + more.0,
                panic: load.panic + more.1,
            }),
            in_flight: obs.in_flight + more.2,
            queued: obs.queued + more.3,
            ..obs.clone()
        };
        let light = decide(&spec, prior.clone(), &obs, time);
        let heavy = decide(&spec, prior.clone(), &heavier, time);
        prop_assert!(heavy.desired >= light.desired, "{} then {}", light.why, heavy.why);
    }

    #[test]
    fn panic_never_shrinks(
        spec in any_spec().prop_map(kpa_only),
        past in history(),
        next in prop::collection::vec((any_observations(), 0_u64..20_000), 1..12),
    ) {
        let (mut prior, mut time) = remember(&spec, &past);
        let mut former = 0;
        for (obs, millis) in next {
            let decision = decide(&spec, prior.clone(), &obs, time);
            match decision.mode {
                Mode::Panic => {
                    prop_assert!(decision.desired >= former, "{}", decision.why);
                    former = decision.desired;
                }
                Mode::Stable => former = 0,
            }
            prior = decision.next;
            time = time + Duration::from_millis(millis);
        }
    }

    #[test]
    fn the_same_question_again_has_the_same_answer(
        spec in any_spec(),
        past in history(),
        obs in any_observations(),
    ) {
        let (prior, time) = remember(&spec, &past);
        let first = decide(&spec, prior.clone(), &obs, time);
        prop_assert_eq!(&first, &decide(&spec, prior.clone(), &obs, time));
        let second = decide(&spec, first.next.clone(), &obs, time);
        prop_assert_eq!((first.desired, first.mode), (second.desired, second.mode));
        prop_assert_eq!(first.next, second.next);
    }

    #[test]
    fn without_data_nothing_scales_to_zero(
        spec in any_spec().prop_map(kpa_only),
        past in history(),
        obs in any_observations(),
    ) {
        let obs = Observations { load: None, ..obs };
        let (prior, time) = remember(&spec, &past);
        let decision = decide(&spec, prior.clone(), &obs, time);
        let serving = obs.ready + obs.starting;
        prop_assert!(decision.desired >= serving.min(spec.max_scale));
        prop_assert!(obs.queued == 0 || decision.desired > 0);
    }

    #[test]
    fn whoever_waits_gets_an_instance(
        spec in any_spec(),
        past in history(),
        obs in any_observations(),
    ) {
        let obs = Observations { queued: obs.queued.max(1), ..obs };
        let (prior, time) = remember(&spec, &past);
        prop_assert!(decide(&spec, prior.clone(), &obs, time).desired > 0);
    }

    /// `queued > starting * concurrency` and starting more are the same, all slots being in use.
    #[test]
    fn on_arrival_starts_for_work_beyond_what_is_starting(
        (concurrency, ready, starting, queued) in (1_u32..5, 0_u32..6, 0_u32..6, 0_u32..30),
    ) {
        let spec = ScaleSpec { concurrency, max_scale: 1_000, ..crate::testing::spec() };
        let obs = Observations {
            load: None,
            in_flight: ready * concurrency,
            queued,
            starting,
            ..observed(0.0, 0.0, ready)
        };
        let desired = decide(&spec, PolicyState::default(), &obs, now()).desired;
        prop_assert_eq!(desired > ready + starting, queued > starting * concurrency);
    }
}
