//! The pool under `histogram`.

use super::*;

/// Bins of a minute.
fn histogram() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Histogram,
        ..spec()
    }
}

/// A request of a second every ten and a half minutes, eight idle times so far. The last instance
/// is number nine.
fn timer() -> Story {
    let mut story = Story::new(histogram());
    for number in 1..=9 {
        assert_eq!(story.acquire(number), [format!("start {number}")]);
        story.ready(number as u32);
        story.wait(1_000);
        story.release(number as u32);
        if number < 9 {
            // Nothing is known yet: it goes by the fixed idle time.
            assert_eq!(story.wait(10_000), [format!("stop {number}")]);
            story.exited(number as u32);
            story.wait(620_000);
        }
    }
    story
}

#[test]
fn an_instance_comes_before_its_request_and_goes_after_it() {
    let mut story = timer();
    // By now the pause is known: the last one went at once.
    assert_eq!(story.instances(), ["9 stopping 0"]);
    story.exited(9);
    assert_eq!(story.wait(539_000), NONE);
    assert_eq!(story.wait(1_000), ["start 10"]);
    story.ready(10);
    assert_eq!(story.wait(89_000), NONE);
    assert_eq!(story.acquire(10), ["grant 10 at 10"]);
    story.wait(1_000);
    assert_eq!(story.release(10), ["stop 10"]);
}

#[test]
fn it_goes_if_the_request_does_not_come() {
    let mut story = timer();
    story.exited(9);
    assert_eq!(story.wait(540_000), ["start 10"]);
    story.ready(10);
    assert_eq!(story.wait(185_000), NONE);
    assert_eq!(story.wait(1_000), ["stop 10"]);
    story.exited(10);
    assert_eq!(story.wait(10_000_000), NONE);
    // It is met on arrival then.
    assert_eq!(story.acquire(11), ["start 11"]);
}

#[test]
fn what_it_learned_goes_to_the_heir_and_not_to_another_policy() {
    let mut story = timer();
    story.exited(9);
    story.wait(100_000);
    assert_eq!(story.hand_over(0), NONE);
    assert_eq!(story.wait(439_000), NONE);
    let started = story.wait(1_000);
    // The ids of the heir begin anew.
    assert_eq!(started, ["start 1"]);

    let mut story = timer();
    story.exited(9);
    let fixed = Box::new(spec());
    story.apply(Event::Reconfigure(fixed));
    story.apply(Event::Reconfigure(Box::new(histogram())));
    assert_eq!(story.wait(600_000), NONE);
}

#[test]
fn it_keeps_what_it_knows_when_a_knob_changes() {
    let mut story = timer();
    story.exited(9);
    story.apply(Event::Reconfigure(Box::new(ScaleSpec {
        max_scale: 2,
        ..histogram()
    })));
    assert_eq!(story.wait(540_000), ["start 10"]);
    let mut story = timer();
    story.exited(9);
    story.apply(Event::Reconfigure(Box::new(ScaleSpec {
        histogram_range: Duration::from_secs(60),
        ..histogram()
    })));
    assert_eq!(story.wait(540_000), NONE);
}
