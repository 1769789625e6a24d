//! What people read.

use super::*;
use crate::{Policy, PolicyState, ScaleSpec, decide};

fn kpa() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Kpa,
        ..crate::testing::spec()
    }
}

fn sentence(spec: &ScaleSpec, obs: &Observations) -> String {
    let prior = PolicyState {
        decided: true,
        initial_reached: true,
        ..PolicyState::default()
    };
    decide(spec, prior.clone(), obs, now()).why.to_string()
}

#[test]
fn on_arrival() {
    let obs = Observations {
        in_flight: 2,
        queued: 3,
        starting: 1,
        ..observed(0.0, 0.0, 2)
    };
    assert_eq!(
        sentence(&crate::testing::spec(), &obs),
        "4 instances wanted: 2 in flight and 3 waiting, at 1 per instance, need 5; \
         2 ready, 1 starting; set by max_scale (4)"
    );
    assert_eq!(
        sentence(
            &crate::testing::spec(),
            &Observations {
                in_flight: 1,
                ..observed(0.0, 0.0, 1)
            }
        ),
        "1 instance wanted: 1 in flight and 0 waiting, at 1 per instance, need 1; \
         1 ready, 0 starting"
    );
}

#[test]
fn histogram() {
    let spec = ScaleSpec {
        policy: Policy::Histogram,
        ..crate::testing::spec()
    };
    let obs = Observations {
        last_active: now() - Duration::from_secs(600),
        ..observed(0.0, 0.0, 0)
    };
    assert_eq!(
        sentence(&spec, &obs),
        "0 instances wanted: 0 in flight and 0 waiting, at 1 per instance, need 0; 0 idle times \
         are too few to tell the next; 0 ready, 0 starting"
    );
    let mut prior = PolicyState::new(&spec);
    let learned = prior.learned.as_mut().unwrap();
    for period in 0..8 {
        let end = Timestamp::ZERO + Duration::from_secs(630 * period);
        learned.changed(0, end);
        learned.changed(1, end + Duration::from_secs(630));
    }
    assert_eq!(
        decide(&spec, prior, &obs, now()).why.to_string(),
        "1 instance wanted: 0 in flight and 0 waiting, at 1 per instance, need 0; empty for \
         600.0s, 1 kept ahead, as by 8 idle times the next request comes after 540.0s to 726.0s; \
         0 ready, 0 starting"
    );
}

#[test]
fn what_the_schedule_raises() {
    let obs = Observations {
        scheduled: 3,
        ..observed(0.0, 0.0, 0)
    };
    assert_eq!(
        sentence(&crate::testing::spec(), &obs),
        "3 instances wanted: 0 in flight and 0 waiting, at 1 per instance, need 0; 0 ready, 0 \
         starting; set by the schedule (3)"
    );
}

#[test]
fn kpa_in_panic() {
    assert_eq!(
        sentence(&kpa(), &observed(1.2, 2.0, 1)),
        "3 instances wanted: stable load 1.20 and panic load 2.00, at 0.70 per instance, need 2 \
         and 3, in panic (ratio 3.00, threshold 2.00); 1 ready, 0 starting"
    );
}

#[test]
fn kpa_before_zero() {
    let last_active = now() - Duration::from_secs(75);
    let obs = Observations {
        last_active,
        ..observed(0.0, 0.0, 1)
    };
    assert_eq!(
        sentence(&kpa(), &obs),
        "1 instance wanted: stable load 0.00 and panic load 0.00, at 0.70 per instance, need 0 \
         and 0; 1 ready, 0 starting; set by the time to wait before scaling to zero (empty for \
         75.0s)"
    );
}

#[test]
fn kpa_without_data() {
    assert_eq!(
        sentence(
            &kpa(),
            &Observations {
                load: None,
                ..observed(0.0, 0.0, 2)
            }
        ),
        "2 instances wanted: no data, 0 in flight and 0 waiting; 2 ready, 0 starting; set by the \
         lack of data"
    );
}
