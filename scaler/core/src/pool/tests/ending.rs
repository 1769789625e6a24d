//! Retired revisions, and the end of the gateway.

use super::*;

#[test]
fn a_retired_pool_finishes_its_requests_and_ends() {
    let mut story = Story::new(spec());
    story.warm(2);
    story.acquire(1);
    assert!(!story.pool.is_finished());
    assert_eq!(story.apply(Event::Retire), ["stop 1", "drain 2"]);
    assert_eq!(story.instances(), ["1 stopping 0", "2 draining 1"]);
    assert_eq!(story.release(2), ["stop 2"]);
    story.exited(1);
    assert!(!story.pool.is_finished());
    story.exited(2);
    assert!(story.pool.is_finished());
}

#[test]
fn a_retired_pool_serves_those_who_wait() {
    let mut story = Story::new(ScaleSpec {
        max_starting: 1,
        max_scale: 2,
        ..spec()
    });
    for waiter in 1..=3 {
        story.acquire(waiter);
    }
    assert_eq!(story.apply(Event::Retire), NONE);
    assert_eq!(story.ready(1), ["grant 1 at 1 cold", "start 2"]);
    assert_eq!(story.release(1), ["grant 2 at 1 cold"]);
    assert_eq!(story.release(1), ["grant 3 at 1 cold", "stop 2", "drain 1"]);
    assert_eq!(story.release(1), ["stop 1"]);
}

#[test]
fn a_retired_pool_serves_a_request_that_was_on_its_way() {
    let mut story = Story::new(ScaleSpec {
        concurrency: 2,
        ..spec()
    });
    story.acquire(1);
    story.ready(1);
    story.apply(Event::Retire);
    assert_eq!(story.acquire(2), ["grant 2 at 1", "drain 1"]);
    assert_eq!(story.instances(), ["1 draining 2"]);
    story.release(1);
    assert_eq!(story.release(1), ["stop 1"]);
    story.exited(1);
    assert!(story.pool.is_finished());
    assert_eq!(story.acquire(3), ["start 2"]);
    assert_eq!(story.cancel(3), ["stop 2"]);
}

#[test]
fn a_retired_pool_does_not_keep_min_scale() {
    let mut story = Story::new(ScaleSpec {
        min_scale: 2,
        ..spec()
    });
    story.ready(1);
    assert_eq!(story.apply(Event::Retire), ["stop 2", "stop 1"]);
    assert_eq!(story.exited(1), NONE);
    assert_eq!(story.exited(2), NONE);
    assert!(story.pool.is_finished());
}

#[test]
fn at_the_end_of_the_gateway_nothing_starts() {
    let mut story = Story::new(ScaleSpec {
        max_scale: 2,
        ..spec()
    });
    story.acquire(1);
    story.acquire(2);
    story.acquire(3);
    story.start_failed(1);
    assert_eq!(story.apply(Event::ShutDown), NONE);
    assert_eq!(story.acquire(4), ["reject 4: shutting down"]);
    // One of two starts is left, and serves all of them.
    assert_eq!(story.ready(2), ["grant 1 at 2 cold"]);
    assert_eq!(story.release(2), ["grant 2 at 2 cold"]);
    assert_eq!(story.release(2), ["grant 3 at 2 cold", "drain 2"]);
    assert_eq!(story.release(2), ["stop 2"]);
    story.exited(2);
    assert!(story.pool.is_finished());
}

#[test]
fn at_the_end_of_the_gateway_those_whom_nothing_can_serve_are_told() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.acquire(2);
    story.apply(Event::ShutDown);
    assert_eq!(story.start_failed(1), NONE);
    assert_eq!(
        story.start_failed(2),
        ["reject 1: shutting down", "reject 2: shutting down"]
    );
    assert!(story.pool.is_finished());
}

#[test]
fn at_the_end_of_the_gateway_a_pool_in_backoff_is_finished_at_once() {
    let mut story = Story::new(spec());
    story.acquire(1);
    story.start_failed(1);
    assert_eq!(story.apply(Event::ShutDown), ["reject 1: shutting down"]);
    assert!(story.pool.is_finished());
}

#[test]
fn retirement_ends_for_good() {
    let mut story = Story::new(spec());
    story.warm(1);
    story.apply(Event::ShutDown);
    assert_eq!(story.apply(Event::Retire), NONE);
    assert_eq!(story.acquire(1), ["reject 1: shutting down"]);
}
