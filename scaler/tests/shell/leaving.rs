//! Requests that leave before they are answered, or just then.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Barrier};
use std::time::Instant;

use stoker_core::ScaleSpec;

use crate::support::{NEVER, World, acquire, ask, at_once, poll, settle, spec, within};

/// How often the race is run.
const ROUNDS: usize = 5000;

#[tokio::test]
async fn a_request_that_leaves_gives_up_its_place() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let lease = world.proven(&function).await;
    let first = ask(&function);
    let second = ask(&function);
    drop(first);
    assert_eq!(function.view().pool.waiting, 1);
    drop(lease);
    within(second).await.unwrap();
}

#[tokio::test]
async fn a_request_that_was_never_waited_for_does_not_exist() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(acquire(&function, Instant::now() + NEVER));
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn a_start_goes_on_for_the_next_request() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(ask(&function));
    let starting = world.start().await;
    let id = starting.id;
    let next = ask(&function);
    assert!(world.is_quiet().await, "one start is enough");
    starting.succeed();
    let lease = within(next).await.unwrap();
    assert_eq!(lease.instance().id(), id);
    assert!(lease.is_cold(), "it waited for the start");
}

#[tokio::test]
async fn an_instance_that_started_for_nobody_is_warm() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(ask(&function));
    let starting = world.start().await;
    let id = starting.id;
    starting.succeed();
    settle().await;
    let lease = at_once(&function).unwrap();
    assert_eq!(lease.instance().id(), id);
    assert!(!lease.is_cold());
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn an_answer_that_nobody_took_frees_its_slot() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let lease = world.proven(&function).await;
    let first = ask(&function);
    let mut second = ask(&function);
    drop(lease);
    assert_eq!(function.view().pool.in_flight, 1);
    assert_eq!(function.view().pool.waiting, 1);
    assert!(poll(&mut second).is_pending());
    // Its answer is in the channel.
    drop(first);
    drop(within(second).await.unwrap());
    assert_eq!(function.view().pool.in_flight, 0);
    drop(at_once(&function).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_slot_is_lost_when_the_answer_and_the_leaving_cross() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    drop(world.proven(&function).await);
    let barrier = Arc::new(Barrier::new(2));
    let (leases, to_release) = sync_channel(0);
    let (waits, to_leave) = sync_channel(0);
    let (released, left) = (
        dropper(to_release, Arc::clone(&barrier)),
        dropper(to_leave, barrier),
    );
    for round in 0..ROUNDS {
        // Now the one is ahead, now the other.
        let (here, there) = (round % 8 * 40, round / 8 % 8 * 40);
        leases.send((at_once(&function).unwrap(), here)).unwrap();
        waits.send((ask(&function), there)).unwrap();
        released.recv().unwrap();
        left.recv().unwrap();
        let pool = function.view().pool;
        assert_eq!((pool.in_flight, pool.waiting), (0, 0), "round {round}");
    }
    assert_eq!(function.view().instances.len(), 1);
}

/// A thread that drops what comes, together with the other one; answers after each.
fn dropper<T: Send + 'static>(things: Receiver<(T, usize)>, barrier: Arc<Barrier>) -> Receiver<()> {
    let (done, dropped) = sync_channel(1);
    std::thread::spawn(move || {
        for (thing, spins) in things {
            barrier.wait();
            (0..spins).for_each(|_| std::hint::spin_loop());
            drop(thing);
            done.send(()).unwrap();
        }
    });
    dropped
}
