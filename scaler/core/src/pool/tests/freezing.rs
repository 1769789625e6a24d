//! Idle instances that get no CPU until they are needed.

use super::*;

/// Frozen after a second, gone after ten; one stays hot if `keep_hot` is one.
fn freezing(keep_hot: u32) -> ScaleSpec {
    ScaleSpec {
        freeze: Freeze {
            after: Some(Duration::from_secs(1)),
            keep_hot,
        },
        ..spec()
    }
}

fn pressure(story: &mut Story, release: u32) -> Vec<String> {
    story.apply(Event::Pressure { release })
}

#[test]
fn hot_frozen_gone_each_at_its_time() {
    let mut story = Story::new(freezing(0));
    story.warm(1);
    assert_eq!(story.wait(999), NONE);
    assert_eq!(story.instances(), ["1 ready 0"]);
    assert_eq!(story.wait(1), ["freeze 1"]);
    assert_eq!(story.instances(), ["1 frozen 0"]);
    let view = story.pool.view(story.now);
    assert_eq!(view.instances[0].state_name(), "frozen");
    assert_eq!(story.wait(8_999), NONE);
    assert_eq!(story.wait(1), ["thaw 1", "stop 1"]);
    assert_eq!(story.instances(), ["1 stopping 0"]);
}

#[test]
fn a_request_thaws_and_is_not_cold() {
    let mut story = Story::new(freezing(0));
    story.warm(1);
    story.wait(5_000);
    assert_eq!(story.acquire(1), ["thaw 1", "grant 1 at 1"]);
    assert_eq!(story.instances(), ["1 ready 1"]);
    // Its clocks start anew.
    assert_eq!(story.wait(60_000), NONE);
    story.release(1);
    assert_eq!(story.wait(999), NONE);
    assert_eq!(story.wait(1), ["freeze 1"]);
}

#[test]
fn off_by_default() {
    let mut story = Story::new(spec());
    story.warm(2);
    assert_eq!(pressure(&mut story, 5), NONE);
    assert_eq!(story.wait(9_999), NONE);
}

#[test]
fn the_idlest_freeze_first_and_hot_ones_are_used_first() {
    let mut story = Story::new(freezing(0));
    story.warm(3);
    story.wait(500);
    story.acquire(1);
    story.release(3);
    assert_eq!(story.wait(500), ["freeze 1", "freeze 2"]);
    assert_eq!(story.instances(), ["1 frozen 0", "2 frozen 0", "3 ready 0"]);
    assert_eq!(story.acquire(2), ["grant 2 at 3"]);
    // Of the frozen ones the one that was used last.
    assert_eq!(story.acquire(3), ["thaw 2", "grant 3 at 2"]);
    assert_eq!(story.acquire(4), ["thaw 1", "grant 4 at 1"]);
    assert_eq!(story.acquire(5), ["start 4"]);
}

#[test]
fn so_many_stay_hot() {
    let mut story = Story::new(ScaleSpec {
        idle_timeout: Duration::from_secs(3_600),
        ..freezing(1)
    });
    story.warm(2);
    assert_eq!(story.wait(1_000), ["freeze 1"]);
    assert_eq!(story.wait(60_000), NONE);
    assert_eq!(story.instances(), ["1 frozen 0", "2 ready 0"]);
    assert_eq!(story.acquire(1), ["grant 1 at 2"]);
    assert_eq!(story.acquire(2), ["thaw 1", "grant 2 at 1"]);
    story.release(1);
    assert_eq!(story.wait(60_000), NONE);
    // There is one more now than is to stay hot, and the idlest was so for long enough.
    assert_eq!(story.release(2), ["freeze 1"]);
}

#[test]
fn what_min_scale_keeps_is_frozen_and_kept() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..freezing(0)
    });
    story.ready(1);
    assert_eq!(story.wait(1_000), ["freeze 1"]);
    assert_eq!(story.wait(3_600_000), NONE);
    assert_eq!(story.acquire(1), ["thaw 1", "grant 1 at 1"]);
}

#[test]
fn several_slots_thaw_once() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 2,
        ..freezing(0)
    });
    story.warm(1);
    story.wait(1_000);
    assert_eq!(story.acquire(1), ["thaw 1", "grant 1 at 1"]);
    assert_eq!(story.acquire(2), ["grant 2 at 1"]);
}

#[test]
fn whatever_ends_a_frozen_one_thaws_it_first() {
    let mut story = Story::new(freezing(0));
    let events = [
        Event::Evict,
        Event::Retire,
        Event::ShutDown,
        Event::Scale { desired: Some(0) },
        Event::Unhealthy { instance: id(1) },
    ];
    for event in events {
        story = Story::new(story.pool.spec.as_ref().clone());
        story.warm(1);
        story.wait(1_000);
        assert_eq!(
            story.apply(event.clone()),
            ["thaw 1", "stop 1"],
            "{event:?}"
        );
        assert_eq!(story.wait(5_000), ["kill 1"]);
    }
}

#[test]
fn one_that_is_gone_needs_no_thaw() {
    let mut story = Story::new(freezing(0));
    story.warm(2);
    story.wait(1_000);
    assert_eq!(story.exited(1), NONE);
    assert_eq!(story.acquire(1), ["thaw 2", "grant 1 at 2"]);
}

#[test]
fn the_setting_taken_back_thaws() {
    let mut story = Story::new(freezing(0));
    story.warm(3);
    story.wait(1_000);
    let one_hot = Event::Reconfigure(Box::new(freezing(1)));
    assert_eq!(story.apply(one_hot), ["thaw 3"]);
    let off = Event::Reconfigure(Box::new(spec()));
    assert_eq!(story.apply(off), ["thaw 2", "thaw 1"]);
    // Idle for as long as they were.
    assert_eq!(story.wait(9_000), ["stop 1", "stop 2", "stop 3"]);
}

#[test]
fn where_freezing_is_refused_nothing_counts_as_frozen() {
    let mut story = Story::new(freezing(0));
    story.warm(2);
    story.wait(1_000);
    assert_eq!(story.apply(Event::FreezeRefused), ["thaw 2", "thaw 1"]);
    assert_eq!(pressure(&mut story, 2), NONE);
    assert_eq!(story.wait(8_999), NONE);
    let again = Event::Reconfigure(Box::new(freezing(0)));
    assert_eq!(story.apply(again), ["freeze 1", "freeze 2"]);
}

#[test]
fn under_kpa_frozen_ones_count_as_ready() {
    let mut story = Story::new(ScaleSpec {
        policy: Policy::Kpa,
        min_scale: 2,
        max_scale: 2,
        ..freezing(0)
    });
    story.ready(1);
    story.ready(2);
    assert_eq!(story.wait(2_000), ["freeze 1", "freeze 2"]);
    let decision = story.pool.view(story.now).last_decision.unwrap();
    assert_eq!(decision.why.ready, 2);
    assert_eq!(story.wait(600_000), NONE);
}

#[test]
fn under_pressure_all_idle_ones_freeze_and_give_their_memory_back() {
    let mut story = Story::new(freezing(1));
    story.warm(3);
    story.acquire(1);
    assert_eq!(story.instances()[2], "3 ready 1");
    assert_eq!(pressure(&mut story, 0), ["freeze 1", "reclaim 1"]);
    // Once is enough.
    assert_eq!(pressure(&mut story, 0), NONE);
    story.release(3);
    assert_eq!(pressure(&mut story, 0), ["freeze 2", "reclaim 2"]);
}

#[test]
fn if_that_is_not_enough_the_idlest_go_within_the_bound() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        idle_timeout: Duration::from_secs(3_600),
        ..freezing(0)
    });
    story.warm(4);
    assert_eq!(pressure(&mut story, 4).len(), 8);
    assert_eq!(pressure(&mut story, 1), ["thaw 1", "stop 1"]);
    assert_eq!(
        pressure(&mut story, 4),
        ["thaw 2", "stop 2", "thaw 3", "stop 3"]
    );
    assert_eq!(pressure(&mut story, 4), NONE);
    assert_eq!(story.instances()[3], "4 frozen 0");
}

#[test]
fn one_that_was_used_since_has_memory_to_give() {
    let mut story = Story::new(ScaleSpec {
        idle_timeout: Duration::from_secs(3_600),
        ..freezing(0)
    });
    story.warm(1);
    pressure(&mut story, 0);
    story.acquire(1);
    story.release(1);
    assert_eq!(pressure(&mut story, 1), ["freeze 1", "reclaim 1"]);
    assert_eq!(pressure(&mut story, 1), ["thaw 1", "stop 1"]);
}

#[test]
fn the_heir_knows_who_is_frozen() {
    let mut story = Story::new(freezing(0));
    story.warm(3);
    story.wait(600);
    story.acquire(1);
    story.release(3);
    story.wait(400);
    assert_eq!(story.hand_over(100), NONE);
    assert_eq!(story.instances(), ["1 frozen 0", "2 frozen 0", "3 ready 0"]);
    assert_eq!(story.wait(500), ["freeze 3"]);
    assert_eq!(story.acquire(2), ["thaw 3", "grant 2 at 3"]);
    assert_eq!(story.wait(8_399), NONE);
    assert_eq!(story.wait(1), ["thaw 1", "stop 1", "thaw 2", "stop 2"]);
}

#[test]
fn an_heir_that_does_not_freeze_thaws() {
    let mut story = Story::new(freezing(0));
    story.warm(2);
    story.wait(1_000);
    let legacy = story.pool.legacy();
    let mut heir = Story::new(spec());
    heir.now = story.now;
    let inherited = heir.apply(Event::Inherited(Box::new(legacy.clone())));
    assert_eq!(inherited, ["thaw 2", "thaw 1"]);
    // Nor is one believed to be frozen that is in use.
    let mut odd = legacy;
    odd.instances[0].in_use = 1;
    let mut heir = Story::new(freezing(0));
    heir.now = story.now;
    assert_eq!(heir.apply(Event::Inherited(Box::new(odd))), ["thaw 1"]);
}
