//! What operators do by hand: hold, evict.

use super::*;

fn scale(desired: impl Into<Option<u32>>) -> Event {
    Event::Scale {
        desired: desired.into(),
    }
}

#[test]
fn a_held_number_is_kept_whatever_happens() {
    let mut story = Story::new(spec());
    assert_eq!(story.apply(scale(2)), ["start 1", "start 2"]);
    story.ready(1);
    story.ready(2);
    assert_eq!(story.wait(100_000), NONE);
    story.acquire(1);
    story.acquire(2);
    // Nobody else starts, for the operator said two.
    assert_eq!(story.acquire(3), NONE);
    assert_eq!(story.pool.view(story.now).scale_override, Some(2));
    assert_eq!(story.apply(scale(None)), ["start 3"]);
}

#[test]
fn a_held_number_stays_within_max_scale() {
    let mut story = Story::new(spec());
    assert_eq!(story.apply(scale(100)).len(), 4);
}

#[test]
fn a_lower_held_number_drains_the_busy_last() {
    let mut story = Story::new(spec());
    story.warm(3);
    story.acquire(1);
    story.acquire(2);
    assert_eq!(story.apply(scale(1)), ["stop 1", "drain 2"]);
    assert_eq!(
        story.instances(),
        ["1 stopping 0", "2 draining 1", "3 ready 1"]
    );
    // More is wanted again before the drain is over.
    assert_eq!(story.apply(scale(2)), NONE);
    assert_eq!(
        story.instances(),
        ["1 stopping 0", "2 ready 1", "3 ready 1"]
    );
}

#[test]
fn held_at_zero_an_arrival_still_wakes_one() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    story.warm(1);
    assert_eq!(story.apply(scale(0)), ["stop 1"]);
    story.exited(1);
    assert_eq!(story.wait(100_000), NONE);
    assert_eq!(story.acquire(1), ["start 2"]);
    assert_eq!(story.acquire(2), NONE);
    story.ready(2);
    story.release(2);
    story.release(2);
    assert_eq!(story.wait(9_999), NONE);
    assert_eq!(story.wait(1), ["stop 2"]);
}

#[test]
fn an_evicted_pool_is_cold_for_the_next_request() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    story.warm(2);
    assert_eq!(story.apply(Event::Evict), ["stop 1", "stop 2"]);
    story.exited(1);
    story.exited(2);
    // Not even `min_scale` brings one back.
    assert_eq!(story.wait(100_000), NONE);
    assert_eq!(story.acquire(1), ["start 3"]);
    assert_eq!(story.ready(3), ["grant 1 at 3 cold"]);
}

#[test]
fn evicted_instances_are_not_reprieved() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 2,
        ..spec()
    });
    story.acquire(1);
    story.ready(1);
    assert_eq!(story.apply(Event::Evict), ["drain 1"]);
    assert_eq!(story.instances(), ["1 draining 1"]);
    assert_eq!(story.acquire(2), ["start 2"]);
    assert_eq!(story.release(1), ["stop 1"]);
}

#[test]
fn eviction_ends_starts_that_nobody_waits_for() {
    let mut story = Story::new(spec());
    for waiter in 1..=3 {
        story.acquire(waiter);
    }
    story.cancel(2);
    story.cancel(3);
    assert_eq!(story.apply(Event::Evict), ["stop 2", "stop 3"]);
    assert_eq!(story.ready(1), ["grant 1 at 1 cold"]);
}

#[test]
fn eviction_leaves_no_waiter_behind() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    story.warm(1);
    story.acquire(1);
    story.acquire(2);
    assert_eq!(story.apply(Event::Evict), ["drain 1"]);
    assert_eq!(story.release(1), ["stop 1"]);
    assert_eq!(story.exited(1), ["start 2"]);
    assert_eq!(story.ready(2), ["grant 2 at 2 cold"]);
}

#[test]
fn new_settings_end_an_eviction() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    story.warm(1);
    story.apply(Event::Evict);
    let settings = ScaleSpec {
        min_scale: 1,
        ..spec()
    };
    assert_eq!(
        story.apply(Event::Reconfigure(Box::new(settings))),
        ["start 2"]
    );
}

#[test]
fn eviction_under_a_held_number_waits_for_demand_too() {
    let mut story = Story::new(spec());
    story.apply(scale(2));
    story.ready(1);
    story.ready(2);
    assert_eq!(story.apply(Event::Evict).len(), 2);
    assert_eq!(story.wait(1_000), NONE);
    assert_eq!(story.acquire(1), ["start 3", "start 4"]);
}

#[test]
fn the_decision_tells_who_overruled_the_policy() {
    let mut story = Story::new(spec());
    story.apply(scale(3));
    let decision = story.pool.view(story.now).last_decision.unwrap();
    assert_eq!(
        (decision.desired, decision.why.clamp),
        (3, crate::Clamp::Override)
    );
    let sentence = decision.why.to_string();
    assert!(sentence.ends_with("set by the operator"), "{sentence}");
}
