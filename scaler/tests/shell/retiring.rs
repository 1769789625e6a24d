//! Revisions that were replaced, and what remembers them.

use std::sync::{Arc, Weak};
use std::time::Instant;

use stoker_core::ScaleSpec;
use stoker_scaler::AcquireError;
use stoker_scaler::driver::Stop;

use crate::fake::failure;
use crate::support::{Function, NEVER, SOON, World, acquire, ask, at_once, settle, spec, within};

/// Gives the function up and says whether nothing else holds it.
async fn is_forgotten(function: Arc<Function>) -> bool {
    settle().await;
    let weak = Arc::downgrade(&function);
    drop(function);
    weak.strong_count() == 0
}

#[tokio::test]
async fn with_nothing_running_it_is_forgotten_at_once() {
    let world = World::new().await;
    let function = world.register(spec());
    let other = world.register(spec());
    function.retire();
    let weak = Arc::downgrade(&function);
    drop(function);
    assert!(weak.upgrade().is_none());
    assert_eq!(Arc::strong_count(&other), 2, "the scaler's and this one");
}

#[tokio::test]
async fn requests_that_wait_are_served_and_then_it_is_forgotten() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    function.retire();
    assert!(function.view().pool.retired);
    let starting = world.start().await;
    let id = starting.id;
    starting.succeed();
    let lease = within(waiting).await.unwrap();
    assert!(!lease.instance().is_stopping());
    drop(lease);
    world.end(id).await;
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn no_more_instances_start_than_the_requests_that_wait_need() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    function.retire();
    world.start().await.succeed();
    let lease = within(waiting).await.unwrap();
    settle().await;
    assert!(world.is_quiet().await);
    assert_eq!(function.view().instances.len(), 1);
    drop(lease);
}

#[tokio::test]
async fn a_lease_keeps_it_until_its_end() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    function.retire();
    assert!(world.is_quiet().await);
    let weak: Weak<Function> = Arc::downgrade(&function);
    drop(function);
    assert!(weak.upgrade().is_some());
    drop(lease);
    world.end(id).await;
    assert!(weak.upgrade().is_none());
}

#[tokio::test]
async fn a_start_that_fails_is_its_end_too() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(ask(&function));
    let starting = world.start().await;
    function.retire();
    assert!(!world.stop().await.known);
    starting.fail(failure("it was stopped"));
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn the_last_request_that_leaves_is_its_end_too() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    world.start().await.fail(failure("no such module"));
    settle().await;
    function.retire();
    assert_eq!(function.view().pool.waiting, 1, "there may be another try");
    drop(waiting);
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn the_last_request_that_expires_is_its_end_too() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    world.start().await.fail(failure("no such module"));
    settle().await;
    function.retire();
    let hurried = tokio::spawn(acquire(&function, Instant::now() + SOON));
    settle().await;
    drop(waiting);
    let expired = within(hurried).await.unwrap().unwrap_err();
    assert_eq!(
        expired,
        AcquireError::Expired(Some(failure("no such module")))
    );
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn a_request_that_was_on_its_way_when_it_was_forgotten_is_served() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        stop_grace: SOON,
        ..spec()
    });
    // The request has looked the function up, and now there is a new revision.
    function.retire();
    let late = ask(&function);
    let starting = world.start().await;
    let id = starting.id;
    starting.succeed();
    let lease = within(late).await.unwrap();
    let instance = Arc::clone(lease.instance());
    drop(lease);
    assert_eq!(world.stop_of(id).await.how, Stop::Terminate);
    // The timer goes on for it.
    assert_eq!(world.stop_of(id).await.how, Stop::Kill);
    world.driver.exit(id, "killed");
    let cause = within(instance.ended(NEVER)).await;
    assert_eq!(cause, Some(failure("killed")));
    settle().await;
    assert!(function.view().instances.is_empty());
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn a_request_that_was_on_its_way_when_it_was_forgotten_expires() {
    let mut world = World::new().await;
    let function = world.register(spec());
    function.retire();
    let late = acquire(&function, Instant::now() + SOON);
    let expired = within(late).await.unwrap_err();
    assert_eq!(expired, AcquireError::Expired(None));
    // It may have been too late even for the start.
    if !function.view().instances.is_empty() {
        world.start().await.fail(failure("it was stopped"));
    }
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn a_request_that_was_too_late_anyway_changes_nothing() {
    let mut world = World::new().await;
    let function = world.register(spec());
    function.retire();
    let late = acquire(&function, Instant::now() - SOON);
    let expired = within(late).await.unwrap_err();
    assert_eq!(expired, AcquireError::Expired(None));
    assert!(world.is_quiet().await);
    assert!(is_forgotten(function).await);
}

#[tokio::test]
async fn a_new_revision_serves_beside_the_old_one() {
    let mut world = World::new().await;
    let old = world.register(spec());
    let on_old = world.proven(&old).await;
    let new = world.register(spec());
    old.retire();
    let on_new = world.proven(&new).await;
    let ids = (on_old.instance().id(), on_new.instance().id());
    assert_ne!(ids.0.pool(), ids.1.pool());
    drop(on_old);
    world.end(ids.0).await;
    drop(on_new);
    assert_eq!(at_once(&new).unwrap().instance().id(), ids.1);
}
