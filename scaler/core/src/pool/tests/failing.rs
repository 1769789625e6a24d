//! Starts that fail, programs that end, and what callers are told.

use super::*;

#[test]
fn a_failed_start_is_tried_again_after_the_backoff() {
    let mut story = Story::new(spec());
    story.acquire(1);
    assert_eq!(story.start_failed(1), NONE);
    assert_eq!(story.wait(999), NONE);
    assert_eq!(story.wait(1), ["start 2"]);
    assert_eq!(story.start_failed(2), NONE);
    assert_eq!(story.wait(1_999), NONE);
    assert_eq!(story.wait(1), ["start 3"]);
    assert_eq!(story.ready(3), ["grant 1 at 3 cold"]);
}

#[test]
fn repeated_failures_reach_those_who_wait() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.start_failed(1);
    story.wait(1_000);
    story.start_failed(2);
    story.wait(2_000);
    story.acquire(2);
    assert_eq!(
        story.start_failed(3),
        ["reject 1: exit code 1", "reject 2: exit code 1"]
    );
    // And those who come before the delay is over.
    assert_eq!(story.acquire(3), ["reject 3: exit code 1"]);
    assert_eq!(story.wait(3_999), NONE);
    assert_eq!(story.acquire(4), ["reject 4: exit code 1"]);
    // Then one start is tried, not more.
    assert_eq!(story.wait(1), NONE);
    assert_eq!(story.acquire(5), ["start 4"]);
    assert_eq!(story.acquire(6), NONE);
    assert_eq!(
        story.start_failed(4),
        ["reject 5: exit code 1", "reject 6: exit code 1"]
    );
}

#[test]
fn the_first_answer_forgives() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.acquire(2);
    story.start_failed(1);
    story.start_failed(2);
    assert_eq!(story.wait(1_000), ["start 3"]);
    // It listens, but that proves little.
    assert_eq!(story.ready(3), ["grant 1 at 3 cold", "start 4"]);
    story.acquire(3);
    assert_eq!(
        story
            .pool
            .view(story.now)
            .last_failure
            .as_ref()
            .map(|last| last.1),
        Some(1)
    );
    assert_eq!(story.release(3), ["grant 2 at 3 cold"]);
    assert!(story.pool.view(story.now).last_failure.is_none());
}

#[test]
fn starts_that_fail_together_count_as_one() {
    let mut story = Story::new(spec());
    for waiter in 1..=4 {
        story.acquire(waiter);
    }
    for instance in 1..=4 {
        assert_eq!(story.start_failed(instance), NONE);
    }
    let view = story.pool.view(story.now);
    assert_eq!(view.last_failure.map(|last| last.1), Some(1));
    assert_eq!(view.backoff_until, Some(story.now + Duration::from_secs(1)));
    assert_eq!(story.wait(1_000), ["start 5"]);
}

#[test]
fn the_delay_doubles_up_to_its_maximum() {
    let backoff = spec().backoff;
    let delays: Vec<u64> = (0..=7)
        .map(|count| backoff.delay(count).as_secs())
        .collect();
    assert_eq!(delays, [0, 1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(backoff.delay(u32::MAX), backoff.max);
}

#[test]
fn callers_have_waited_enough_for_a_program_that_never_listened() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.acquire(2);
    assert_eq!(
        story.start_failed_with(1, FailureKind::NeverListened),
        ["reject 1: exit code 1", "reject 2: exit code 1"]
    );
    // It is only the first failure: who comes now may wait for the next try.
    assert_eq!(story.start_failed_with(2, FailureKind::NeverListened), NONE);
    assert_eq!(story.acquire(3), NONE);
    assert_eq!(story.wait(1_000), ["start 3"]);
}

#[test]
fn a_failure_beside_a_ready_instance_rejects_nobody() {
    let backoff = Backoff {
        reject_after: 1,
        ..spec().backoff
    };
    let mut story = Story::new(ScaleSpec {
        max_scale: 2,
        backoff,
        ..spec()
    });
    story.warm(1);
    story.acquire(1);
    assert_eq!(story.acquire(2), ["start 2"]);
    assert_eq!(story.start_failed_with(2, FailureKind::NeverListened), NONE);
    assert_eq!(story.acquire(3), NONE);
    assert_eq!(story.release(1), ["grant 2 at 1"]);
    // With the last one gone, nobody can serve the rest before the delay is over.
    assert_eq!(story.exited(1), ["reject 3: exit code 1"]);
}

#[test]
fn answers_of_an_old_instance_do_not_forgive_failing_starts() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 2,
        ..spec()
    });
    story.warm(1);
    story.acquire(1);
    story.acquire(2);
    story.start_failed(2);
    story.release(1);
    story.release(1);
    assert_eq!(
        story.pool.view(story.now).last_failure.map(|last| last.1),
        Some(1)
    );
}

#[test]
fn an_exit_before_the_first_answer_is_a_failed_start() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.ready(1);
    story.release_with(1, Outcome::Unknown);
    assert_eq!(story.exited(1), NONE);
    assert_eq!(story.acquire(2), NONE);
    assert_eq!(story.wait(1_000), ["start 2"]);
}

#[test]
fn min_scale_is_tried_again_and_again() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 2,
        ..spec()
    });
    story.start_failed(1);
    assert_eq!(story.start_failed(2), NONE);
    assert_eq!(story.wait(1_000), ["start 3"]);
    story.start_failed(3);
    assert_eq!(story.wait(2_000), ["start 4"]);
    // One at a time, but ready is enough for the next one.
    assert_eq!(story.ready(4), ["start 5"]);
}

#[test]
fn the_cause_is_told_to_those_who_run_out_of_time() {
    let mut story = Story::new(spec());
    story.acquire_within(1, 500);
    story.start_failed(1);
    assert_eq!(story.wait(500), ["reject 1: expired, exit code 1"]);
}

#[test]
fn an_unreachable_instance_is_stopped_and_replaced_for_waiters() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 2,
        ..spec()
    });
    story.warm(1);
    story.acquire(1);
    assert_eq!(
        story.apply(Event::Unhealthy { instance: id(1) }),
        ["stop 1"]
    );
    assert_eq!(story.apply(Event::Unhealthy { instance: id(1) }), NONE);
    assert_eq!(story.acquire(2), ["start 2"]);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.exited(1), NONE);
}

#[test]
fn an_unreachable_instance_without_an_answer_is_one_failure() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.ready(1);
    assert_eq!(
        story.apply(Event::Unhealthy { instance: id(1) }),
        ["stop 1"]
    );
    assert_eq!(story.acquire(2), NONE);
    story.exited(1);
    let last = story.pool.view(story.now).last_failure.unwrap();
    assert_eq!((&*last.0.detail, last.1), ("exit code 1", 1));
    assert_eq!(story.wait(1_000), ["start 2"]);
}

#[test]
fn an_instance_that_was_told_to_end_has_not_failed() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.cancel(1);
    assert_eq!(story.apply(Event::Evict), ["stop 1"]);
    story.start_failed(1);
    assert!(story.pool.view(story.now).last_failure.is_none());
    assert_eq!(story.acquire(2), ["start 2"]);
}

#[test]
fn requests_are_sent_ahead_of_a_start_only_while_starts_work_and_there_is_room() {
    let mut story = Story::new(spec());
    let most = spec().max_starting;
    assert!(story.pool.may_begin(most) && !story.pool.may_begin(most + 1));
    story.acquire(1);
    assert!(!story.pool.may_begin(most), "the one that starts counts");
    assert!(story.pool.may_begin(0));
    story.start_failed(1);
    assert!(!story.pool.may_begin(0));
    assert_eq!(story.wait(1_000), ["start 2"]);
    assert_eq!(story.ready(2), ["grant 1 at 2 cold"]);
    assert!(!story.pool.may_begin(0), "it has not answered");
    story.release(2);
    assert!(story.pool.may_begin(0));
}
