//! Slots, and the requests that wait for them.

use std::task::Poll;
use std::time::Instant;

use stoker_core::ScaleSpec;
use stoker_scaler::AcquireError;

use crate::fake::{endpoint, failure};
use crate::support::{NEVER, SOON, Told, World, acquire, ask, ask_until, at_once, poll};
use crate::support::{settle, spec, within};

#[tokio::test]
async fn a_warm_request_is_answered_at_once_and_its_release_frees_the_slot() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let asking = ask(&function);
    let starting = world.start().await;
    assert_eq!(&*starting.function, "f");
    let id = starting.id;
    starting.succeed();
    let first = within(asking).await.unwrap();
    assert!(first.is_cold());
    assert_eq!(first.instance().endpoint(), &endpoint(id));
    assert_eq!(world.told().await, Told::Started(id));
    assert_eq!(function.view().pool.in_flight, 1);
    drop(first);
    assert_eq!(function.view().pool.in_flight, 0);

    let second = at_once(&function).unwrap();
    assert_eq!(second.instance().id(), id);
    assert!(!second.is_cold());
    drop(second);
    let view = function.view();
    assert_eq!(view.instances.len(), 1);
    assert_eq!(view.instances[0].view.served, 2);
    assert_eq!(view.instances[0].pid, Some(1));
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn an_instance_never_has_more_leases_than_its_concurrency() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        concurrency: 3,
        max_scale: 1,
        ..spec()
    });
    let first = world.proven(&function).await;
    let _second = at_once(&function).unwrap();
    let _third = at_once(&function).unwrap();
    let mut fourth = ask(&function);
    assert_eq!(function.view().pool.in_flight, 3);
    assert!(world.is_quiet().await);
    drop(first);
    let Poll::Ready(Ok(fourth)) = poll(&mut fourth) else {
        panic!("the slot was not handed on");
    };
    assert!(!fourth.is_cold(), "it only waited for a slot");
    assert_eq!(function.view().pool.in_flight, 3);
}

#[tokio::test]
async fn the_request_that_waits_longest_is_answered_first() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let mut lease = world.proven(&function).await;
    let mut queue: Vec<_> = (0..5).map(|_| ask(&function)).collect();
    assert_eq!(function.view().pool.waiting, 5);
    while !queue.is_empty() {
        drop(lease);
        for later in queue.iter_mut().skip(1) {
            assert!(poll(later).is_pending());
        }
        lease = within(queue.remove(0)).await.unwrap();
    }
}

#[tokio::test]
async fn as_many_instances_start_as_requests_wait_up_to_the_bounds() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 3,
        max_starting: 2,
        ..spec()
    });
    let queue: Vec<_> = (0..5).map(|_| ask(&function)).collect();
    let (first, second) = (world.start().await, world.start().await);
    assert!(world.is_quiet().await);
    first.succeed();
    let third = world.start().await;
    second.succeed();
    third.succeed();
    assert!(world.is_quiet().await);
    assert_eq!(function.view().instances.len(), 3);
    assert_eq!(function.view().pool.waiting, 2);
    for asking in queue {
        drop(within(asking).await.unwrap());
    }
}

#[tokio::test]
async fn a_full_queue_turns_requests_away() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        max_waiters: 2,
        ..spec()
    });
    let first = ask(&function);
    let second = ask(&function);
    assert_eq!(at_once(&function).unwrap_err(), AcquireError::QueueFull);
    drop(second);
    let third = ask(&function);
    world.start().await.succeed();
    drop(within(first).await.unwrap());
    drop(within(third).await.unwrap());
}

#[tokio::test]
async fn a_request_expires_by_the_timer() {
    let mut world = World::new().await;
    let function = world.register(spec());
    // Later ones first, so that the timer must be brought forward.
    let patient = ask(&function);
    let late = ask_until(&function, Instant::now() + 50 * SOON);
    let deadline = Instant::now() + SOON;
    let expired = within(acquire(&function, deadline)).await.unwrap_err();
    assert!(Instant::now() >= deadline);
    assert_eq!(expired, AcquireError::Expired(None));
    assert_eq!(
        within(late).await.unwrap_err(),
        AcquireError::Expired(None),
        "the timer goes on"
    );
    world.start().await.succeed();
    within(patient).await.unwrap();
}

#[tokio::test]
async fn a_request_that_expires_is_told_of_the_last_failure() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let first = ask(&function);
    world.start().await.fail(failure("no such module"));
    settle().await;
    drop(first);
    let asking = acquire(&function, Instant::now() + SOON);
    let expected = AcquireError::Expired(Some(failure("no such module")));
    assert_eq!(within(asking).await.unwrap_err(), expected);
}

#[tokio::test]
async fn a_deadline_of_the_past_or_of_the_far_future_does_no_harm() {
    let mut world = World::new().await;
    let function = world.register(spec());
    let past = Instant::now() - SOON;
    let mut expired = acquire(&function, past);
    let Poll::Ready(Err(AcquireError::Expired(None))) = poll(&mut expired) else {
        panic!("it waits for the past");
    };
    assert!(world.is_quiet().await);
    let far = ask_until(&function, Instant::now() + 24 * 365 * 1000 * NEVER);
    world.start().await.succeed();
    within(far).await.unwrap();
}
