//! The pool under `kpa`.

use super::*;

fn kpa() -> ScaleSpec {
    // One request per instance, planned for 0.7 of one.
    ScaleSpec {
        policy: Policy::Kpa,
        max_scale: 20,
        max_starting: 20,
        ..spec()
    }
}

#[test]
fn from_zero_an_arrival_decides_at_once() {
    let mut story = Story::new(kpa());
    assert_eq!(story.acquire(1), ["start 1"]);
    // As in Knative the others wait for the tick.
    assert_eq!(story.acquire(2), NONE);
    assert_eq!(story.acquire(3), NONE);
    // Three waiting for two seconds: ceil(3 / 0.7) = 5.
    assert_eq!(
        story.wait(2_000),
        ["start 2", "start 3", "start 4", "start 5"]
    );
}

#[test]
fn the_last_instance_stays_for_the_stable_window_and_the_grace_period() {
    let mut story = Story::new(kpa());
    story.warm(1);
    assert_eq!(story.wait(89_000), NONE);
    assert_eq!(story.wait(2_000), ["stop 1"]);
    story.exited(1);
    assert_eq!(story.wait(2_000), NONE);
    let effects = story.effects(Event::Tick);
    let wake = effects
        .iter()
        .find(|effect| matches!(effect, Effect::WakeAt(_)));
    assert!(
        matches!(wake, Some(Effect::WakeAt(Timestamp::MAX))),
        "{wake:?}"
    );
}

#[test]
fn retention_counts_if_it_is_longer_than_the_grace_period() {
    let retention = Duration::from_secs(100);
    let mut story = Story::new(ScaleSpec {
        scale_to_zero_retention: retention,
        ..kpa()
    });
    story.warm(1);
    assert_eq!(story.wait(159_000), NONE);
    assert_eq!(story.wait(2_000), ["stop 1"]);
}

#[test]
fn a_lost_instance_is_replaced_at_once() {
    let mut story = Story::new(kpa());
    story.warm(1);
    assert_eq!(story.exited(1), ["start 2"]);
}

#[test]
fn a_request_in_a_drain_finishes_and_demand_reprieves() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 10,
        target: 10.0,
        ..kpa()
    });
    story.apply(Event::Scale { desired: Some(2) });
    story.ready(1);
    story.ready(2);
    // Twelve requests: ten at 2, two at 1.
    for waiter in 1..=12 {
        story.acquire(waiter);
    }
    story.apply(Event::Scale { desired: Some(1) });
    assert_eq!(story.instances(), ["1 draining 2", "2 ready 10"]);
    assert_eq!(story.acquire(13), NONE);
    assert_eq!(story.apply(Event::Scale { desired: None }), NONE);
    // 13 requests over 7: two are wanted at the next decision.
    assert_eq!(story.wait(4_000), ["grant 13 at 1"]);
    assert_eq!(story.instances(), ["1 ready 3", "2 ready 10"]);
}

#[test]
fn adopted_instances_are_kept_as_after_a_restart() {
    let mut story = Story::new(kpa());
    for count in 1..=5 {
        assert_eq!(
            story.apply(Event::Adopted {
                instance: InstanceId::new(3, count)
            }),
            NONE
        );
    }
    assert_eq!(story.wait(60_000), NONE);
    // Nothing came, so panic is over and they go by halves.
    let words = story.wait(2_000);
    assert_eq!(
        words.iter().filter(|word| word.starts_with("stop")).count(),
        3
    );
}

#[test]
fn an_eviction_is_not_undone_by_what_was() {
    let mut story = Story::new(kpa());
    for waiter in 1..=5 {
        story.acquire(waiter);
    }
    story.ready(1);
    story.wait(10_000);
    for waiter in 2..=5 {
        story.cancel(waiter);
    }
    story.release(1);
    story.apply(Event::Evict);
    assert!(
        story
            .wait(20_000)
            .iter()
            .all(|word| word.starts_with("kill"))
    );
    assert!(
        story
            .instances()
            .iter()
            .all(|instance| instance.contains("stopping"))
    );
    let words = story.acquire(6);
    assert!(
        words.iter().any(|word| word.starts_with("start")),
        "{words:?}"
    );
}

#[test]
fn a_failed_start_from_zero_is_tried_again_after_the_backoff() {
    let mut story = Story::new(kpa());
    story.acquire(1);
    assert_eq!(story.start_failed(1), NONE);
    assert_eq!(story.wait(999), NONE);
    assert_eq!(story.wait(1), ["start 2"]);
}

#[test]
fn a_change_of_policy_keeps_the_instances() {
    let mut story = Story::new(spec());
    story.warm(2);
    story.acquire(1);
    assert_eq!(story.apply(Event::Reconfigure(Box::new(kpa()))), NONE);
    assert_eq!(story.instances(), ["1 ready 0", "2 ready 1"]);
    story.release(2);
    assert_eq!(story.apply(Event::Reconfigure(Box::new(spec()))), NONE);
    assert_eq!(story.wait(10_000), ["stop 1", "stop 2"]);
}
