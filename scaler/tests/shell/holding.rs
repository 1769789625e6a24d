//! Starts that wait until the machine has room.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Backoff, FailureKind, ScaleSpec};
use stoker_scaler::driver::LaunchSpec;
use stoker_scaler::{AcquireError, HeldBy, HeldStarts, StartSettings};

use crate::fake::failure;
use crate::support::{Function, NEVER, SOON, World, ask, launch, settle, spec, terminated, within};

/// More than any machine has.
const EXBIBYTE: u64 = 1 << 60;

fn at_once(at_once: u32) -> StartSettings {
    StartSettings {
        at_once,
        yield_after: NEVER,
        ..StartSettings::default()
    }
}

fn no_memory(evict_idle: bool) -> StartSettings {
    StartSettings {
        memory_reserve_bytes: EXBIBYTE,
        evict_idle,
        ..StartSettings::default()
    }
}

fn held(function: &Arc<Function>) -> Option<(u32, HeldBy)> {
    function
        .view()
        .held
        .map(|HeldStarts { count, by }| (count, by))
}

#[tokio::test]
async fn starts_wait_for_others_and_functions_take_turns() {
    let mut world = World::new().await;
    world.scaler.set_starts(at_once(1));
    let one = world.register(spec());
    let other = world.scaler.register(launch("g", "one"), spec());
    let mut asking: Vec<_> = (0..3).map(|_| ask(&one)).collect();
    asking.push(ask(&other));
    let first = world.start().await;
    assert!(world.is_quiet().await);
    assert_eq!(held(&one), Some((2, HeldBy::AtOnce)));
    assert_eq!(held(&other), Some((1, HeldBy::AtOnce)));
    let mut order = vec![first.function.to_string()];
    first.succeed();
    for _ in 0..3 {
        let next = world.start().await;
        order.push(next.function.to_string());
        next.succeed();
    }
    assert_eq!(order, ["f", "f", "g", "f"]);
    for asking in asking {
        within(asking).await.unwrap().answered();
    }
    settle().await;
    assert_eq!((held(&one), held(&other)), (None, None));
    let gates: Vec<_> = one
        .view()
        .instances
        .iter()
        .map(|instance| instance.timings.unwrap().gate)
        .collect();
    assert_eq!(gates[0], Duration::ZERO, "the first one was not held");
    // Which was held for longer depends on how far apart they were asked for.
    assert!(
        gates[1..].iter().all(|&gate| gate > Duration::ZERO),
        "{gates:?}"
    );
}

#[tokio::test]
async fn a_start_whose_waiters_left_is_not_made() {
    let mut world = World::new().await;
    world.scaler.set_starts(at_once(1));
    let function = world.register(spec());
    let mut asking: Vec<_> = (0..3).map(|_| ask(&function)).collect();
    let first = world.start().await;
    settle().await;
    drop(asking.pop());
    // The driver does not know it.
    assert!(!world.stop().await.known);
    settle().await;
    assert_eq!(held(&function), Some((1, HeldBy::AtOnce)));
    assert_eq!(function.view().instances.len(), 2, "the third is forgotten");
    first.succeed();
    let second = world.start().await;
    let mut served = within(asking.remove(0)).await.unwrap();
    served.answered();
    // The first one serves the second request as well: what has begun goes on.
    drop(served);
    within(asking.remove(0)).await.unwrap().answered();
    second.succeed();
    settle().await;
    assert_eq!(function.view().pool.last_failure, None);
    let (third, fourth) = (ask_both(&function), ask(&function));
    let last = world.start().await;
    assert_eq!(last.id.count(), 4, "an id is not used twice");
    last.succeed();
    within(fourth).await.unwrap();
    drop(third);
    assert!(world.is_quiet().await);
}

/// The two slots that are free.
fn ask_both(function: &Arc<Function>) -> [crate::support::Lease; 2] {
    [(); 2].map(|()| crate::support::at_once(function).unwrap())
}

#[tokio::test]
async fn what_another_instance_serves_is_not_started() {
    let mut world = World::new().await;
    world.scaler.set_starts(at_once(1));
    let function = world.register(spec());
    let (first, second) = (ask(&function), ask(&function));
    let starting = world.start().await;
    settle().await;
    let busy = world.scaler.register(launch("busy", "one"), spec());
    let _waits = ask(&busy);
    starting.succeed();
    let mut lease = within(first).await.unwrap();
    lease.answered();
    // It frees its slot before the gate has come to the second one.
    drop(lease);
    within(second).await.unwrap();
    let next = world.start().await;
    assert!(next.function.as_ref() == "busy" || next.id.count() == 2);
    next.succeed();
    settle().await;
}

#[tokio::test]
async fn an_operator_takes_a_start_back_that_is_held() {
    let mut world = World::new().await;
    world.scaler.set_starts(at_once(1));
    let function = world.register(spec());
    function.scale(Some(2));
    let first = world.start().await;
    settle().await;
    assert_eq!(held(&function), Some((1, HeldBy::AtOnce)));
    function.scale(Some(1));
    settle().await;
    assert_eq!(held(&function), None);
    // The driver does not know it.
    assert!(!world.stop().await.known);
    first.succeed();
    settle().await;
    assert_eq!(function.view().instances.len(), 1);
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn a_start_that_takes_long_holds_up_nobody() {
    let mut world = World::new().await;
    world.scaler.set_starts(StartSettings {
        yield_after: SOON,
        ..at_once(1)
    });
    let function = world.register(spec());
    let (first, second) = (ask(&function), ask(&function));
    let slow = world.start().await;
    let next = world.start().await;
    next.succeed();
    within(first).await.unwrap();
    slow.succeed();
    within(second).await.unwrap();
}

#[tokio::test]
async fn a_failed_start_leaves_its_place() {
    let mut world = World::new().await;
    world.scaler.set_starts(at_once(1));
    let function = world.register(spec());
    let (_first, _second) = (ask(&function), ask(&function));
    world.start().await.fail(failure("a"));
    world.start().await.succeed();
}

#[tokio::test]
async fn without_memory_a_start_fails_in_time_and_says_why() {
    let world = World::new().await;
    world.scaler.set_starts(no_memory(true));
    let scaling = ScaleSpec {
        backoff: Backoff {
            reject_after: 1,
            ..spec().backoff
        },
        ..spec()
    };
    let hurried = LaunchSpec {
        start_timeout: SOON,
        ..launch("f", "one")
    };
    let function = world.scaler.register(hurried, scaling);
    let asking = ask(&function);
    assert_eq!(held(&function), Some((1, HeldBy::Memory)));
    let AcquireError::StartFailed(failure) = within(asking).await.unwrap_err() else {
        panic!("it is a failed start");
    };
    assert_eq!(failure.kind, FailureKind::Resources);
    let parts = [
        "MiB of memory left",
        "1099511627776 MiB are reserved by starts.memory-reserve",
    ];
    for part in parts {
        assert!(failure.detail.contains(part), "{}", failure.detail);
    }
    assert!(function.view().instances.is_empty());
}

#[tokio::test]
async fn idle_instances_of_others_make_room() {
    let mut world = World::new().await;
    let kept = world.scaler.register(
        launch("kept", "one"),
        ScaleSpec {
            min_scale: 1,
            ..spec()
        },
    );
    world.start().await.succeed();
    let older = world.scaler.register(launch("older", "one"), spec());
    let lease = world.proven(&older).await;
    let first = lease.instance().id();
    drop(lease);
    let younger = world.scaler.register(launch("younger", "one"), spec());
    let lease = world.proven(&younger).await;
    let second = lease.instance().id();
    drop(lease);

    world.scaler.set_starts(no_memory(true));
    let function = world.register(spec());
    let asking = ask(&function);
    assert_eq!(world.stop().await, terminated(first));
    assert_eq!(world.stop().await, terminated(second));
    assert!(world.is_quiet().await, "min-scale is kept");
    assert_eq!(kept.view().instances.len(), 1);
    // There is memory again.
    world.scaler.set_starts(StartSettings::default());
    world.start().await.succeed();
    within(asking).await.unwrap();
}

#[tokio::test]
async fn idle_instances_stay_if_they_are_not_to_be_evicted() {
    let mut world = World::new().await;
    let other = world.scaler.register(launch("other", "one"), spec());
    drop(world.proven(&other).await);
    world.scaler.set_starts(no_memory(false));
    let function = world.register(spec());
    let asking = ask(&function);
    assert!(world.is_quiet().await);
    world.scaler.set_starts(StartSettings::default());
    world.start().await.succeed();
    within(asking).await.unwrap();
}
