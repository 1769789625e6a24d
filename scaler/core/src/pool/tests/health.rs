//! Instances that fail again and again.

use super::*;

fn careful() -> ScaleSpec {
    ScaleSpec {
        health: Health {
            failures: 3,
            ..spec().health
        },
        idle_timeout: Duration::from_secs(3_600),
        ..spec()
    }
}

/// `count` warm instances; the next request goes to the first.
fn story(count: u32, spec: ScaleSpec) -> Story {
    let mut story = Story::new(spec);
    story.warm(count);
    story
}

/// Has the instance that is used next fail.
fn fail(story: &mut Story, waiter: u64, instance: u32) -> Vec<String> {
    assert_eq!(
        story.acquire(waiter),
        [format!("grant {waiter} at {instance}")]
    );
    story.release_with(instance, Outcome::Failed)
}

#[test]
fn after_so_many_failures_in_a_row_an_instance_is_set_aside_and_tried_again() {
    let mut story = story(2, careful());
    for waiter in 1..=3 {
        assert_eq!(fail(&mut story, waiter, 2), NONE);
    }
    assert_eq!(story.instances(), ["1 ready 0", "2 aside 0"]);
    assert_eq!(story.acquire(4), ["grant 4 at 1"]);
    // It is no free slot, so a further request starts another instance.
    assert_eq!(story.acquire(5), ["start 3"]);
    assert_eq!(story.wait(10_000), ["grant 5 at 2"]);
    assert_eq!(story.instances()[1], "2 trial 1");
    // One request at a time, until one is answered.
    assert_eq!(story.release(2), NONE);
    assert_eq!(story.instances()[1], "2 ready 0");
}

#[test]
fn an_answer_in_between_starts_the_count_anew() {
    let mut story = story(2, careful());
    for waiter in [1, 2] {
        fail(&mut story, waiter, 2);
    }
    story.acquire(3);
    story.release(2);
    // A caller that left says nothing either way.
    story.acquire(4);
    story.release_with(2, Outcome::Unknown);
    for waiter in [5, 6] {
        fail(&mut story, waiter, 2);
    }
    assert_eq!(story.instances(), ["1 ready 0", "2 ready 0"]);
    fail(&mut story, 7, 2);
    assert_eq!(story.instances(), ["1 ready 0", "2 aside 0"]);
}

#[test]
fn the_last_one_is_never_set_aside() {
    let mut alone = story(1, careful());
    for waiter in 1..=20 {
        assert_eq!(fail(&mut alone, waiter, 1), NONE);
    }
    assert_eq!(alone.instances(), ["1 ready 0"]);

    let mut story = story(2, careful());
    for waiter in 1..=3 {
        fail(&mut story, waiter, 2);
    }
    for waiter in 4..=20 {
        fail(&mut story, waiter, 1);
    }
    assert_eq!(story.instances(), ["1 ready 0", "2 aside 0"]);
    // The good one ends, and the other one is all there is.
    assert_eq!(story.exited(1), NONE);
    assert_eq!(story.instances(), ["2 ready 0"]);
}

#[test]
fn no_more_than_the_share_are_aside_at_once() {
    let mut story = story(
        4,
        ScaleSpec {
            health: Health {
                max_ejected_percentage: 30.0,
                ..careful().health
            },
            ..careful()
        },
    );
    for waiter in 1..=3 {
        fail(&mut story, waiter, 4);
    }
    for waiter in 4..=9 {
        fail(&mut story, waiter, 3);
    }
    assert_eq!(
        story.instances(),
        ["1 ready 0", "2 ready 0", "3 ready 0", "4 aside 0"]
    );
}

#[test]
fn a_failed_trial_sets_it_aside_for_longer_and_then_it_is_replaced() {
    let mut story = story(
        2,
        ScaleSpec {
            health: Health {
                replace_after: 2,
                ..careful().health
            },
            min_scale: 2,
            ..careful()
        },
    );
    for waiter in 1..=3 {
        fail(&mut story, waiter, 2);
    }
    // Two are wanted, so another one is started for it.
    assert_eq!(story.ready(3), NONE);
    assert_eq!(story.wait(9_999), NONE);
    assert_eq!(story.instances()[1], "2 aside 0");
    assert_eq!(story.wait(1), NONE);
    assert_eq!(story.instances()[1], "2 trial 0");
    assert_eq!(fail(&mut story, 4, 2), NONE);
    assert_eq!(story.wait(19_999), NONE);
    assert_eq!(story.instances()[1], "2 aside 0");
    assert_eq!(story.wait(1), NONE);
    // The third time.
    assert_eq!(fail(&mut story, 5, 2), ["stop 2"]);
    assert_eq!(
        story.instances(),
        ["1 ready 0", "2 stopping 0", "3 ready 0"]
    );
}

#[test]
fn one_that_is_aside_goes_first() {
    let mut story = story(2, careful());
    for waiter in 1..=3 {
        fail(&mut story, waiter, 2);
    }
    let effects = story.apply(Event::Scale { desired: Some(0) });
    assert_eq!(effects, ["stop 2", "stop 1"]);
}

#[test]
fn a_retired_pool_leaves_none_behind() {
    let mut story = story(2, careful());
    for waiter in 1..=3 {
        fail(&mut story, waiter, 2);
    }
    assert_eq!(story.apply(Event::Retire), ["stop 2", "stop 1"]);
}
