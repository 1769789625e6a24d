//! What operators do.

use stoker_core::{InstanceState, ScaleSpec};

use crate::support::{World, ask, at_once, settle, spec, within};

#[tokio::test]
async fn instances_that_must_be_there_start_with_the_function() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        min_scale: 2,
        ..spec()
    });
    world.start().await.succeed();
    world.start().await.succeed();
    assert!(world.is_quiet().await);
    let leases = (at_once(&function).unwrap(), at_once(&function).unwrap());
    assert!(!leases.0.is_cold() && !leases.1.is_cold());
}

#[tokio::test]
async fn an_eviction_makes_the_next_request_cold() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        min_scale: 1,
        ..spec()
    });
    world.start().await.succeed();
    settle().await;
    let busy = at_once(&function).unwrap();
    let asking = ask(&function);
    world.start().await.succeed();
    let idle = within(asking).await.unwrap();
    let (busy_id, idle_id) = (busy.instance().id(), idle.instance().id());
    drop(idle);

    function.evict();
    world.end(idle_id).await;
    assert!(!busy.instance().is_stopping(), "it may finish");
    let state = function.view().instances[0].view.state;
    assert_eq!(state, InstanceState::Draining);
    drop(busy);
    world.end(busy_id).await;
    assert!(world.is_quiet().await, "nothing is replaced yet");

    let next = ask(&function);
    world.start().await.succeed();
    assert!(within(next).await.unwrap().is_cold());
}

#[tokio::test]
async fn an_operator_holds_the_number_of_instances() {
    let mut world = World::new().await;
    let function = world.register(spec());
    function.scale(Some(2));
    let (first, second) = (world.start().await, world.start().await);
    let ids = [first.id, second.id];
    first.succeed();
    second.succeed();
    assert!(world.is_quiet().await);
    assert_eq!(function.view().pool.scale_override, Some(2));

    function.scale(Some(0));
    let stopped = [world.stop().await, world.stop().await];
    assert!(stopped.iter().all(|stop| stop.known));
    assert!(
        ids.iter()
            .all(|id| stopped.iter().any(|stop| stop.id == *id))
    );
    for id in ids {
        world.driver.exit(id, "terminated");
    }
    assert!(world.is_quiet().await);
    assert!(function.view().instances.is_empty());

    function.scale(None);
    assert!(world.is_quiet().await);
    assert_eq!(function.view().pool.scale_override, None);
    let asking = ask(&function);
    world.start().await.succeed();
    within(asking).await.unwrap();
}

#[tokio::test]
async fn new_settings_take_effect_without_a_restart() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let first = world.proven(&function).await;
    let waiting = ask(&function);
    function.reconfigure(ScaleSpec {
        max_scale: 1,
        concurrency: 2,
        ..spec()
    });
    let second = within(waiting).await.unwrap();
    assert_eq!(first.instance().id(), second.instance().id());
    assert!(world.is_quiet().await);

    function.reconfigure(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    drop(first);
    // One slot is left, and it is in use.
    let next = ask(&function);
    assert_eq!(function.view().pool.in_flight, 1);
    drop(second);
    within(next).await.unwrap();
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn a_higher_bound_starts_what_waited_for_it() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        ..spec()
    });
    let _busy = world.proven(&function).await;
    let waiting = ask(&function);
    assert!(world.is_quiet().await);
    function.reconfigure(spec());
    world.start().await.succeed();
    within(waiting).await.unwrap();
}
