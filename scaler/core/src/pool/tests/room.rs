//! Bursts, and what is given up when the machine has no room.

use proptest::prelude::*;

use super::*;

/// So many requests at once, none of which finds a free slot, then every start comes up.
fn starts_of_burst(story: &mut Story, count: u64) -> usize {
    let before = story.instances().len();
    for waiter in 1..=count {
        story.acquire(waiter);
    }
    story.instances().len() - before
}

proptest! {
    /// `min(max_scale, ceil(requests / concurrency))`, and never more than `max_starting` at once.
    #[test]
    fn a_burst_causes_the_starts_that_it_needs(
        requests in 1_u64..300,
        concurrency in 1_u32..20,
        max_scale in 1_u32..60,
        max_starting in 1_u32..60,
    ) {
        let mut story = Story::new(ScaleSpec {
            concurrency,
            max_scale,
            max_starting,
            ..spec()
        });
        let needed = requests.div_ceil(u64::from(concurrency)).min(u64::from(max_scale)) as u32;
        let first = starts_of_burst(&mut story, requests) as u32;
        prop_assert_eq!(first, needed.min(max_starting));
        // Nobody's request ends: each that comes up makes room for one more start, as long as
        // somebody waits for it.
        for count in 1..=needed {
            story.ready(count);
            let starting = story.instances().iter().filter(|it| it.contains("starting")).count();
            prop_assert!(starting as u32 <= max_starting);
        }
        let served = story.pool.view(story.now);
        prop_assert_eq!(served.instances.len() as u32, needed);
        let slots = u64::from(needed * concurrency);
        prop_assert_eq!(u64::from(served.waiting), requests.saturating_sub(slots));
    }

    /// Those that come while instances start count what starts.
    #[test]
    fn requests_that_arrive_while_instances_start_count_them(
        waves in prop::collection::vec(1_u64..50, 1..8),
        concurrency in 1_u32..8,
    ) {
        let mut story = Story::new(ScaleSpec {
            concurrency,
            max_scale: 40,
            max_starting: 40,
            ..spec()
        });
        let mut asked = 0;
        for wave in waves {
            for _ in 0..wave {
                asked += 1;
                story.acquire(asked);
            }
            let needed = asked.div_ceil(u64::from(concurrency)).min(40);
            prop_assert_eq!(story.instances().len() as u64, needed);
            story.wait(1);
        }
    }
}

#[test]
fn a_thousand_at_once_cause_fifty_starts() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 50,
        max_starting: 50,
        ..spec()
    });
    assert_eq!(starts_of_burst(&mut story, 1_000), 50);
    assert_eq!(story.pool.view(story.now).waiting, 1_000);
    story.ready(1);
    assert_eq!(story.release(1), ["grant 2 at 1 cold"]);
    assert_eq!(story.instances().len(), 50, "nothing more is started");
}

#[test]
fn starts_of_a_burst_that_fail_are_tried_one_at_a_time() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 20,
        max_starting: 20,
        ..spec()
    });
    starts_of_burst(&mut story, 100);
    let mut words = Vec::new();
    for count in 1..=20 {
        words.extend(story.start_failed(count));
    }
    assert_eq!(
        words, NONE,
        "they are one failure, and the next start waits"
    );
    assert_eq!(story.wait(1_001), ["start 21"]);
    assert_eq!(story.ready(21), ["grant 1 at 21 cold", "start 22"]);
    // It answers: starts work again, and the rest of the burst gets what it needs.
    assert_eq!(story.release(21).len(), 1 + 18);
}

#[test]
fn a_start_that_has_not_begun_goes_with_its_waiters() {
    let mut story = Story::new(spec());
    let forgo = |count| Event::Forgo {
        instance: id(count),
    };
    starts_of_burst(&mut story, 3);
    assert_eq!(story.apply(forgo(3)), NONE, "somebody waits for it");
    story.cancel(2);
    assert_eq!(story.apply(forgo(3)), ["stop 3"]);
    assert_eq!(story.apply(forgo(2)), NONE);
    story.start_failed(3);
    let view = story.pool.view(story.now);
    assert_eq!(view.last_failure, None, "it was wanted so");
    story.cancel(1);
    story.cancel(3);
    assert_eq!(story.apply(forgo(2)), ["stop 2"]);
    assert_eq!(story.apply(forgo(1)), ["stop 1"]);
    assert_eq!(story.acquire(9), ["start 4"]);
}

#[test]
fn what_others_serve_need_not_be_started() {
    let mut story = Story::new(spec());
    starts_of_burst(&mut story, 2);
    story.ready(1);
    assert_eq!(story.release(1), ["grant 2 at 1 cold"]);
    let forgo = Event::Forgo { instance: id(2) };
    assert_eq!(story.apply(forgo.clone()), ["stop 2"]);
    assert_eq!(story.apply(forgo), NONE, "it is stopping");
}

#[test]
fn starts_that_min_scale_wants_are_not_forgone() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    assert_eq!(story.instances(), ["1 starting 0"]);
    assert_eq!(story.apply(Event::Forgo { instance: id(1) }), NONE);
}

#[test]
fn the_idlest_goes_when_others_need_memory() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    story.ready(1);
    story.acquire(1);
    assert_eq!(story.acquire(2), ["start 2"]);
    story.ready(2);
    assert!(story.pool.reclaimable().is_none(), "none is idle");
    assert_eq!(story.apply(Event::Reclaim), NONE);
    story.release(2);
    story.wait(5);
    story.release(1);
    assert!(story.pool.reclaimable().is_some());
    assert_eq!(story.apply(Event::Reclaim), ["stop 2"]);
    assert!(story.pool.reclaimable().is_none(), "min_scale stays");
    assert_eq!(story.apply(Event::Reclaim), NONE);
}

#[test]
fn what_an_operator_holds_is_not_reclaimed() {
    let mut story = Story::new(spec());
    story.warm(2);
    story.apply(Event::Scale { desired: Some(2) });
    assert!(story.pool.reclaimable().is_none());
    assert_eq!(story.apply(Event::Reclaim), NONE);
}
