//! Starts that fail, and instances that end or cannot be reached.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Backoff, FailureKind, InstanceState, ScaleSpec, StartFailure};
use stoker_scaler::AcquireError;

use crate::fake::failure;
use crate::support::{Function, NEVER, SOON, Told, Wanted, World, ask, at_once};
use crate::support::{settle, spec, terminated, within};

/// Callers learn of the second failure in a row.
fn backoff(initial: Duration) -> ScaleSpec {
    ScaleSpec {
        backoff: Backoff {
            initial,
            max: NEVER,
            reject_after: 2,
        },
        ..spec()
    }
}

/// Waits until the next start is allowed.
async fn wait_out_backoff(world: &World, function: &Arc<Function>) {
    if let Some(until) = function.view().pool.backoff_until {
        let until = world.scaler.clock().instant(until);
        within(tokio::time::sleep_until(until.into())).await;
    }
}

#[tokio::test]
async fn starts_that_fail_again_and_again_are_told_to_who_waits() {
    let mut world = World::new().await;
    let function = world.register(backoff(SOON));
    let (first, second) = (ask(&function), ask(&function));
    // Both starts belong to one failure, and one is tried after it.
    let (one, two) = (world.start().await, world.start().await);
    let ids = (one.id, two.id);
    one.fail(failure("a"));
    assert_eq!(world.told().await, Told::StartFailed(ids.0, "a".into()));
    two.fail(failure("b"));
    assert_eq!(world.told().await, Told::StartFailed(ids.1, "b".into()));
    let again = world.start().await;
    // So that the second delay is not over before this test looks.
    function.reconfigure(backoff(NEVER));
    again.fail(failure("c"));
    let expected = AcquireError::StartFailed(failure("c"));
    assert_eq!(within(first).await.unwrap_err(), expected);
    assert_eq!(within(second).await.unwrap_err(), expected);
    assert_eq!(at_once(&function).unwrap_err(), expected);
    let pool = function.view().pool;
    assert_eq!(pool.last_failure, Some((failure("c"), 2)));
    assert!(pool.backoff_until.is_some());
    assert!(function.view().instances.is_empty());
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn a_function_recovers_when_a_start_succeeds_again() {
    let mut world = World::new().await;
    let function = world.register(backoff(SOON));
    let asking = ask(&function);
    world.start().await.fail(failure("a"));
    world.start().await.fail(failure("b"));
    let expected = AcquireError::StartFailed(failure("b"));
    assert_eq!(within(asking).await.unwrap_err(), expected);
    wait_out_backoff(&world, &function).await;

    let (first, second) = (ask(&function), ask(&function));
    let starting = world.start().await;
    assert!(world.is_quiet().await, "one attempt at a time");
    starting.succeed();
    let mut lease = within(first).await.unwrap();
    assert!(function.view().pool.last_failure.is_some());
    lease.answered();
    drop(lease);
    within(second).await.unwrap();
    assert_eq!(function.view().pool.last_failure, None);
}

#[tokio::test]
async fn a_program_that_never_listens_is_told_at_once() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let asking = ask(&function);
    let never = StartFailure {
        kind: FailureKind::NeverListened,
        detail: "it did not listen within 1 h".into(),
    };
    world.start().await.fail(never.clone());
    let expected = AcquireError::StartFailed(never);
    assert_eq!(within(asking).await.unwrap_err(), expected);
}

#[tokio::test]
async fn an_exit_under_a_lease_is_explained_and_replaced() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let lost = world.proven(&function).await;
    let id = lost.instance().id();
    lost.keep_connection(Arc::new(1));
    let asking = ask(&function);
    assert_eq!(lost.instance().ended(Duration::ZERO).await, None);
    world.driver.exit(id, "it got SIGSEGV");
    let cause = lost.instance().ended(NEVER);
    assert_eq!(within(cause).await, Some(failure("it got SIGSEGV")));
    assert!(lost.instance().is_stopping());
    assert!(lost.take_connection().is_none());
    assert_eq!(world.told().await, Told::Started(id));
    let told = Told::Exited(id, "it got SIGSEGV".into(), Wanted::No);
    assert_eq!(world.told().await, told);

    let starting = world.start().await;
    assert_ne!(starting.id, id);
    starting.succeed();
    let replaced = within(asking).await.unwrap();
    assert!(replaced.is_cold());
    drop(lost);
    assert_eq!(function.view().pool.in_flight, 1);
    assert_eq!(function.view().instances.len(), 1);
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn an_exit_before_the_first_answer_is_a_failed_start() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let asking = ask(&function);
    world.start().await.succeed();
    let lease = within(asking).await.unwrap();
    world
        .driver
        .exit(lease.instance().id(), "it exited with code 1");
    let cause = within(lease.instance().ended(NEVER)).await.unwrap();
    settle().await;
    assert_eq!(function.view().pool.last_failure, Some((cause, 1)));
}

#[tokio::test]
async fn an_exit_may_overtake_the_answer_of_its_start() {
    let mut world = World::new().await;
    let function = world.register(backoff(SOON));
    let asking = ask(&function);
    let starting = world.start().await;
    let id = starting.id;
    world.driver.report(id, "it exited with code 1");
    settle().await;
    // The next one may be there already, if the backoff is over.
    let instances = function.view().instances;
    assert!(instances.iter().all(|it| it.view.id != id));
    starting.succeed();
    let next = world.start().await;
    let next_id = next.id;
    assert_ne!(next_id, id);
    next.succeed();
    let lease = within(asking).await.unwrap();
    assert_eq!(lease.instance().id(), next_id);
    assert_eq!(function.view().instances.len(), 1);
}

#[tokio::test]
async fn an_unhealthy_instance_is_stopped_and_the_next_request_goes_elsewhere() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    lease.set_unhealthy();
    lease.set_unhealthy();
    assert_eq!(world.stop().await, terminated(id));
    assert!(lease.instance().is_stopping());
    drop(lease);
    let next = ask(&function);
    let starting = world.start().await;
    assert_ne!(starting.id, id);
    starting.succeed();
    assert_ne!(within(next).await.unwrap().instance().id(), id);
    assert_eq!(
        function.view().instances[0].view.state,
        InstanceState::Stopping
    );
    world.driver.exit(id, "terminated");
    settle().await;
    assert_eq!(function.view().instances.len(), 1);
    assert!(world.is_quiet().await);
}
