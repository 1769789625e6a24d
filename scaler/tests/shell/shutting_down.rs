//! The end of the gateway.

use std::sync::Arc;

use stoker_scaler::AcquireError;
use tokio::task::JoinHandle;

use crate::fake::failure;
use crate::support::{Scaler, World, ask, at_once, launch, settle, spec, within};

/// Begins, and lets everything happen that can.
async fn shut_down(scaler: &Arc<Scaler>) -> JoinHandle<()> {
    let scaler = Arc::clone(scaler);
    let task = tokio::spawn(async move { scaler.shut_down().await });
    settle().await;
    task
}

#[tokio::test]
async fn it_answers_only_when_everything_is_gone() {
    let mut world = World::new().await;
    let idle = world.register(spec());
    let busy = world.register(spec());
    let at_idle = world.proven(&idle).await.instance().id();
    let lease = world.proven(&busy).await;
    let at_busy = lease.instance().id();
    let task = shut_down(&world.scaler).await;
    world.end(at_idle).await;
    assert!(!task.is_finished());
    assert!(world.is_quiet().await);
    for function in [&idle, &busy] {
        assert_eq!(at_once(function).unwrap_err(), AcquireError::ShuttingDown);
    }
    drop(lease);
    settle().await;
    assert!(!task.is_finished());
    world.end(at_busy).await;
    within(task).await.unwrap();
    assert_eq!(world.driver.alive(), 0);
    assert_eq!(at_once(&busy).unwrap_err(), AcquireError::ShuttingDown);
}

#[tokio::test]
async fn requests_that_wait_for_a_start_are_served() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    let starting = world.start().await;
    let id = starting.id;
    let task = shut_down(&world.scaler).await;
    starting.succeed();
    drop(within(waiting).await.unwrap());
    world.end(id).await;
    within(task).await.unwrap();
}

#[tokio::test]
async fn requests_whose_start_fails_are_turned_away() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    let starting = world.start().await;
    let task = shut_down(&world.scaler).await;
    starting.fail(failure("no such module"));
    assert_eq!(
        within(waiting).await.unwrap_err(),
        AcquireError::ShuttingDown
    );
    within(task).await.unwrap();
}

#[tokio::test]
async fn a_start_for_nobody_that_fails_is_not_waited_for_any_longer() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(ask(&function));
    let starting = world.start().await;
    let task = shut_down(&world.scaler).await;
    assert!(!task.is_finished());
    world.stop().await;
    starting.fail(failure("it was stopped"));
    within(task).await.unwrap();
}

#[tokio::test]
async fn requests_that_leave_are_not_waited_for_any_longer() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let waiting = ask(&function);
    let starting = world.start().await;
    let task = shut_down(&world.scaler).await;
    drop(waiting);
    world.stop().await;
    starting.fail(failure("it was stopped"));
    within(task).await.unwrap();
}

#[tokio::test]
async fn retired_revisions_are_waited_for() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    function.retire();
    let task = shut_down(&world.scaler).await;
    assert!(!task.is_finished());
    drop(lease);
    world.end(id).await;
    within(task).await.unwrap();
}

#[tokio::test]
async fn a_function_that_was_forgotten_before_starts_nothing_afterwards() {
    let mut world = World::new().await;
    let function = world.register(spec());
    function.retire();
    within(world.scaler.shut_down()).await;
    assert_eq!(at_once(&function).unwrap_err(), AcquireError::ShuttingDown);
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn a_function_that_comes_afterwards_starts_nothing() {
    let mut world = World::new().await;
    within(world.scaler.shut_down()).await;
    let mut scaling = spec();
    scaling.min_scale = 1;
    let function = world.scaler.register(launch("late", "one"), scaling);
    assert_eq!(at_once(&function).unwrap_err(), AcquireError::ShuttingDown);
    assert!(world.is_quiet().await);
    within(world.scaler.shut_down()).await;
}

#[tokio::test]
async fn it_may_be_asked_for_twice() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let id = world.proven(&function).await.instance().id();
    let first = shut_down(&world.scaler).await;
    let second = shut_down(&world.scaler).await;
    world.end(id).await;
    within(first).await.unwrap();
    within(second).await.unwrap();
}
