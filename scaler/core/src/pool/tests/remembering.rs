//! What a pool remembers goes with its instances to the next one.

use super::*;
use crate::FloorStep;

fn kpa() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Kpa,
        max_scale: 20,
        max_starting: 20,
        ..spec()
    }
}

/// Ten requests for half a minute: 15 instances, in panic at first.
fn surged(spec: ScaleSpec) -> Story {
    let mut story = Story::new(spec);
    for waiter in 1..=10 {
        story.acquire(waiter);
    }
    story.wait(4_000);
    for number in 1..=15 {
        story.ready(number);
    }
    story.wait(26_000);
    story
}

fn load(story: &Story) -> (f64, f64) {
    let decision = story.pool.view(story.now).last_decision.unwrap();
    let load = decision.why.load.unwrap();
    (load.stable, load.panic)
}

#[test]
fn kpa_goes_on_with_its_averages_and_its_panic() {
    let mut former = surged(kpa());
    let mut heir = surged(kpa());
    assert_eq!(heir.hand_over(0), NONE);
    for number in 1..=10 {
        former.release(number);
        heir.release(number);
    }
    for _ in 0..60 {
        former.wait(2_000);
        heir.wait(2_000);
        let word = |story: &Story| {
            let view = story.pool.view(story.now);
            let why = view.last_decision.unwrap().why;
            (
                why.mode,
                why.panic_peak,
                why.desired,
                why.clamp,
                view.instances.len(),
            )
        };
        assert_eq!(word(&former), word(&heir));
        let (before, after) = (load(&former), load(&heir));
        assert!((before.0 - after.0).abs() < 1e-9 && (before.1 - after.1).abs() < 1e-9);
    }
}

#[test]
fn the_time_in_which_nobody_decides_is_part_of_the_averages() {
    let mut story = surged(kpa());
    story.hand_over(5_000);
    // Ten requests all the time, those meanwhile included.
    let (stable, panic) = load(&story);
    assert!((stable - 10.0).abs() < 1e-9 && (panic - 10.0).abs() < 1e-9);
}

#[test]
fn what_a_policy_wanted_lately_is_still_wanted() {
    let mut story = Story::new(ScaleSpec {
        scale_down_delay: Duration::from_secs(30),
        idle_timeout: Duration::ZERO,
        ..spec()
    });
    story.warm(3);
    assert_eq!(story.wait(10_000), NONE);
    assert_eq!(story.hand_over(0), NONE);
    assert_eq!(story.wait(19_000), NONE);
    assert_eq!(story.wait(1_000).len(), 3);
}

#[test]
fn a_schedule_holds_while_the_heir_has_none_of_its_own() {
    let mut story = Story::new(ScaleSpec {
        idle_timeout: Duration::from_secs(1),
        ..spec()
    });
    let step = |seconds, min_scale| FloorStep {
        at: Timestamp::ZERO + Duration::from_secs(seconds),
        min_scale,
    };
    let steps = vec![step(0, 2), step(100, 0)];
    assert_eq!(story.apply(Event::Schedule(steps)), ["start 1", "start 2"]);
    story.ready(1);
    story.ready(2);
    story.wait(50_000);
    assert_eq!(story.hand_over(0), NONE);
    assert_eq!(story.wait(48_000), NONE);
    assert_eq!(story.wait(2_000).len(), 2);
}

#[test]
fn what_cannot_be_is_not_remembered() {
    let memory = surged(kpa()).pool.legacy().memory;
    for (place, word) in [(0, 7), (2, u64::MAX), (4, u64::MAX), (5, u64::MAX)] {
        let mut legacy = surged(kpa()).pool.legacy();
        legacy.memory.clone_from(&memory);
        legacy.memory[place] = word;
        let mut heir = Story::untouched(kpa());
        heir.now = heir.now + Duration::from_secs(60);
        heir.apply(Event::Inherited(Box::new(legacy)));
        // As after a restart: nothing of the load, and in panic with what there is.
        let why = heir.pool.view(heir.now).last_decision.unwrap().why;
        let load = why.load.map(|load| load.stable);
        assert_eq!((load, why.panic_peak), (Some(0.0), 15), "{place}");
    }
    // Cut off anywhere it is as good as nothing, or as what came before.
    for length in 0..memory.len() {
        let mut legacy = surged(kpa()).pool.legacy();
        legacy.memory.truncate(length);
        let mut heir = Story::untouched(kpa());
        heir.now = heir.now + Duration::from_secs(60);
        heir.apply(Event::Inherited(Box::new(legacy)));
    }
}
