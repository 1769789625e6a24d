//! Idle instances are frozen, and run when they are needed.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Freeze, InstanceId, ScaleSpec};
use stoker_scaler::Renewal;

use crate::fake::Frost;
use crate::support::{
    Connection, Function, NEVER, SOON, Told, World, ask, at_once, observed, settle, spec,
    terminated, within,
};

/// Frozen as soon as they are idle.
fn freezing(after: Duration) -> ScaleSpec {
    ScaleSpec {
        freeze: Freeze {
            after: Some(after),
            keep_hot: 0,
        },
        ..spec()
    }
}

/// The state of the only instance.
fn state(function: &Function) -> &'static str {
    function.view().pool.instances[0].state_name()
}

impl World {
    /// The next notice that is not about a start.
    async fn news(&mut self) -> Told {
        loop {
            match self.told().await {
                Told::Started(_) => {}
                told => return told,
            }
        }
    }
}

#[tokio::test]
async fn an_idle_instance_is_frozen_and_a_request_thaws_it() {
    let mut world = World::new().await;
    let function = world.register(freezing(SOON));
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    assert_eq!((lease.is_cold(), lease.thaw_time()), (false, None));
    let connection = Arc::new(1);
    lease.keep_connection(Arc::clone(&connection));
    drop(lease);
    assert_eq!(world.news().await, Told::Frozen(id));
    assert_eq!(Arc::strong_count(&connection), 1, "it is closed");
    assert_eq!(state(&function), "frozen");
    assert_eq!(world.driver.frosts(), [(id, Frost::Freeze)]);

    let mut lease = at_once(&function).unwrap();
    assert!(
        world.driver.frosts().is_empty(),
        "it can be connected first"
    );
    lease.thaw();
    lease.thaw();
    assert_eq!(world.driver.frosts(), [(id, Frost::Thaw)]);
    assert_eq!(world.news().await, Told::Thawed(id));
    assert!(!lease.is_cold() && lease.thaw_time().is_some());
    assert_eq!(state(&function), "ready");
    drop(lease);
    assert_eq!(world.news().await, Told::Frozen(id));
    let lease = at_once(&function).unwrap();
    drop(lease);
    let lease = at_once(&function).unwrap();
    assert_eq!(lease.thaw_time(), None, "it is warm");
}

/// The number of a connection tells how often it was renewed.
const RENEWAL: Renewal<Connection> = Renewal {
    close: |connection| Box::pin(async move { connection }),
    open: |connection, _| Some(Arc::new(*connection + 1)),
};

#[tokio::test]
async fn the_connection_of_a_frozen_instance_is_renewed() {
    let mut world = World::new().await;
    world.scaler.renew_connections(RENEWAL);
    let function = world.register(freezing(SOON));
    let mut lease = world.proven(&function).await;
    let id = lease.instance().id();
    assert!(lease.take_connection().is_none());
    for number in 0..3 {
        let connection = Arc::new(number);
        lease.keep_connection(Arc::clone(&connection));
        drop(lease);
        assert_eq!(world.news().await, Told::Frozen(id));
        assert_eq!(Arc::strong_count(&connection), 1, "it is closed");
        settle().await;
        lease = at_once(&function).unwrap();
        assert_eq!(lease.take_connection().as_deref(), Some(&(number + 1)));
        assert!(lease.take_connection().is_none());
        lease.thaw();
        assert_eq!(world.news().await, Told::Thawed(id));
    }
}

#[tokio::test]
async fn no_connection_is_renewed_that_a_request_did_not_find() {
    let mut world = World::new().await;
    world.scaler.renew_connections(RENEWAL);
    let function = world.register(freezing(SOON));
    let lease = world.proven(&function).await;
    let id = lease.instance().id();
    let held = Arc::clone(&world.driver);
    let unstopped = held.unstopped.lock().await;
    lease.keep_connection(Arc::new(0));
    drop(lease);
    assert_eq!(world.news().await, Told::Frozen(id));
    let mut lease = at_once(&function).unwrap();
    assert!(lease.take_connection().is_none());
    drop(unstopped);
    settle().await;
    // It would be in front of the one that the lease has made since.
    assert!(lease.take_connection().is_none());
    lease.thaw();
    assert_eq!(world.news().await, Told::Thawed(id));

    // Nor one whose instance has run since.
    let unstopped = held.unstopped.lock().await;
    lease.keep_connection(Arc::new(5));
    drop(lease);
    assert_eq!(world.news().await, Told::Frozen(id));
    drop(at_once(&function).unwrap());
    assert_eq!(world.news().await, Told::Thawed(id));
    assert_eq!(world.news().await, Told::Frozen(id));
    drop(unstopped);
    settle().await;
    assert!(at_once(&function).unwrap().take_connection().is_none());
}

#[tokio::test]
async fn one_that_ends_has_no_connection() {
    let mut world = World::new().await;
    world.scaler.renew_connections(RENEWAL);
    let function = world.register(freezing(SOON));
    let lease = world.proven(&function).await;
    let instance = Arc::clone(lease.instance());
    let held = Arc::clone(&world.driver);
    let unstopped = held.unstopped.lock().await;
    lease.keep_connection(Arc::new(0));
    drop(lease);
    assert_eq!(world.news().await, Told::Frozen(instance.id()));
    function.evict();
    assert_eq!(world.stop().await, terminated(instance.id()));
    let before = Arc::strong_count(&instance);
    drop(unstopped);
    settle().await;
    assert_eq!(
        Arc::strong_count(&instance),
        before - 1,
        "its freeze is over"
    );
}

#[tokio::test]
async fn a_freeze_that_a_request_overtakes_is_none() {
    let mut world = World::new().await;
    let function = world.register(freezing(SOON));
    let held = Arc::clone(&world.driver);
    let unprepared = held.unprepared.lock().await;
    let lease = world.proven(&function).await;
    drop(lease);
    within(async {
        while state(&function) != "frozen" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let lease = at_once(&function).unwrap();
    drop(unprepared);
    settle().await;
    assert_eq!(world.driver.frosts(), [], "it was not and is not frozen");
    assert_eq!(lease.thaw_time(), None);
}

#[tokio::test]
async fn what_is_told_to_end_runs() {
    let mut world = World::new().await;
    let function = world.register(freezing(SOON));
    let id = world.proven(&function).await.instance().id();
    assert_eq!(world.news().await, Told::Frozen(id));
    function.evict();
    assert_eq!(world.stop().await, terminated(id));
    let done = [Frost::Freeze, Frost::Thaw, Frost::Stop].map(|frost| (id, frost));
    assert_eq!(world.driver.frosts(), done);
}

#[tokio::test]
async fn where_freezing_is_refused_that_is_said_once() {
    let mut world = World::new().await;
    world.driver.refuse_to_freeze("there are no control groups");
    let function = world.register(freezing(SOON));
    let asking = (ask(&function), ask(&function));
    world.start().await.succeed();
    world.start().await.succeed();
    drop((within(asking.0).await.unwrap(), within(asking.1).await));
    let why = Told::CannotFreeze("there are no control groups".into());
    assert_eq!(world.news().await, why);
    settle().await;
    assert!(world.told.is_empty(), "{:?}", world.told);
    assert_eq!(state(&function), "ready");
    assert_eq!(world.driver.frosts(), []);
}

#[tokio::test]
async fn under_pressure_memory_is_given_back_and_then_the_idlest_go() {
    let mut world = World::new().await;
    let function = world.register(freezing(NEVER));
    let waiting: Vec<_> = (0..4).map(|_| ask(&function)).collect();
    for _ in 0..4 {
        world.start().await.succeed();
    }
    let mut leases = Vec::new();
    for asking in waiting {
        leases.push(within(asking).await.unwrap());
    }
    let ids: Vec<InstanceId> = leases.iter().map(|lease| lease.instance().id()).collect();
    for mut lease in leases {
        lease.answered();
    }
    world.scaler.relieve(false, 3.0);
    assert_eq!(world.news().await, Told::Relieved(4, 0));
    settle().await;
    for id in &ids {
        assert_eq!(world.news().await, Told::Frozen(*id));
    }
    let done = world.driver.frosts();
    let reclaimed = done.iter().filter(|(_, frost)| *frost == Frost::Reclaim);
    assert!(reclaimed.map(|(id, _)| *id).eq(ids.iter().copied()));

    // A quarter, the idlest first.
    world.scaler.relieve(true, 3.0);
    assert_eq!(world.news().await, Told::Thawed(ids[0]));
    assert_eq!(world.news().await, Told::Relieved(0, 1));
    assert_eq!(world.stop().await, terminated(ids[0]));
    world.end_quietly(ids[0]).await;
    world.scaler.relieve(true, 3.0);
    assert_eq!(world.stop().await, terminated(ids[1]));
}

#[tokio::test]
async fn pressure_is_not_for_functions_that_never_freeze() {
    let mut world = World::new().await;
    let function = world.register(spec());
    drop(world.proven(&function).await);
    world.scaler.relieve(true, 0.0);
    settle().await;
    assert_eq!((state(&function), world.driver.frosts()), ("ready", vec![]));
}

#[tokio::test]
async fn what_a_former_gateway_left_counts_as_hot() {
    let id = InstanceId::new(7, 1);
    let mut world = World::after(vec![observed(id, "f", "one")]).await;
    let function = world.register(freezing(SOON));
    assert_eq!(world.news().await, Told::Adopted(id));
    assert_eq!(world.news().await, Told::Frozen(id));
    assert_eq!(state(&function), "frozen");
    assert_eq!(at_once(&function).unwrap().instance().id(), id);
}

impl World {
    async fn end_quietly(&mut self, id: InstanceId) {
        self.driver.exit(id, "terminated");
        while !matches!(self.news().await, Told::Exited(gone, ..) if gone == id) {}
        settle().await;
    }
}
