//! `on-arrival`: when instances start, and when idle ones go.

use super::*;

#[test]
fn starts_are_bounded_by_max_scale() {
    let mut story = Story::new(spec());
    for waiter in 1..=4 {
        assert_eq!(story.acquire(waiter), [format!("start {waiter}")]);
    }
    assert_eq!(story.acquire(5), NONE);
}

#[test]
fn starts_are_bounded_by_max_starting() {
    let mut story = Story::new(ScaleSpec {
        max_starting: 2,
        ..spec()
    });
    story.acquire(1);
    story.acquire(2);
    assert_eq!(story.acquire(3), NONE);
    assert_eq!(story.ready(1), ["grant 1 at 1 cold", "start 3"]);
}

#[test]
fn a_stopping_instance_still_counts() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    story.warm(1);
    assert_eq!(story.wait(10_000), ["stop 1"]);
    assert_eq!(story.acquire(1), NONE);
    assert_eq!(story.exited(1), ["start 2"]);
}

#[test]
fn activation_scale_starts_more_than_the_first_request_needs() {
    let mut story = Story::new(ScaleSpec {
        activation_scale: 3,
        ..spec()
    });
    assert_eq!(story.acquire(1), ["start 1", "start 2", "start 3"]);
    for instance in 1..=3 {
        story.ready(instance);
    }
    // While the request runs, its two companions stay.
    assert_eq!(story.wait(20_000), NONE);
    story.release(1);
    assert_eq!(story.wait(10_000), ["stop 2", "stop 3", "stop 1"]);
}

#[test]
fn idle_instances_go_the_longest_idle_first() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    assert_eq!(story.instances(), ["1 starting 0"]);
    story.warm(3);
    story.wait(3_000);
    story.acquire(1);
    story.release(3);
    assert_eq!(story.wait(6_999), NONE);
    assert_eq!(story.wait(1), ["stop 1", "stop 2"]);
    // The last one is `min_scale`.
    assert_eq!(story.wait(100_000), ["kill 1", "kill 2"].repeat(20));
    assert_eq!(
        story.instances(),
        ["1 stopping 0", "2 stopping 0", "3 ready 0"]
    );
}

#[test]
fn the_idle_clock_starts_anew_with_each_request() {
    let mut story = Story::new(spec());
    story.warm(1);
    for waiter in 0..20 {
        assert_eq!(story.wait(9_000), NONE);
        story.acquire(waiter);
        story.release(1);
    }
    assert_eq!(story.wait(10_000), ["stop 1"]);
}

#[test]
fn a_request_at_the_very_end_of_the_idle_time_is_warm() {
    let mut story = Story::new(spec());
    story.warm(1);
    // The tick is late.
    story.now = story.now + Duration::from_secs(11);
    assert_eq!(story.acquire(1), ["grant 1 at 1"]);
    assert_eq!(story.wait(0), NONE);
}

#[test]
fn an_idle_timeout_of_zero_keeps_nothing() {
    let mut story = Story::new(ScaleSpec {
        idle_timeout: Duration::ZERO,
        ..spec()
    });
    story.acquire(1);
    story.ready(1);
    assert_eq!(story.release(1), ["stop 1"]);
}

#[test]
fn scale_down_waits_for_the_delay() {
    let delay = Duration::from_secs(25);
    let mut story = Story::new(ScaleSpec {
        scale_down_delay: delay,
        ..spec()
    });
    story.warm(2);
    assert_eq!(story.wait(24_999), NONE);
    assert_eq!(story.wait(1), ["stop 1", "stop 2"]);
}

#[test]
fn the_delay_counts_from_the_end_of_a_long_request() {
    let delay = Duration::from_secs(25);
    let mut story = Story::new(ScaleSpec {
        scale_down_delay: delay,
        ..spec()
    });
    story.warm(1);
    story.acquire(1);
    assert_eq!(story.wait(100_000), NONE);
    story.release(1);
    assert_eq!(story.wait(24_999), NONE);
    assert_eq!(story.wait(1), ["stop 1"]);
}

#[test]
fn initial_scale_starts_at_the_first_tick_and_goes_by_its_idle_clock() {
    let mut story = Story::untouched(ScaleSpec {
        initial_scale: 2,
        ..spec()
    });
    assert_eq!(story.apply(Event::Tick), ["start 1", "start 2"]);
    assert_eq!(story.apply(Event::Tick), NONE);
    story.ready(1);
    story.ready(2);
    assert_eq!(story.wait(10_000), ["stop 1", "stop 2"]);
}

#[test]
fn initial_scale_is_given_up_after_a_failure() {
    let mut story = Story::untouched(ScaleSpec {
        initial_scale: 2,
        ..spec()
    });
    story.apply(Event::Tick);
    story.start_failed(1);
    story.start_failed(2);
    assert_eq!(story.wait(100_000), NONE);
    assert_eq!(story.acquire(1), ["start 3"]);
}

#[test]
fn min_scale_is_kept_without_any_request() {
    let mut story = Story::untouched(ScaleSpec {
        min_scale: 2,
        ..spec()
    });
    assert_eq!(story.apply(Event::Tick), ["start 1", "start 2"]);
    story.ready(1);
    story.ready(2);
    story.acquire(1);
    story.release(2);
    assert_eq!(story.exited(2), ["start 3"]);
    assert_eq!(story.wait(100_000), NONE);
}

#[test]
fn a_proven_instance_that_ends_is_replaced_for_waiters_only() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    story.warm(1);
    story.acquire(1);
    story.acquire(2);
    assert_eq!(story.exited(1), ["start 2"]);
    assert_eq!(story.ready(2), ["grant 2 at 2 cold"]);
    story.release(2);
    assert_eq!(story.exited(2), NONE);
    assert!(story.pool.view(story.now).last_failure.is_none());
}

#[test]
fn adopted_instances_are_warm() {
    let mut story = Story::untouched(spec());
    assert_eq!(
        story.apply(Event::Adopted {
            instance: InstanceId::new(3, 9)
        }),
        NONE
    );
    story.apply(Event::Tick);
    assert_eq!(story.acquire(1), ["grant 1 at 9"]);
    assert_eq!(story.acquire(2), ["start 1"]);
}

#[test]
fn an_id_is_not_given_out_again_after_adoption() {
    let mut story = Story::untouched(spec());
    story.apply(Event::Adopted { instance: id(5) });
    story.acquire(1);
    assert_eq!(story.acquire(2), ["start 6"]);
}

#[test]
fn adopted_instances_beyond_max_scale_go() {
    let mut story = Story::untouched(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    story.apply(Event::Adopted { instance: id(1) });
    assert_eq!(story.apply(Event::Adopted { instance: id(2) }), ["stop 1"]);
}

#[test]
fn a_lower_max_scale_applies_at_once_and_lets_requests_finish() {
    let mut story = Story::new(spec());
    story.warm(3);
    story.acquire(1);
    story.acquire(2);
    let lower = ScaleSpec {
        max_scale: 1,
        ..spec()
    };
    assert_eq!(
        story.apply(Event::Reconfigure(Box::new(lower))),
        ["stop 1", "drain 2"]
    );
    assert_eq!(
        story.instances(),
        ["1 stopping 0", "2 draining 1", "3 ready 1"]
    );
    assert_eq!(story.release(2), ["stop 2"]);
}

#[test]
fn a_higher_min_scale_applies_at_once() {
    let mut story = Story::new(spec());
    let higher = ScaleSpec {
        min_scale: 2,
        ..spec()
    };
    assert_eq!(
        story.apply(Event::Reconfigure(Box::new(higher))),
        ["start 1", "start 2"]
    );
}

#[test]
fn a_shorter_idle_timeout_applies_at_once() {
    let mut story = Story::new(spec());
    story.warm(1);
    story.wait(5_000);
    let shorter = ScaleSpec {
        idle_timeout: Duration::from_secs(3),
        ..spec()
    };
    assert_eq!(
        story.apply(Event::Reconfigure(Box::new(shorter))),
        ["stop 1"]
    );
}

#[test]
fn adoption_is_not_a_first_registration() {
    let mut story = Story::untouched(ScaleSpec {
        initial_scale: 2,
        ..spec()
    });
    assert_eq!(story.apply(Event::Adopted { instance: id(1) }), NONE);
    assert_eq!(story.apply(Event::Tick), NONE);
}

#[test]
fn an_instance_is_not_forgotten_behind_one_that_stayed_too_long() {
    let mut story = Story::new(ScaleSpec {
        activation_scale: 3,
        ..spec()
    });
    story.warm(3);
    story.acquire(1);
    // 1 and 2 stay, for there is load.
    assert_eq!(story.wait(15_000), NONE);
    story.acquire(2);
    story.release(2);
    // The load is gone at once and with it the reason to keep 1; 2 was used just now.
    assert_eq!(story.exited(3), ["stop 1"]);
    assert_eq!(story.wait(4_999), NONE);
    assert_eq!(story.wait(5_001), ["kill 1", "kill 1", "stop 2"]);
}
