//! How instances leave: idle, ignoring, or before they were there; and their connections.

use std::sync::{Arc, Weak};
use std::time::Instant;

use stoker_core::ScaleSpec;
use stoker_scaler::driver::Stop;

use crate::fake::failure;
use crate::support::{Connection, Lease, NEVER, SOON, Told, Wanted, World, acquire, ask, at_once};
use crate::support::{poll, settle, spec, terminated, within};

#[tokio::test]
async fn an_idle_instance_is_stopped_by_the_timer_and_its_connections_dropped() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        idle_timeout: SOON,
        ..spec()
    });
    let asking = ask(&function);
    world.start().await.succeed();
    let lease = within(asking).await.unwrap();
    let instance = Arc::clone(lease.instance());
    let connection = Arc::new(1);
    let seen = Arc::downgrade(&connection);
    lease.keep_connection(connection);
    let since = Instant::now();
    drop(lease);
    assert!(seen.upgrade().is_some());
    assert_eq!(world.stop().await, terminated(instance.id()));
    assert!(since.elapsed() >= SOON);
    assert!(instance.is_stopping());
    assert!(seen.upgrade().is_none());

    world.driver.exit(instance.id(), "terminated");
    assert_eq!(world.told().await, Told::Started(instance.id()));
    let told = Told::Exited(instance.id(), "terminated".into(), Wanted::Yes);
    assert_eq!(world.told().await, told);
    settle().await;
    assert!(function.view().instances.is_empty());
}

#[tokio::test]
async fn use_puts_off_the_end_of_an_idle_instance() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        idle_timeout: SOON,
        ..spec()
    });
    let asking = ask(&function);
    world.start().await.succeed();
    let lease = within(asking).await.unwrap();
    // Longer than the timeout, in which the instance is busy.
    within(tokio::time::sleep(2 * SOON)).await;
    assert!(world.is_quiet().await);
    let since = Instant::now();
    let id = lease.instance().id();
    drop(lease);
    assert_eq!(world.stop().await, terminated(id));
    assert!(since.elapsed() >= SOON);
}

#[tokio::test]
async fn an_instance_that_ignores_the_request_to_end_is_killed() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        stop_grace: SOON,
        ..spec()
    });
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    drop(lease);
    function.evict();
    assert_eq!(world.stop().await, terminated(id));
    for _ in 0..2 {
        let killed = world.stop().await;
        assert_eq!((killed.id, killed.how), (id, Stop::Kill));
    }
    world.driver.exit(id, "killed");
    settle().await;
    assert!(function.view().instances.is_empty());
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_cut_short() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        drain_timeout: SOON,
        ..spec()
    });
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    function.evict();
    world.end(id).await;
    drop(lease);
    assert!(function.view().instances.is_empty());
}

#[tokio::test]
async fn a_stop_that_came_before_the_start_was_begun_prevents_it() {
    let mut world = World::new().await;
    let function = world.register(spec());
    // Nothing else runs before `settle`, so that the task that starts did not begin.
    drop(ask(&function));
    function.evict();
    let told = world.told().await;
    let Told::StartFailed(id, _) = told else {
        panic!("{told:?}");
    };
    settle().await;
    assert!(world.calls.starts.is_empty());
    assert!(!world.stop().await.known);
    assert!(function.view().instances.is_empty());
    assert_eq!(function.view().pool.last_failure, None, "it was wished");
    let next = ask(&function);
    let starting = world.start().await;
    assert_ne!(starting.id, id);
    starting.succeed();
    within(next).await.unwrap();
}

#[tokio::test]
async fn a_stop_that_the_driver_could_not_place_is_repeated_after_the_start() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(ask(&function));
    let starting = world.start().await;
    let id = starting.id;
    function.evict();
    assert!(!world.stop().await.known, "the driver ignores it");
    starting.succeed();
    world.end(id).await;
    assert!(function.view().instances.is_empty());
    assert_eq!(world.driver.alive(), 0);
}

#[tokio::test]
async fn a_start_that_was_stopped_and_fails_is_no_failure() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(ask(&function));
    let starting = world.start().await;
    function.evict();
    world.stop().await;
    starting.fail(failure("it was stopped"));
    settle().await;
    assert!(function.view().instances.is_empty());
    assert_eq!(function.view().pool.last_failure, None);
}

#[tokio::test]
async fn connections_come_back_last_in_first_out() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        concurrency: 2,
        ..spec()
    });
    let first = world.proven(&function).await;
    let second = at_once(&function).unwrap();
    assert!(first.take_connection().is_none());
    first.keep_connection(Arc::new(1));
    second.keep_connection(Arc::new(2));
    drop((first, second));
    let (first, second) = (at_once(&function).unwrap(), at_once(&function).unwrap());
    assert_eq!(first.take_connection().as_deref(), Some(&2));
    assert_eq!(second.take_connection().as_deref(), Some(&1));
    assert!(second.take_connection().is_none());
}

#[tokio::test]
async fn there_are_never_more_connections_than_leases_there_ever_were_at_once() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        concurrency: 3,
        max_scale: 1,
        ..spec()
    });
    drop(world.proven(&function).await);
    let mut opened: Vec<Weak<u32>> = Vec::new();
    let mut busy: Vec<(Lease, Connection)> = Vec::new();
    for step in 0..300_u32 {
        // A pattern without a period that matters.
        let wanted = (step * step / 7 % 4) as usize;
        while busy.len() > wanted {
            let (lease, connection) = busy.remove(step as usize % busy.len());
            lease.keep_connection(connection);
        }
        while busy.len() < wanted {
            let lease = at_once(&function).unwrap();
            let connection = lease.take_connection().unwrap_or_else(|| Arc::new(step));
            opened.push(Arc::downgrade(&connection));
            busy.push((lease, connection));
        }
        opened.retain(|connection| connection.strong_count() > 0);
        opened.sort_by_key(Weak::as_ptr);
        opened.dedup_by_key(|connection| connection.as_ptr());
        assert!(opened.len() <= 3, "{} in step {step}", opened.len());
    }
    assert_eq!(opened.len(), 3);
}

#[tokio::test]
async fn nothing_is_kept_for_an_instance_that_stops() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let lease = world.proven(&function).await;
    lease.set_unhealthy();
    world.stop().await;
    let connection = Arc::new(1);
    lease.keep_connection(Arc::clone(&connection));
    assert_eq!(Arc::strong_count(&connection), 1);
    assert!(lease.take_connection().is_none());
    // A request that arrived too late for it waits for another.
    let mut next = acquire(&function, Instant::now() + NEVER);
    assert!(poll(&mut next).is_pending());
}
