//! Refusing at once what would wait for too long.

use super::*;

/// Starts that took 200 ms, and then eight requests of a second each, on each of `count` instances.
fn seasoned(count: u32, settings: ScaleSpec) -> Story {
    let mut story = Story::new(ScaleSpec {
        admission: Admission::Deadline,
        max_scale: count,
        max_starting: count,
        idle_timeout: Duration::from_secs(600),
        ..settings
    });
    for waiter in 0..u64::from(count) {
        story.acquire(1_000 + waiter);
    }
    story.wait(200);
    for instance in 1..=count {
        story.ready(instance);
    }
    for round in 0..8_u64 {
        story.wait(1_000);
        for instance in 1..=count {
            story.release(instance);
        }
        if round < 7 {
            for waiter in 0..u64::from(count) {
                story.acquire(2_000 + 100 * round + waiter);
            }
        }
    }
    story
}

#[test]
fn a_request_that_would_wait_longer_than_its_deadline_is_refused_at_once() {
    let mut story = seasoned(4, spec());
    for waiter in 1..=4 {
        story.acquire_within(waiter, 10);
    }
    // Four slots of a second each: the next one opens after a quarter, on average.
    assert_eq!(story.acquire_within(5, 249), ["reject 5: too late, 250ms"]);
    assert_eq!(story.acquire_within(6, 250), NONE);
    assert_eq!(story.acquire_within(7, 499), ["reject 7: too late, 500ms"]);
    assert_eq!(
        story.pool.expected_wait(story.now),
        Some(Duration::from_millis(500))
    );
    // Those who are patient stay in order, and nobody who waits is refused for another.
    assert_eq!(story.acquire_within(8, 60_000), NONE);
    assert_eq!(story.release(1), ["grant 6 at 1"]);
    assert_eq!(story.release(2), ["grant 8 at 2"]);
}

#[test]
fn an_idle_pool_refuses_nobody() {
    let mut story = seasoned(2, spec());
    assert_eq!(story.pool.expected_wait(story.now), Some(Duration::ZERO));
    assert_eq!(story.acquire_within(1, 1), ["grant 1 at 2"]);
    assert_eq!(story.acquire_within(2, 1), ["grant 2 at 1"]);
    assert_eq!(story.acquire_within(3, 1), ["reject 3: too late, 500ms"]);
}

#[test]
fn nothing_is_refused_before_enough_was_measured() {
    let mut story = Story::new(ScaleSpec {
        admission: Admission::Deadline,
        max_scale: 1,
        ..spec()
    });
    story.acquire(1);
    story.ready(1);
    for waiter in 2..=8 {
        assert_eq!(story.acquire_within(waiter, 1), NONE, "{waiter}");
        story.cancel(waiter);
        story.wait(1_000);
        story.release(1);
        story.acquire(100 + waiter);
    }
    assert_eq!(story.pool.expected_wait(story.now), None);
    // The eighth sample.
    story.wait(1_000);
    story.release(1);
    story.acquire(200);
    assert_eq!(story.acquire_within(201, 999), ["reject 201: too late, 1s"]);
}

#[test]
fn what_varies_is_refused_only_beyond_its_margin() {
    let mut story = Story::new(ScaleSpec {
        admission: Admission::Deadline,
        max_scale: 1,
        ..spec()
    });
    story.acquire(0);
    story.ready(1);
    for round in 0..40_u64 {
        story.wait(if round % 2 == 0 { 500 } else { 1_500 });
        story.release(1);
        story.acquire(1 + round);
    }
    let expected = story.pool.expected_wait(story.now).unwrap();
    assert!(
        (0.98..1.02).contains(&expected.as_secs_f64()),
        "{expected:?}"
    );
    // The mean deviation is half a second, the margin half of that.
    assert_eq!(story.acquire_within(100, 800), NONE);
    story.cancel(100);
    assert_eq!(story.acquire_within(101, 700).len(), 1);
}

#[test]
fn a_request_in_a_hurry_still_starts_what_the_next_one_finds() {
    let mut story = Story::new(ScaleSpec {
        admission: Admission::Deadline,
        idle_timeout: Duration::from_secs(1),
        ..spec()
    });
    for round in 1..=3 {
        assert_eq!(story.acquire(u64::from(round)), [format!("start {round}")]);
        story.wait(2_000);
        story.ready(round);
        story.release(round);
        story.wait(1_000);
        story.exited(round);
    }
    assert_eq!(
        story.acquire_within(4, 1_000),
        ["start 4", "reject 4: too late, 2s"]
    );
    // Half of the start is over, and the estimate knows.
    story.wait(1_100);
    assert_eq!(
        story.pool.expected_wait(story.now),
        Some(Duration::from_millis(900))
    );
    assert_eq!(story.acquire_within(5, 900), NONE);
    story.wait(800);
    assert_eq!(story.ready(4), ["grant 5 at 4 cold"]);
}

#[test]
fn the_setting_turns_it_off() {
    let mut story = seasoned(1, spec());
    let off = ScaleSpec {
        max_scale: 1,
        ..spec()
    };
    story.apply(Event::Reconfigure(Box::new(off)));
    story.acquire(1);
    assert_eq!(story.acquire_within(2, 10), NONE);
    assert_eq!(story.wait(10), ["reject 2: expired"]);
}
