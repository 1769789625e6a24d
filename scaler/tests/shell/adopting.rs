//! Instances of a former gateway.

use std::sync::{Arc, Mutex, OnceLock};

use stoker_core::{InstanceId, ScaleSpec};
use stoker_scaler::driver::{LaunchSpec, Stop};
use stoker_scaler::{Notice, Notices};
use tokio::sync::mpsc;

use crate::fake::{Fake, endpoint};
use crate::support::{Told, World, ask, at_once, launch, observed, settle, spec};
use crate::support::{terminated, within};

const LEFT: InstanceId = InstanceId::new(7, 3);

#[tokio::test]
async fn one_of_the_same_revision_serves_the_first_request() {
    let mut world = World::after(vec![observed(LEFT, "f", "one")]).await;
    let function = world.register(spec());
    assert_eq!(world.told().await, Told::Adopted(LEFT));
    let lease = at_once(&function).unwrap();
    assert!(!lease.is_cold());
    assert_eq!(lease.instance().id(), LEFT);
    assert_eq!(lease.instance().endpoint(), &endpoint(LEFT));
    world.scaler.stop_unclaimed();
    assert!(world.is_quiet().await);
    assert_eq!(function.view().instances[0].pid, Some(3));
}

#[tokio::test]
async fn its_end_is_told_to_the_pool_that_took_it_over() {
    let mut world = World::after(vec![observed(LEFT, "f", "one")]).await;
    let other = world.scaler.register(launch("g", "one"), spec());
    let function = world.register(spec());
    drop(at_once(&function).unwrap());
    function.evict();
    world.end(LEFT).await;
    assert!(function.view().instances.is_empty());
    function.retire();
    let weak = Arc::downgrade(&function);
    drop(function);
    assert!(weak.upgrade().is_none());
    assert!(other.view().instances.is_empty());
}

#[tokio::test]
async fn new_ids_are_not_those_of_adopted_instances() {
    let left = [1, 2, 7].map(|pool| InstanceId::new(pool, 1));
    let mut world = World::after(vec![
        observed(left[0], "f", "one"),
        observed(left[1], "f", "one"),
        observed(left[2], "gone", "one"),
    ])
    .await;
    let function = world.register(ScaleSpec {
        max_scale: 5,
        max_starting: 3,
        ..spec()
    });
    let other = world.scaler.register(launch("g", "one"), spec());
    let _leases = [at_once(&function).unwrap(), at_once(&function).unwrap()];
    let _waiting = [ask(&function), ask(&function), ask(&other)];
    for _ in 0..3 {
        let starting = world.start().await;
        assert!(!left.contains(&starting.id));
        assert!(starting.id.pool() > 7, "{}", starting.id);
        starting.succeed();
    }
    settle().await;
    assert_eq!(function.view().instances.len(), 4);
    assert_eq!(other.view().instances.len(), 1);
}

#[tokio::test]
async fn what_nobody_claims_is_stopped_and_then_killed() {
    let (older, unknown) = (InstanceId::new(7, 1), InstanceId::new(8, 1));
    let mut world = World::after(vec![
        observed(older, "f", "zero"),
        observed(LEFT, "f", "one"),
        observed(unknown, "gone", "one"),
    ])
    .await;
    let function = world.register(spec());
    assert!(world.is_quiet().await, "another one may claim them");
    world.scaler.stop_unclaimed();
    assert_eq!(world.stop().await, terminated(older));
    assert_eq!(world.stop().await, terminated(unknown));
    world.driver.exit(older, "terminated");
    for id in [older, unknown] {
        let killed = world.stop().await;
        assert_eq!((killed.id, killed.how), (id, Stop::Kill));
        assert_eq!(killed.known, id == unknown);
    }
    assert_eq!(at_once(&function).unwrap().instance().id(), LEFT);
    world.scaler.stop_unclaimed();
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn one_that_ended_before_it_was_claimed_is_not_adopted() {
    let mut world = World::after(vec![observed(LEFT, "f", "one")]).await;
    world.driver.exit(LEFT, "it exited with code 0");
    settle().await;
    let function = world.register(spec());
    assert!(function.view().instances.is_empty());
    let waiting = ask(&function);
    let starting = world.start().await;
    assert_ne!(starting.id, LEFT);
    starting.succeed();
    within(waiting).await.unwrap();
    world.scaler.stop_unclaimed();
    assert!(world.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_ends_while_it_is_adopted_is_gone() {
    let other = InstanceId::new(7, 4);
    let (tell, told) = mpsc::unbounded_channel();
    let (gone, news) = std::sync::mpsc::channel();
    let news = Mutex::new(news);
    let driver: Arc<OnceLock<Arc<Fake>>> = Arc::default();
    let doomed = Arc::clone(&driver);
    // The thread that adopts it goes on when another one has dealt with its end.
    let notices: Notices = Arc::new(move |_: &LaunchSpec, notice: Notice<'_>| {
        match notice {
            Notice::Adopted { id, .. } if id == LEFT => {
                let driver = doomed.get().unwrap();
                driver.exit(LEFT, "it exited with code 0");
                driver.exit(other, "it exited with code 0");
                news.lock().unwrap().recv().unwrap();
            }
            // The ends come one after the other, and that one came later.
            Notice::Exited { id, .. } if id == other => gone.send(()).unwrap(),
            _ => {}
        }
        if let Some(notice) = Told::of(&notice) {
            tell.send(notice).ok();
        }
    });
    let left = vec![observed(LEFT, "f", "one"), observed(other, "g", "one")];
    let world = World::with(left, told, notices).await;
    driver.get_or_init(|| Arc::clone(&world.driver));
    let _g = world.scaler.register(launch("g", "one"), spec());
    let function = world.register(spec());
    assert!(function.view().instances.is_empty());
}
