//! Deadlines, drains, kills, and when the shell is to wake.

use super::*;

fn wakes(effects: &Effects) -> Vec<Timestamp> {
    let times = effects.iter().filter_map(|effect| match effect {
        Effect::WakeAt(time) => Some(*time),
        _ => None,
    });
    times.collect()
}

#[test]
fn waiters_expire_in_the_order_of_their_deadlines() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    story.acquire_within(1, 3_000);
    story.acquire_within(2, 1_000);
    story.acquire_within(3, 2_000);
    assert_eq!(story.wait(1_000), ["reject 2: expired"]);
    assert_eq!(
        story.wait(2_000),
        ["reject 3: expired", "reject 1: expired"]
    );
}

#[test]
fn no_slot_is_given_to_a_waiter_whose_time_is_over() {
    let mut story = Story::new(spec());
    story.acquire_within(1, 1_000);
    story.acquire_within(2, 5_000);
    story.now = story.now + Duration::from_secs(1);
    assert_eq!(story.ready(1), ["reject 1: expired", "grant 2 at 1 cold"]);
}

#[test]
fn a_request_without_any_patience_is_rejected() {
    let mut story = Story::new(spec());
    story.warm(1);
    assert_eq!(story.acquire_within(1, 0), ["reject 1: expired"]);
}

#[test]
fn the_warm_path_says_nothing_but_the_grant() {
    let mut story = Story::new(spec());
    story.warm(1);
    for waiter in 0..100 {
        story.now = story.now + Duration::from_millis(7);
        let deadline = story.now + Duration::from_secs(1);
        let acquired = story.effects(Event::Acquire {
            waiter: WaiterId(waiter),
            deadline,
        });
        assert_eq!(acquired.iter().count(), 1);
        let (outcome, since) = (Outcome::Answered, story.now);
        assert!(
            story
                .effects(Event::Release {
                    instance: id(1),
                    outcome,
                    since,
                })
                .is_empty()
        );
    }
}

#[test]
fn a_tick_that_comes_too_early_arms_the_timer_again() {
    let mut story = Story::new(spec());
    story.warm(1);
    let idle_end = story.now + Duration::from_secs(10);
    story.now = story.now + Duration::from_secs(4);
    assert_eq!(wakes(&story.effects(Event::Tick)), [idle_end]);
    assert_eq!(wakes(&story.effects(Event::Tick)), [idle_end]);
}

#[test]
fn a_pool_at_rest_never_wakes() {
    let mut story = Story::new(spec());
    assert_eq!(wakes(&story.effects(Event::Tick)), [Timestamp::MAX]);
    let kpa = ScaleSpec {
        policy: Policy::Kpa,
        ..spec()
    };
    let mut story = Story::new(kpa);
    assert_eq!(wakes(&story.effects(Event::Tick)), [Timestamp::MAX]);
}

#[test]
fn only_an_earlier_time_moves_the_timer() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let start = story.now;
    let mut acquire = |waiter, seconds| {
        let deadline = start + Duration::from_secs(seconds);
        wakes(&story.effects(Event::Acquire {
            waiter: WaiterId(waiter),
            deadline,
        }))
    };
    assert_eq!(acquire(1, 20), [start + Duration::from_secs(20)]);
    assert_eq!(acquire(2, 30), []);
    assert_eq!(acquire(3, 10), [start + Duration::from_secs(10)]);
}

#[test]
fn a_stop_that_takes_too_long_becomes_a_kill() {
    let mut story = Story::new(spec());
    story.warm(1);
    assert_eq!(story.wait(10_000), ["stop 1"]);
    assert_eq!(story.wait(4_999), NONE);
    assert_eq!(story.wait(1), ["kill 1"]);
    assert_eq!(story.wait(5_000), ["kill 1"]);
    story.exited(1);
    assert_eq!(story.wait(50_000), NONE);
}

#[test]
fn a_drain_that_takes_too_long_becomes_a_stop() {
    let mut story = Story::new(spec());
    story.warm(1);
    story.acquire(1);
    assert_eq!(story.apply(Event::Evict), ["drain 1"]);
    assert_eq!(story.wait(29_999), NONE);
    assert_eq!(story.wait(1), ["stop 1"]);
    assert_eq!(story.instances(), ["1 stopping 1"]);
    assert_eq!(story.release(1), NONE);
}

#[test]
fn time_never_runs_backwards() {
    let mut story = Story::new(spec());
    story.warm(1);
    let now = story.now;
    story.now = Timestamp::ZERO;
    story.acquire(1);
    story.release(1);
    story.now = now;
    assert_eq!(story.pool.view(now).instances[0].idle_since, Some(now));
}
