//! `goal`: by hand, and what holds whatever it has learned.

use proptest::prelude::*;

use super::*;
use crate::testing::any_spec;
use crate::words::{Reader, Words};
use crate::{Decision, Holds, Learning, Policy, PolicyState, ScaleSpec, decide};

fn spec(wait_millis: u64) -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Goal,
        wait_p99: Duration::from_millis(wait_millis),
        max_scale: 100,
        ..crate::testing::spec()
    }
}

/// Something that is learned from.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Started(u64),
    Served(u64),
    Arrived,
    Granted(u64),
    Changed(u32),
    Pause(u64),
}

fn learn(spec: &ScaleSpec, seen: &[Seen]) -> (PolicyState, Timestamp) {
    let mut state = PolicyState::new(spec);
    let mut time = now();
    let learned = state.learned.as_mut().unwrap();
    for seen in seen {
        let span = |millis: u64| Duration::from_millis(millis);
        match *seen {
            Seen::Started(millis) => learned.started(span(millis), time),
            Seen::Served(millis) => learned.served(span(millis), time),
            Seen::Arrived => learned.arrived(time),
            Seen::Granted(millis) => learned.granted(span(millis), time),
            Seen::Changed(level) => learned.changed(level, time),
            Seen::Pause(millis) => time = time + span(millis),
        }
    }
    (state, time)
}

/// Every slot is in use, and some wait since `millis` ago.
fn full(ready: u32, queued: u32, millis: u64, time: Timestamp) -> Observations {
    Observations {
        in_flight: ready,
        queued,
        waiting_since: (queued > 0).then(|| time - Duration::from_millis(millis)),
        last_active: time,
        ..observed(0.0, 0.0, ready)
    }
}

fn wake(decision: &Decision, time: Timestamp) -> Option<u128> {
    let times = [decision.wake_at, decision.wake_waiting_at];
    let first = times.into_iter().flatten().min();
    first.map(|at| at.since(time).as_millis())
}

#[test]
fn knowing_nothing_it_is_on_arrival() {
    let spec = spec(50);
    for obs in [
        full(0, 3, 0, now()),
        full(2, 1, 9, now()),
        full(1, 0, 0, now()),
    ] {
        let arrival = ScaleSpec {
            policy: Policy::OnArrival,
            ..spec.clone()
        };
        let goal = decide(&spec, PolicyState::new(&spec), &obs, now());
        let arrival = decide(&arrival, PolicyState::default(), &obs, now());
        assert_eq!(goal.desired, arrival.desired);
        assert_eq!(goal.idle_timeout, arrival.idle_timeout);
        assert_eq!(goal.holds, Holds::ALWAYS);
    }
}

#[test]
fn running_requests_that_end_in_time_save_a_start() {
    // Starts take 100 ms and requests 50 ms; they may wait for 400 ms, so a start may for 300 ms.
    let spec = spec(400);
    let (state, time) = learn(&spec, &[Seen::Started(100), Seen::Served(50)]);
    let asked = |obs| decide(&spec, state.clone(), &obs, time);
    // Two slots end 2 * 300 / 50 = 12 requests in that time. One start would pay: as long as its
    // idle times are not known, an instance would stay for 5 * 100 ms.
    let patient = asked(full(2, 14, 0, time));
    assert_eq!(patient.why.goal.unwrap().bearable, 12);
    assert_eq!((patient.desired, wake(&patient, time)), (12, Some(300)));
    // Nothing runs that could end.
    assert_eq!(asked(full(0, 14, 0, time)).desired, 14);
    // The oldest has waited for too long.
    let urgent = asked(full(2, 14, 300, time));
    assert_eq!((urgent.desired, wake(&urgent, time)), (16, None));
}

/// A level that is used every minute, so many times, and by a late request each time.
fn timer(times: usize) -> Vec<Seen> {
    let mut seen = vec![Seen::Started(1_000), Seen::Served(500)];
    for _ in 0..times {
        seen.extend([
            Seen::Pause(58_500),
            Seen::Arrived,
            Seen::Changed(1),
            Seen::Pause(1_000),
            Seen::Granted(1_000),
            Seen::Pause(500),
            Seen::Changed(0),
        ]);
    }
    seen
}

#[test]
fn what_is_late_each_minute_is_met_by_an_instance_that_was_started_for_it() {
    let spec = spec(50);
    let (state, time) = learn(&spec, &timer(8));
    let asked = |millis: u64| {
        let obs = Observations {
            last_active: time,
            ..observed(0.0, 0.0, 0)
        };
        let time = time + Duration::from_millis(millis);
        let decision = decide(&spec, state.clone(), &obs, time);
        (decision.desired, wake(&decision, time))
    };
    // It came 1.5 s ago and comes again after 60 s, 10 ms sooner or later; a start takes 1 s.
    assert_eq!(asked(0), (0, Some(57_490)));
    assert_eq!(asked(57_489), (0, Some(1)));
    assert_eq!(asked(57_490), (1, Some(1_020)));
    assert_eq!(asked(58_509), (1, Some(1)));
    assert_eq!(asked(58_510), (0, None));
}

#[test]
fn what_is_not_late_is_not_started_ahead() {
    let spec = spec(2_000);
    let (state, time) = learn(&spec, &timer(8));
    let idle = Observations {
        last_active: time,
        ..observed(0.0, 0.0, 1)
    };
    let decision = decide(&spec, state, &idle, time);
    assert_eq!((decision.desired, decision.wake_at), (0, None));
    // Its pauses are 58.5 s and a start is worth 10 s: it goes, after the time of a start.
    assert_eq!(decision.idle_timeout, Some(Duration::from_secs(1)));
}

/// Requests take long, starts do not, and one more is needed in every tenth start.
fn rising() -> Vec<Seen> {
    let mut seen = vec![Seen::Started(100), Seen::Served(5_000)];
    for _ in 0..50 {
        seen.extend([
            Seen::Changed(5),
            Seen::Pause(1_000),
            Seen::Changed(6),
            Seen::Pause(50),
        ]);
    }
    seen.extend([Seen::Granted(100); 9]);
    seen
}

#[test]
fn a_spare_is_kept_where_the_load_rises_often() {
    let spec = spec(10);
    let (state, time) = learn(&spec, &rising());
    let obs = Observations {
        in_flight: 5,
        ..full(6, 0, 0, time)
    };
    let decision = decide(&spec, state, &obs, time);
    assert_eq!(decision.why.goal.unwrap().spares, 1, "{}", decision.why);
    assert_eq!(decision.desired, 6);
    // The next request takes the spare, and then there is to be another one.
    let holds = Holds { least: 0, most: 5 };
    assert_eq!(decision.holds, holds);
}

#[test]
fn the_ceiling_makes_idling_dearer() {
    let spec = spec(50);
    let (state, time) = learn(&spec, &timer(8));
    let idle_for = |percentage: f64| {
        let spec = ScaleSpec {
            max_idle_percentage: percentage,
            ..spec.clone()
        };
        let obs = Observations {
            last_active: time,
            ..observed(0.0, 0.0, 2)
        };
        // One of two is in use for 100 s, and then none for 1000 s.
        let mut state = state.clone();
        let mut time = time;
        for (level, seconds) in [(1, 100), (0, 1_000)] {
            state.learned.as_mut().unwrap().changed(level, time);
            state = decide(&spec, state, &obs, time).next;
            time = time + Duration::from_secs(seconds);
        }
        decide(&spec, state, &obs, time).idle_timeout.unwrap()
    };
    assert!(idle_for(0.0) > Duration::from_secs(5));
    assert_eq!(idle_for(1e6), idle_for(0.0));
    assert_eq!(idle_for(10.0), Duration::from_secs(1));
}

#[test]
fn sentences() {
    let says = |spec: &ScaleSpec, seen: &[Seen], obs: Observations| {
        let (state, time) = learn(spec, seen);
        let obs = Observations {
            waiting_since: obs.waiting_since.map(|_| time),
            last_active: time,
            ..obs
        };
        decide(spec, state, &obs, time).why.to_string()
    };
    assert_eq!(
        says(&spec(50), &[], full(0, 1, 0, now())),
        "1 instance wanted: 0 in flight and 1 waiting, at 1 per instance, need 1; 0.00 % wait \
         longer than 50ms, a start was not seen yet, an idle one stays 10.0s; 0 ready, 0 starting"
    );
    assert_eq!(
        says(
            &spec(400),
            &[Seen::Started(100), Seen::Served(50)],
            full(2, 3, 0, now())
        ),
        "5 instances wanted: 2 in flight and 3 waiting, at 1 per instance, need 5; 0.00 % wait \
         longer than 400ms, a start takes 100.0ms, 3 waiting get a slot in time, an idle one stays \
         500.0ms; 2 ready, 0 starting"
    );
    assert_eq!(
        says(&spec(10), &rising(), full(6, 0, 0, now())),
        "7 instances wanted: 6 in flight and 0 waiting, at 1 per instance, need 6; 100.00 % wait \
         longer than 10ms, a start takes 100.0ms, a late request counts as 1.4s of idling, so 1 \
         more are kept than are in use, an idle one stays 100.0ms; 6 ready, 0 starting"
    );
}

fn any_seen() -> impl Strategy<Value = Vec<Seen>> {
    let seen = prop_oneof![
        1 => (0_u64..3_000).prop_map(Seen::Started),
        2 => (0_u64..3_000).prop_map(Seen::Served),
        2 => Just(Seen::Arrived),
        4 => prop_oneof![2 => Just(0), 1 => 0_u64..3_000].prop_map(Seen::Granted),
        4 => prop_oneof![4 => 0_u32..20, 1 => any::<u32>()].prop_map(Seen::Changed),
        4 => prop_oneof![6 => 0_u64..3_000, 1 => 0_u64..100_000_000].prop_map(Seen::Pause),
        2 => Just(Seen::Pause(60_000)),
    ];
    prop::collection::vec(seen, 0..120)
}

fn any_goal() -> impl Strategy<Value = ScaleSpec> {
    any_spec().prop_map(|spec| ScaleSpec {
        policy: Policy::Goal,
        ..spec
    })
}

proptest! {
    #[test]
    fn whatever_it_learned_it_stays_within_bounds(
        spec in any_goal(),
        seen in any_seen(),
        ready in 0_u32..8,
        queued in 0_u32..20,
        waited in 0_u64..5_000,
    ) {
        let (state, time) = learn(&spec, &seen);
        let obs = Observations {
            in_flight: ready * spec.concurrency,
            ..full(ready, queued, waited, time)
        };
        let decision = decide(&spec, state, &obs, time);
        prop_assert!((spec.min_scale..=spec.max_scale).contains(&decision.desired));
        for wake_at in [decision.wake_at, decision.wake_waiting_at] {
            prop_assert!(wake_at.is_none_or(|at| at > time));
        }
        prop_assert!(queued == 0 || decision.desired > 0);
        // Who waits without a start is looked at again, or has a slot to wait for.
        let all = ready + queued.div_ceil(spec.concurrency);
        let left = decision.desired < all.min(spec.max_scale);
        prop_assert!(!left || ready > 0 && decision.wake_waiting_at.is_some(), "{}", decision.why);
    }

    #[test]
    fn more_load_never_means_fewer(
        spec in any_goal(),
        seen in any_seen(),
        (ready, queued, waited) in (0_u32..8, 0_u32..20, 0_u64..5_000),
        (more_queued, more_waited) in (0_u32..20, 0_u64..5_000),
    ) {
        let (state, time) = learn(&spec, &seen);
        let light = full(ready, queued, waited, time);
        let heavy = full(ready, queued + more_queued, waited + more_waited, time);
        let light = decide(&spec, state.clone(), &light, time);
        let heavy = decide(&spec, state, &heavy, time);
        prop_assert!(heavy.desired >= light.desired, "{} then {}", light.why, heavy.why);
    }

    /// No flapping: what has come stays for at least as long as its successor would take.
    #[test]
    fn an_idle_instance_stays_as_long_as_a_start_takes(
        spec in any_goal(),
        seen in any_seen(),
        ready in 0_u32..8,
    ) {
        let (state, time) = learn(&spec, &seen);
        let decision = decide(&spec, state, &full(ready, 0, 0, time), time);
        let start_s = decision.why.goal.unwrap().start_s;
        let start = start_s.map(Duration::from_secs_f64);
        prop_assert!(decision.idle_timeout >= start);
    }

    #[test]
    fn equal_questions_get_equal_answers(spec in any_goal(), seen in any_seen()) {
        let (state, time) = learn(&spec, &seen);
        let obs = full(2, 3, 10, time);
        let first = decide(&spec, state.clone(), &obs, time);
        prop_assert_eq!(&first, &decide(&spec, state, &obs, time));
        prop_assert_eq!(&first, &decide(&spec, first.next.clone(), &obs, time));
    }

    #[test]
    fn what_was_learned_comes_back_as_it_was_saved(
        spec in any_goal(),
        seen in any_seen(),
        cut in 0_usize..2_000,
        wild in any::<u64>(),
    ) {
        let (state, time) = learn(&spec, &seen);
        let learned = state.learned.unwrap();
        let mut words = Words::default();
        learned.save(&mut words);
        let mut words = words.into_inner();
        let found = Learning::load(&spec, &mut Reader(&words));
        prop_assert_eq!(found.as_ref(), Some(&learned));
        // Whatever else is read does no harm.
        let cut = cut % words.len();
        words[cut] = wild;
        if let Some(learned) = Learning::load(&spec, &mut Reader(&words)) {
            let state = PolicyState { learned: Some(learned), ..PolicyState::new(&spec) };
            let mut state = decide(&spec, state, &full(1, 2, 3, time), time).next;
            let learned = state.learned.as_mut().unwrap();
            learned.changed(3, time);
            learned.granted(Duration::from_secs(1), time);
            decide(&spec, state, &full(3, 0, 0, time), time);
        }
        prop_assert_eq!(Learning::load(&spec, &mut Reader(&words[..cut])), None);
    }
}
