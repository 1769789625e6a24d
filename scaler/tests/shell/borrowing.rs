//! A gateway that departed borrows slots from its heir, who learns how they fared.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use stoker_core::{Admission, Freeze, Health, ScaleSpec, Standing};
use stoker_scaler::handover::{Heir, Message, channel};
use stoker_scaler::{AcquireError, ScalerSettings};
use tokio::runtime::Handle;

use crate::fake::{Fake, Frost};
use crate::support::{Function, NEVER, SOON, Scaler, Told, World, acquire, ask, at_once};
use crate::support::{launch, observed, settle, spec, within};

/// So long that a pause of the machine in another use does not make it doubtful.
const SERVICE: Duration = Duration::from_millis(300);

/// Another scaler goes on with the function of `world`; the function as it is there.
fn hand_over(world: &World, scaling: ScaleSpec) -> (Arc<Scaler>, Arc<Function>) {
    let (scaler, function, _) = hand_over_to(world, scaling);
    (scaler, function)
}

/// With the driver there.
fn hand_over_to(world: &World, scaling: ScaleSpec) -> (Arc<Scaler>, Arc<Function>, Arc<Fake>) {
    let flags = SocketFlags::CLOEXEC;
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let (to_heir, mut from_heir) = channel(one).unwrap();
    let (to_former, mut from_former) = channel(other).unwrap();
    let estate = world.scaler.freeze();
    let instances = estate.functions.iter().flat_map(|it| it.instances());
    let living: Vec<_> = instances.map(|(id, _)| observed(id, "f", "one")).collect();
    let (driver, _calls) = Fake::new(living.clone());
    let settings = ScalerSettings {
        driver: driver.clone(),
        runtime: Handle::current(),
        notices: Arc::new(|_, _| {}),
        stop_grace: SOON,
        ledger: None,
    };
    let clock = world.scaler.clock();
    let (scaler, session) = Scaler::succeed(settings, clock, (estate, living), to_former);
    let function = scaler.register(launch("f", "one"), scaling);
    let claimed: HashSet<u32> = session.functions().into_iter().collect();
    assert_eq!(claimed.len(), 1);
    let heir = Heir::new(to_heir, world.driver.clone());
    world.scaler.depart(&heir, &claimed);
    let former = Arc::clone(&world.scaler);
    tokio::spawn(async move {
        while let Ok(Some((message, _))) = from_heir.receive().await {
            if let Message::Answer {
                function,
                waiter,
                answer,
            } = message
            {
                former.answered(function, waiter, answer);
            }
        }
    });
    tokio::spawn(async move {
        while let Ok(Some((message, _))) = from_former.receive().await {
            if let Message::Ask { function, ask } = message {
                session.serve(function, ask);
            }
        }
    });
    (scaler, function, driver)
}

/// Waits until the heir has got what was told.
async fn until(function: &Arc<Function>, what: impl Fn(&Arc<Function>) -> bool) {
    within(async {
        while !what(function) {
            settle().await;
        }
    })
    .await;
}

/// The spawner hands over what a killed gateway had, also what its heir has asked for.
#[tokio::test]
async fn an_instance_that_was_inherited_is_not_adopted_too() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(world.proven(&function).await);
    let (socket, _former) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let (to_former, _from_former) = channel(socket).unwrap();
    let estate = world.scaler.freeze();
    let (id, _) = estate.functions[0].instances().next().unwrap();
    let (driver, _calls) = Fake::new(Vec::new());
    let settings = ScalerSettings {
        driver: driver.clone(),
        runtime: Handle::current(),
        notices: Arc::new(|_, _| {}),
        stop_grace: SOON,
        ledger: None,
    };
    let living = vec![observed(id, "f", "one")];
    let clock = world.scaler.clock();
    let (scaler, _session) = Scaler::succeed(settings, clock, (estate, living), to_former);
    driver.hand(observed(id, "f", "one"));
    settle().await;
    let there = scaler.register(launch("f", "one"), spec());
    let instances = there.view().pool.instances;
    assert_eq!(instances.len(), 1, "{instances:?}");
    assert_eq!(at_once(&there).unwrap().instance().id(), id);
}

#[tokio::test]
async fn failures_on_both_sides_of_a_takeover_set_an_instance_aside() {
    let mut world = World::new().await;
    let scaling = ScaleSpec {
        max_scale: 2,
        health: Health {
            failures: 2,
            ejection: NEVER,
            ..spec().health
        },
        ..spec()
    };
    let function = world.register(scaling.clone());
    let (one, two) = (ask(&function), ask(&function));
    for _ in 0..2 {
        world.start().await.succeed();
    }
    let (mut one, mut two) = (within(one).await.unwrap(), within(two).await.unwrap());
    one.answered();
    two.failed();
    let bad = two.instance().id();
    drop((one, two));
    let mut lease = at_once(&function).unwrap();
    assert_eq!(lease.instance().id(), bad);

    let (_scaler, there) = hand_over(&world, scaling);
    assert_eq!(there.view().pool.in_flight, 1);
    assert!(function.expected_wait().is_none(), "it is known there");
    lease.failed();
    drop(lease);
    until(&there, |there| there.view().pool.in_flight == 0).await;
    let view = there.view().pool;
    let seen = view.instances.iter().find(|it| it.id == bad).unwrap();
    assert!(matches!(seen.standing, Standing::Aside { .. }), "{seen:?}");
    // Borrowed slots are of the other one.
    let mut good = within(acquire(&function, Instant::now() + NEVER))
        .await
        .unwrap();
    assert_ne!(good.instance().id(), bad);
    good.answered();
}

#[tokio::test]
async fn what_would_wait_too_long_is_refused_across_the_handover() {
    let mut world = World::new().await;
    let scaling = ScaleSpec {
        max_scale: 1,
        admission: Admission::Deadline,
        ..spec()
    };
    let function = world.register(scaling.clone());
    drop(world.proven(&function).await);
    for _ in 0..8 {
        let lease = at_once(&function).unwrap();
        // Time is the subject: how long a slot is in use is learned from the clock.
        tokio::time::sleep(SERVICE).await;
        drop(lease);
    }
    let (_scaler, there) = hand_over(&world, scaling);
    let long = within(acquire(&function, Instant::now() + NEVER))
        .await
        .unwrap();
    let before = there.expected_wait().unwrap();
    let hurried = acquire(&function, Instant::now() + Duration::from_millis(5));
    let AcquireError::TooLate(expected) = within(hurried).await.unwrap_err() else {
        panic!("it was let in");
    };
    // Eight of them, and two before that took no time.
    assert!(expected >= Duration::from_millis(30), "{expected:?}");
    // How long the borrowed slot was in use is learned there, from its grant on. The others may have
    // been in use for longer than they should. Time is the subject here too.
    tokio::time::sleep(4 * before + Duration::from_millis(500)).await;
    drop(long);
    until(&there, |there| there.view().pool.in_flight == 0).await;
    let _busy = at_once(&there).unwrap();
    let after = there.expected_wait().unwrap();
    assert!(
        after >= before + Duration::from_millis(30),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn what_is_frozen_stays_so_until_the_heir_needs_it() {
    let mut world = World::new().await;
    let scaling = ScaleSpec {
        freeze: Freeze {
            after: Some(SOON),
            keep_hot: 0,
        },
        ..spec()
    };
    let function = world.register(scaling.clone());
    let id = world.proven(&function).await.instance().id();
    while world.told().await != Told::Frozen(id) {}
    assert_eq!(world.driver.frosts(), [(id, Frost::Freeze)]);

    let (_scaler, there, driver) = hand_over_to(&world, scaling);
    assert_eq!(there.view().pool.instances[0].state_name(), "frozen");
    settle().await;
    // Which makes sure.
    assert_eq!(driver.frosts(), [(id, Frost::Freeze)]);
    let lease = within(acquire(&function, Instant::now() + NEVER))
        .await
        .unwrap();
    assert_eq!(driver.frosts(), [(id, Frost::Thaw)]);
    assert!(!lease.is_cold() && lease.thaw_time().is_some());
    assert_eq!(world.driver.frosts(), [], "the former one does no more");
}

#[tokio::test]
async fn an_attempt_that_fails_leaves_the_frozen_frozen() {
    let mut world = World::new().await;
    let scaling = ScaleSpec {
        freeze: Freeze {
            after: Some(SOON),
            keep_hot: 0,
        },
        ..spec()
    };
    let function = world.register(scaling);
    let id = world.proven(&function).await.instance().id();
    while world.told().await != Told::Frozen(id) {}
    assert_eq!(world.scaler.freeze().functions.len(), 1);
    let asking = ask(&function);
    settle().await;
    assert_eq!(world.driver.frosts(), [(id, Frost::Freeze)]);
    world.scaler.thaw();
    assert!(within(asking).await.unwrap().thaw_time().is_some());
    assert_eq!(world.driver.frosts(), [(id, Frost::Thaw)]);
}
