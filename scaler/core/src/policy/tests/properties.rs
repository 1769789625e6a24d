use proptest::prelude::*;

use super::*;
use crate::testing::any_spec;
use crate::words::{Reader, Words};
use crate::{Clamp, Learning, Mode, Policy, PolicyState, ScaleSpec, decide};

fn any_observations() -> impl Strategy<Value = Observations> {
    let load = prop::option::weighted(0.9, (any_load(), any_load()));
    let counts = (0_u32..8, 0_u32..4, 0_u32..20, 0_u32..20);
    let scheduled = prop_oneof![3 => Just(0), 1 => 0_u32..9];
    (load, counts, 0_u64..200, scheduled).prop_map(|(load, counts, idle, scheduled)| {
        let (ready, starting, in_flight, queued) = counts;
        Observations {
            load: load.map(|(stable, panic)| Load { stable, panic }),
            ready,
            starting,
            in_flight,
            queued,
            last_active: now() - Duration::from_secs(idle),
            scheduled,
        }
    })
}

fn any_load() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 4 => 0.0_f64..40.0]
}

/// Something that a policy may have seen: a question, what happened then, and how long that took in
/// milliseconds.
#[derive(Clone, Debug)]
struct Past {
    obs: Observations,
    seen: Vec<(Seen, u64)>,
    millis: u64,
}

/// What a policy that learns is told.
#[derive(Clone, Debug)]
enum Seen {
    Arrived,
    Granted(u64),
    Served(u64),
    Level(u32),
    Started(u64),
}

fn history() -> impl Strategy<Value = Vec<Past>> {
    let any_seen = prop_oneof![
        3 => Just(Seen::Arrived),
        1 => (0_u64..3_000).prop_map(Seen::Granted),
        1 => (0_u64..3_000).prop_map(Seen::Served),
        // Most pauses are alike, so that there is something to learn.
        6 => prop_oneof![Just(0_u32), Just(1)].prop_map(Seen::Level),
        1 => (0_u32..9).prop_map(Seen::Level),
        1 => (0_u64..3_000).prop_map(Seen::Started),
    ];
    let pause = prop_oneof![Just(10_u64), Just(9_000), 0_u64..60_000];
    let seen = prop::collection::vec((any_seen, pause), 0..40);
    let past = (any_observations(), seen, 0_u64..20_000);
    let past = past.prop_map(|(obs, seen, millis)| Past { obs, seen, millis });
    prop::collection::vec(past, 0..4)
}

fn see(state: &mut PolicyState, seen: &Seen, time: Timestamp) {
    let Some(learned) = &mut state.learned else {
        return;
    };
    match *seen {
        Seen::Arrived => learned.arrived(time),
        Seen::Granted(millis) => learned.granted(Duration::from_millis(millis), time),
        Seen::Served(millis) => learned.served(Duration::from_millis(millis), time),
        Seen::Level(level) => learned.changed(level, time),
        Seen::Started(millis) => learned.started(Duration::from_millis(millis), time),
    }
}

fn remember(spec: &ScaleSpec, history: &[Past]) -> (PolicyState, Timestamp) {
    let mut state = PolicyState::new(spec);
    let mut time = now();
    for past in history {
        state = decide(spec, state, &past.obs, time).next;
        for (seen, millis) in &past.seen {
            see(&mut state, seen, time);
            time = time + Duration::from_millis(*millis);
        }
        time = time + Duration::from_millis(past.millis);
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
        prop_assert!(decision.desired >= spec.min_scale.max(obs.scheduled).min(spec.max_scale));
        prop_assert!(decision.wake_at.is_none_or(|wake_at| wake_at > time));
        prop_assert_eq!(decision.desired, decision.why.desired);
        // Without the bound it would be another one, and without any it is the same.
        let changed = decision.why.unclamped != decision.desired;
        prop_assert!(!changed || decision.why.clamp != Clamp::None);
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
                    prop_assert!(decision.why.panic_peak >= former, "{}", decision.why);
                    prop_assert!(decision.desired >= former.min(spec.max_scale));
                    former = decision.why.panic_peak;
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

    /// Of the load, or of anything that is to be learned.
    #[test]
    fn whoever_knows_nothing_lets_nothing_go_at_once(
        spec in any_spec(),
        obs in any_observations(),
    ) {
        let obs = Observations { load: None, ..obs };
        for prior in [PolicyState::new(&spec), PolicyState::default()] {
            let decision = decide(&spec, prior, &obs, now());
            let serving = (obs.ready + obs.starting).min(spec.max_scale);
            match decision.idle_timeout {
                None => prop_assert!(decision.desired >= serving, "{}", decision.why),
                Some(timeout) => prop_assert!(timeout >= spec.idle_timeout, "{}", decision.why),
            }
        }
    }

    /// A pool in another process goes on with it.
    #[test]
    fn what_is_remembered_is_read_as_it_was_written(spec in any_spec(), past in history()) {
        let (state, _) = remember(&spec, &past);
        let mut words = Words::default();
        state.save(&mut words);
        state.learned.iter().for_each(|learned| learned.save(&mut words));
        let words = words.into_inner();
        let mut reader = Reader(&words);
        let mut read = PolicyState::load(&mut reader).unwrap();
        if state.learned.is_some() {
            read.learned = Some(Learning::load(&spec, &mut reader).unwrap());
        }
        prop_assert_eq!((read, reader.number()), (state, None));
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
