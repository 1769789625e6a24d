//! What a pool knows of its instances goes with them to the next one.

use super::*;

/// Two warm instances, of which the second is set aside.
fn with_one_aside() -> Story {
    let mut story = Story::new(ScaleSpec {
        health: Health {
            failures: 2,
            replace_after: 2,
            ..spec().health
        },
        idle_timeout: Duration::from_secs(3_600),
        max_scale: 2,
        ..spec()
    });
    story.warm(2);
    for waiter in 1..=2 {
        story.acquire(waiter);
        story.release_with(2, Outcome::Failed);
    }
    assert_eq!(story.instances(), ["1 ready 0", "2 aside 0"]);
    story
}

#[test]
fn an_instance_stays_aside_until_the_time_that_was_set() {
    let mut story = with_one_aside();
    assert_eq!(story.wait(9_000), NONE);
    assert_eq!(story.hand_over(400), NONE);
    assert_eq!(story.instances(), ["1 ready 0", "2 aside 0"]);
    assert_eq!(story.acquire(3), ["grant 3 at 1"]);
    assert_eq!(story.acquire(4), NONE);
    assert_eq!(story.wait(599), NONE);
    assert_eq!(story.wait(1), ["grant 4 at 2"]);
    // Still on trial in the third one, and its ejections count on.
    assert_eq!(story.hand_over(0), NONE);
    assert_eq!(story.instances(), ["1 ready 1", "2 trial 1"]);
    story.release_with(2, Outcome::Failed);
    assert_eq!(story.instances()[1], "2 aside 0");
    assert_eq!(story.wait(19_999), NONE);
    story.hand_over(0);
    assert_eq!(story.wait(1), NONE);
    story.release(1);
    assert_eq!(story.acquire(5), ["grant 5 at 1"]);
    assert_eq!(story.acquire(6), ["grant 6 at 2"]);
    assert_eq!(story.release_with(2, Outcome::Failed)[0], "stop 2");
}

#[test]
fn a_trial_that_falls_due_meanwhile_begins_at_once() {
    let mut story = with_one_aside();
    story.acquire(3);
    story.acquire(4);
    story.wait(9_900);
    assert_eq!(story.hand_over(200), ["grant 4 at 2"]);
    assert_eq!(story.instances(), ["1 ready 1", "2 trial 1"]);
}

#[test]
fn failures_so_far_count_on() {
    let mut story = Story::new(ScaleSpec {
        health: Health {
            failures: 2,
            ..spec().health
        },
        idle_timeout: Duration::from_secs(3_600),
        ..spec()
    });
    story.warm(2);
    story.acquire(1);
    story.release_with(2, Outcome::Failed);
    story.hand_over(0);
    assert_eq!(story.acquire(2), ["grant 2 at 2"]);
    story.hand_over(0);
    // The lease of the former pool ends in this one.
    story.release_with(2, Outcome::Failed);
    assert_eq!(story.instances(), ["1 ready 0", "2 aside 0"]);
}

#[test]
fn a_slow_start_goes_on_where_it_was() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 100,
        slow_start: Duration::from_secs(10),
        max_scale: 1,
        ..spec()
    });
    story.acquire(1);
    story.ready(1);
    story.wait(2_000);
    story.hand_over(500);
    let slots = |story: &Story| story.pool.view(story.now).instances[0].slots;
    assert_eq!(slots(&story), 20);
    story.wait(500);
    assert_eq!(slots(&story), 30);
    story.hand_over(2_000);
    assert_eq!(slots(&story), 50);
    story.hand_over(5_000);
    assert_eq!(slots(&story), 100);
}

#[test]
fn what_was_learned_refuses_at_once() {
    let mut story = Story::new(ScaleSpec {
        admission: Admission::Deadline,
        max_scale: 1,
        ..spec()
    });
    story.acquire(0);
    story.ready(1);
    for waiter in 1..=10 {
        story.wait(1_000);
        story.release(1);
        story.acquire(waiter);
    }
    story.hand_over(100);
    assert_eq!(
        story.pool.expected_wait(story.now),
        Some(Duration::from_secs(1))
    );
    assert_eq!(story.acquire_within(20, 900), ["reject 20: too late, 1s"]);
    assert_eq!(story.acquire_within(21, 1_100), NONE);
    // The lease from before is as long as it was, and the newcomer does not see it shorter.
    story.wait(900);
    assert_eq!(story.release(1), ["grant 21 at 1"]);
    assert_eq!(
        story.pool.expected_wait(story.now),
        Some(Duration::from_secs(1))
    );
}

#[test]
fn times_that_cannot_be_are_not_believed() {
    let mut story = Story::new(ScaleSpec {
        admission: Admission::Deadline,
        max_scale: 1,
        ..spec()
    });
    story.warm(1);
    let mut legacy = story.pool.legacy();
    legacy.learned.service = Moments {
        count: u32::MAX,
        mean: f64::NAN,
        deviation: -1.0,
    };
    legacy.learned.start = Moments {
        count: u32::MAX,
        mean: 1.0,
        deviation: 1.0,
    };
    let mut heir = Story::new((*story.pool.spec).clone());
    heir.apply(Event::Inherited(Box::new(legacy)));
    let learned = heir.pool.legacy().learned;
    assert_eq!(learned.service, Moments::default());
    assert_eq!(learned.start.count, 32);
    heir.acquire(1);
    assert_eq!(heir.pool.expected_wait(heir.now), None);
}
