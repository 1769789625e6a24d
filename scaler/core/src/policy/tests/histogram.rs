//! `histogram` by hand: what is known, and when the last instance goes and comes back.

use super::*;
use crate::{Clamp, Holds, Policy, PolicyState, ScaleSpec, decide};

/// Bins of a minute.
fn spec() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Histogram,
        ..crate::testing::spec()
    }
}

/// After so many idle times of these seconds, the last of which ended long ago.
fn used_every(seconds: u64, count: u32) -> PolicyState {
    let mut state = PolicyState::new(&spec());
    let mut time = Timestamp::ZERO;
    for _ in 0..count {
        let learned = state.learned.as_mut().unwrap();
        learned.changed(0, time);
        time = time + Duration::from_secs(seconds);
        learned.changed(1, time);
    }
    state
}

fn empty_for(seconds: u64, ready: u32) -> Observations {
    Observations {
        last_active: now() - Duration::from_secs(seconds),
        ..observed(0.0, 0.0, ready)
    }
}

/// Instances wanted, seconds until an idle one beyond them goes, and until it is asked again.
#[track_caller]
fn row(prior: &PolicyState, obs: &Observations, expected: (u32, u64, Option<u64>)) {
    let decision = decide(&spec(), prior.clone(), obs, now());
    let again = decision.wake_at.map(|time| time.since(now()).as_secs());
    let timeout = decision.idle_timeout.unwrap().as_secs();
    let found = (decision.desired, timeout, again);
    assert_eq!(found, expected, "{}", decision.why);
}

#[test]
fn a_timer_is_met_by_an_instance_that_was_started_for_it() {
    // Ten and a half minutes: bin 10. From 10 min * 0.9 = 540 s to 11 min * 1.1 = 726 s.
    let timer = used_every(630, 8);
    row(&timer, &empty_for(0, 1), (0, 0, Some(540)));
    row(&timer, &empty_for(539, 0), (0, 0, Some(1)));
    row(&timer, &empty_for(540, 0), (1, 0, Some(186)));
    row(&timer, &empty_for(725, 1), (1, 0, Some(1)));
    row(&timer, &empty_for(726, 1), (0, 0, None));
}

#[test]
fn one_that_is_used_often_stays_for_its_longest_pause() {
    // Bin 0: at once, until 1 min * 1.1 = 66 s. Others go by the fixed time of 10 s meanwhile.
    let often = used_every(5, 8);
    row(&often, &empty_for(0, 3), (1, 10, Some(66)));
    row(&often, &empty_for(66, 1), (0, 0, None));
}

#[test]
fn while_there_are_requests_it_starts_on_arrival() {
    let often = used_every(5, 8);
    let busy = Observations {
        in_flight: 1,
        queued: 2,
        ..observed(0.0, 0.0, 1)
    };
    row(&often, &busy, (3, 10, None));
    let decision = decide(&spec(), often, &busy, now());
    let holds = Holds {
        least: 1,
        most: u32::MAX,
    };
    assert_eq!((decision.holds, decision.why.clamp), (holds, Clamp::None));
}

#[test]
fn what_it_does_not_know_it_does_not_guess() {
    for unknown in [PolicyState::default(), used_every(630, 7)] {
        row(&unknown, &empty_for(600, 1), (0, 10, None));
        let decision = decide(&spec(), unknown, &empty_for(600, 1), now());
        assert_eq!(decision.holds, Holds::ALWAYS);
    }
}
