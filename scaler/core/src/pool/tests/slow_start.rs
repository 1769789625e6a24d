//! New instances that take few requests at first.

use super::*;

fn slow(concurrency: u32) -> ScaleSpec {
    ScaleSpec {
        concurrency,
        slow_start: Duration::from_secs(10),
        max_scale: 1,
        ..spec()
    }
}

#[test]
fn slots_grow_in_tenths_and_waiters_get_them() {
    let mut story = Story::new(slow(4));
    for waiter in 1..=5 {
        story.acquire(waiter);
    }
    assert_eq!(story.ready(1), ["grant 1 at 1 cold"]);
    // 4 * 5 / 10 is the first to be two, after half of the time.
    assert_eq!(story.wait(4_999), NONE);
    assert_eq!(story.wait(1), ["grant 2 at 1 cold"]);
    assert_eq!(story.wait(2_999), NONE);
    assert_eq!(story.wait(1), ["grant 3 at 1 cold"]);
    assert_eq!(story.wait(1_999), NONE);
    assert_eq!(story.wait(1), ["grant 4 at 1 cold"]);
    assert_eq!(story.wait(60_000), ["reject 5: expired"]);
}

#[test]
fn a_tenth_is_there_at_once() {
    let mut story = Story::new(slow(100));
    story.acquire(1);
    story.ready(1);
    assert_eq!(story.pool.view(story.now).instances[0].slots, 10);
    story.wait(2_000);
    assert_eq!(story.pool.view(story.now).instances[0].slots, 20);
    story.wait(8_000);
    assert_eq!(story.pool.view(story.now).instances[0].slots, 100);
}

#[test]
fn an_adopted_instance_is_not_new() {
    let mut story = Story::new(slow(4));
    story.apply(Event::Adopted { instance: id(1) });
    assert_eq!(story.pool.view(story.now).instances[0].slots, 4);
}

#[test]
fn the_setting_taken_back_opens_all_slots() {
    let mut story = Story::new(slow(2));
    for waiter in 1..=2 {
        story.acquire(waiter);
    }
    assert_eq!(story.ready(1), ["grant 1 at 1 cold"]);
    let plain = ScaleSpec {
        slow_start: Duration::ZERO,
        ..slow(2)
    };
    assert_eq!(
        story.apply(Event::Reconfigure(Box::new(plain))),
        ["grant 2 at 1 cold"]
    );
}
