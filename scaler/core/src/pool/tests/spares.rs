//! Processes that are kept ready for the next starts.

use super::*;
use crate::SpareSpec;

const SPARES: SpareSpec = SpareSpec {
    least: 1,
    most: 3,
    idle_timeout: Duration::from_secs(60),
    eager: false,
    refill: Duration::from_millis(10),
};

fn with(spares: SpareSpec) -> ScaleSpec {
    ScaleSpec {
        max_starting: 4,
        spares: Some(spares),
        ..spec()
    }
}

#[test]
fn the_first_request_has_something_kept_ready_and_a_long_silence_ends_it() {
    let mut story = Story::new(with(SPARES));
    assert_eq!(story.acquire(1), ["start 1", "prepare 1"]);
    assert_eq!(story.ready(1), ["grant 1 at 1 cold"]);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.wait(10_000), ["stop 1"]);
    assert_eq!(story.exited(1), NONE);
    assert_eq!(story.wait(49_999), NONE);
    assert_eq!(story.wait(1), ["prepare nothing"]);
    assert_eq!(story.acquire(2), ["start 2", "prepare 1"]);
}

#[test]
fn a_burst_raises_the_number_for_a_while() {
    let mut story = Story::new(with(SPARES));
    assert_eq!(story.acquire(1), ["start 1", "prepare 1"]);
    assert_eq!(story.acquire(2), ["start 2", "prepare 2"]);
    assert_eq!(story.acquire(3), ["start 3", "prepare 3"]);
    assert_eq!(
        story.acquire(4),
        ["start 4"],
        "no more than the settings allow"
    );
    for count in 1..=4 {
        story.ready(count);
    }
    // One request runs on, so that only the burst is forgotten.
    for count in 2..=4 {
        story.release(count);
    }
    assert_eq!(story.wait(10_000), ["stop 2", "stop 3", "stop 4"]);
    for count in 2..=4 {
        story.exited(count);
    }
    assert_eq!(story.wait(49_999), NONE);
    assert_eq!(story.wait(1), ["prepare 1"]);
}

#[test]
fn starts_one_after_the_other_are_no_burst() {
    let mut story = Story::new(with(SPARES));
    assert_eq!(story.acquire(1), ["start 1", "prepare 1"]);
    story.wait(5);
    story.ready(1);
    story.wait(20);
    assert_eq!(story.acquire(2), ["start 2"]);
}

#[test]
fn a_warm_request_after_a_silence_has_it_kept_ready_again() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..with(SPARES)
    });
    story.ready(1);
    assert_eq!(story.wait(60_000), ["prepare nothing"]);
    assert_eq!(story.acquire(1), ["grant 1 at 1", "prepare 1"]);
}

#[test]
fn an_eager_function_is_ready_from_its_registration_until_it_is_retired() {
    let eager = SpareSpec {
        eager: true,
        ..SPARES
    };
    let mut story = Story::untouched(with(eager));
    assert_eq!(story.apply(Event::Tick), ["prepare 1"]);
    assert_eq!(story.wait(3_600_000), NONE);
    assert_eq!(story.apply(Event::Retire), ["prepare nothing"]);
}

#[test]
fn an_heir_keeps_ready_what_was_used_and_nothing_else() {
    let mut story = Story::new(with(SPARES));
    assert_eq!(story.hand_over(5), NONE, "it was never used");
    let mut story = Story::new(with(SPARES));
    story.acquire(1);
    assert_eq!(story.ready(1), ["grant 1 at 1 cold"]);
    assert_eq!(story.hand_over(5), ["prepare 1"]);
}

#[test]
fn other_settings_hold_at_once() {
    let mut story = Story::new(with(SPARES));
    story.acquire(1);
    let more = SpareSpec { least: 2, ..SPARES };
    let changed = story.apply(Event::Reconfigure(Box::new(with(more))));
    assert_eq!(changed, ["prepare 2"]);
    let without = story.apply(Event::Reconfigure(Box::new(spec())));
    assert_eq!(without, ["prepare nothing"]);
}

#[test]
fn want_of_memory_ends_it_until_the_next_request() {
    let mut story = Story::new(with(SPARES));
    story.acquire(1);
    story.ready(1);
    assert_eq!(story.apply(Event::ForgoSpares), NONE, "a request runs");
    story.release(1);
    assert_eq!(story.apply(Event::ForgoSpares), ["prepare nothing"]);
    assert_eq!(story.acquire(2), ["grant 2 at 1", "prepare 1"]);
    let eager = SpareSpec {
        eager: true,
        ..SPARES
    };
    let mut story = Story::new(with(eager));
    assert_eq!(story.apply(Event::ForgoSpares), ["prepare nothing"]);
    assert_eq!(story.wait(3_600_000), NONE);
    assert_eq!(story.acquire(1), ["start 1", "prepare 1"]);
}
