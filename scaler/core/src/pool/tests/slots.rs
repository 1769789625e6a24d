//! Who gets which slot, and when.

use super::*;

#[test]
fn a_cold_request_starts_one_instance_and_gets_it() {
    let mut story = Story::new(spec());
    assert_eq!(story.acquire(1), ["start 1"]);
    assert_eq!(story.ready(1), ["grant 1 at 1 cold"]);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.acquire(2), ["grant 2 at 1"]);
}

#[test]
fn one_start_serves_as_many_requests_as_it_will_have_slots() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 2,
        ..spec()
    });
    assert_eq!(story.acquire(1), ["start 1"]);
    assert_eq!(story.acquire(2), NONE);
    assert_eq!(story.acquire(3), ["start 2"]);
    assert_eq!(story.ready(2), ["grant 1 at 2 cold", "grant 2 at 2 cold"]);
    assert_eq!(story.ready(1), ["grant 3 at 1 cold"]);
}

#[test]
fn a_freed_slot_goes_to_the_oldest_waiter() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    story.warm(1);
    assert_eq!(story.acquire(1), ["grant 1 at 1"]);
    assert_eq!(story.acquire(2), NONE);
    assert_eq!(story.acquire(3), NONE);
    assert_eq!(story.release(1), ["grant 2 at 1"]);
    assert_eq!(story.release(1), ["grant 3 at 1"]);
    assert_eq!(story.release(1), NONE);
}

#[test]
fn a_caller_that_leaves_does_not_take_its_start_along() {
    let mut story = Story::new(spec());
    assert_eq!(story.acquire(1), ["start 1"]);
    assert_eq!(story.cancel(1), NONE);
    assert_eq!(story.acquire(2), NONE);
    assert_eq!(story.ready(1), ["grant 2 at 1 cold"]);
}

#[test]
fn a_caller_that_leaves_too_late_is_nobody() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.ready(1);
    assert_eq!(story.cancel(1), NONE);
    assert_eq!(story.instances(), ["1 ready 1"]);
}

#[test]
fn the_most_recently_used_instance_is_used_first() {
    let mut story = Story::new(spec());
    story.warm(3);
    assert_eq!(story.acquire(1), ["grant 1 at 3"]);
    assert_eq!(story.acquire(2), ["grant 2 at 2"]);
    story.release(3);
    story.release(2);
    assert_eq!(story.acquire(3), ["grant 3 at 2"]);
    assert_eq!(story.acquire(4), ["grant 4 at 3"]);
    assert_eq!(story.acquire(5), ["grant 5 at 1"]);
}

#[test]
fn requests_gather_so_that_whole_instances_stay_idle() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 2,
        ..spec()
    });
    for waiter in 1..=4 {
        story.acquire(waiter);
    }
    story.ready(1);
    story.ready(2);
    // 1 keeps a request, 2 was used last but is idle.
    story.release(1);
    story.release(2);
    story.release(2);
    assert_eq!(story.acquire(5), ["grant 5 at 1"]);
    assert_eq!(story.acquire(6), ["grant 6 at 2"]);
}

#[test]
fn a_full_queue_takes_no_more() {
    let mut story = Story::new(ScaleSpec {
        max_waiters: 2,
        max_scale: 1,
        ..spec()
    });
    story.acquire(1);
    story.acquire(2);
    assert_eq!(story.acquire(3), ["reject 3: full"]);
    story.cancel(1);
    assert_eq!(story.acquire(4), NONE);
    assert_eq!(story.ready(1), ["grant 2 at 1 cold"]);
}

#[test]
fn a_lower_concurrency_takes_nothing_away() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 3,
        max_scale: 1,
        ..spec()
    });
    for waiter in 1..=3 {
        story.acquire(waiter);
    }
    story.ready(1);
    story.apply(Event::Reconfigure(Box::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    })));
    assert_eq!(story.acquire(4), NONE);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.release(1), ["grant 4 at 1"]);
}

#[test]
fn a_higher_concurrency_serves_waiters_at_once() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    for waiter in 1..=3 {
        story.acquire(waiter);
    }
    story.ready(1);
    let wider = ScaleSpec {
        concurrency: 3,
        max_scale: 1,
        ..spec()
    };
    assert_eq!(
        story.apply(Event::Reconfigure(Box::new(wider))),
        ["grant 2 at 1 cold", "grant 3 at 1 cold"]
    );
}

#[test]
fn late_and_unknown_events_find_nobody() {
    let mut story = Story::new(spec());
    story.warm(1);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.release(9), NONE);
    assert_eq!(story.ready(1), NONE);
    assert_eq!(story.ready(9), NONE);
    assert_eq!(story.exited(9), NONE);
    assert_eq!(story.apply(Event::Unhealthy { instance: id(9) }), NONE);
    assert_eq!(story.instances(), ["1 ready 0"]);
    assert_eq!(story.pool.view(story.now).instances[0].served, 1);
}

#[test]
fn leases_of_a_gone_instance_are_void() {
    let mut story = Story::new(spec());
    story.warm(1);
    story.acquire(1);
    assert_eq!(story.pool.view(story.now).in_flight, 1);
    assert_eq!(story.exited(1), NONE);
    assert_eq!(story.pool.view(story.now).in_flight, 0);
    assert_eq!(story.release(1), NONE);
    assert_eq!(story.pool.view(story.now).in_flight, 0);
}

/// 500 requests at once to a function at zero, one per instance, eight instances, 20 ms of work.
#[test]
fn a_burst_from_zero_is_served_in_order_by_eight() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 8,
        max_starting: 8,
        ..spec()
    });
    let mut granted = Vec::new();
    let mut busy = std::collections::VecDeque::new();
    let mut take = |words: Vec<String>, busy: &mut std::collections::VecDeque<u32>| {
        for word in words {
            let words: Vec<&str> = word.split(' ').collect();
            if let ["grant", waiter, "at", instance, ..] = words[..] {
                granted.push(waiter.parse::<u64>().unwrap());
                busy.push_back(instance.parse::<u32>().unwrap());
            } else {
                assert_eq!(words[0], "start");
            }
        }
    };
    for waiter in 0..500 {
        take(story.acquire(waiter), &mut busy);
        assert!(story.pool.view(story.now).instances.len() <= 8);
    }
    for instance in 1..=8 {
        take(story.ready(instance), &mut busy);
    }
    while !busy.is_empty() {
        assert_eq!(story.wait(20), NONE);
        for _ in 0..busy.len() {
            let instance = busy.pop_front().unwrap();
            take(story.release(instance), &mut busy);
        }
        assert!(story.pool.view(story.now).instances.len() <= 8);
    }
    assert_eq!(granted, (0..500).collect::<Vec<_>>());
}
