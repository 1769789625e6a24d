//! Instances that get requests before they are known to run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoker_core::{FailureKind, InstanceId, ScaleSpec, StartFailure};
use stoker_scaler::driver::{
    BoxFuture, Driver, Endpoint, Exit, FailedStart, LaunchSpec, Observed, SocketKind, StartEnd,
    StartTimings, Started, Stop,
};
use stoker_scaler::{AcquireError, ScalerSettings, StartCause};
use tokio::runtime::Handle;

use crate::fake::endpoint;
use crate::support::*;

/// A driver that begins whatever it is asked for, and can do nothing else.
#[derive(Default)]
struct Beginner {
    begun: Mutex<Vec<(InstanceId, StartEnd)>>,
    /// Asked for in the other way.
    started: Mutex<Vec<InstanceId>>,
}

impl Driver for Beginner {
    fn begin(
        &self,
        id: InstanceId,
        _spec: &Arc<LaunchSpec>,
        end: StartEnd,
    ) -> Result<Endpoint, StartEnd> {
        self.begun.lock().unwrap().push((id, end));
        Ok(endpoint(id))
    }

    fn start<'a>(
        &'a self,
        id: InstanceId,
        _spec: &'a Arc<LaunchSpec>,
    ) -> BoxFuture<'a, Result<Started, StartFailure>> {
        self.started.lock().unwrap().push(id);
        Box::pin(std::future::pending())
    }

    fn stop(&self, _id: InstanceId, _how: Stop) {}

    fn adopt(&self) -> BoxFuture<'_, Vec<Observed>> {
        Box::pin(async { Vec::new() })
    }

    fn exited(&self) -> BoxFuture<'_, Exit> {
        Box::pin(std::future::pending())
    }
}

impl Beginner {
    /// The oldest start that has not ended.
    fn next(&self) -> (InstanceId, StartEnd) {
        self.begun.lock().unwrap().remove(0)
    }

    /// The oldest one runs.
    fn succeed(&self) {
        let (id, end) = self.next();
        end.tell(Ok(Started {
            endpoint: endpoint(id),
            pid: Some(7),
            timings: StartTimings::default(),
            kind: None,
        }));
    }

    /// The oldest one does not.
    fn fail(&self, unread: bool) {
        self.next().1.tell(Err(FailedStart {
            failure: missing(),
            unread,
        }));
    }

    fn begun(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    fn started(&self) -> usize {
        self.started.lock().unwrap().len()
    }
}

fn missing() -> StartFailure {
    StartFailure {
        kind: FailureKind::NotExecutable,
        detail: "there is no such program".into(),
    }
}

async fn world(scaling: ScaleSpec) -> (Arc<Scaler>, Arc<Beginner>, Arc<Function>) {
    let driver = Arc::new(Beginner::default());
    let scaler = Scaler::new(ScalerSettings {
        driver: driver.clone(),
        runtime: Handle::current(),
        notices: Arc::new(|_, _| {}),
        stop_grace: SOON,
        ledger: None,
    })
    .await;
    let mut launch = launch("f", "one");
    launch.socket = SocketKind::Inherit;
    let function = scaler.register(launch, scaling);
    (scaler, driver, function)
}

#[tokio::test]
async fn the_slot_is_there_at_once_and_is_cold() {
    let (scaler, driver, function) = world(spec()).await;
    let lease = at_once(&function).unwrap();
    assert!(lease.is_cold());
    let instance = Arc::clone(lease.instance());
    assert_eq!(instance.endpoint(), &endpoint(instance.id()));
    assert!(!instance.is_settled());
    assert!(scaler.starts(None).is_empty(), "it has not ended");
    driver.succeed();
    assert!(instance.is_settled() && !instance.never_ran());
    let starts = scaler.starts(Some("f"));
    assert_eq!(starts.len(), 1);
    assert_eq!(starts[0].instance, instance.id());
    assert_eq!(
        (starts[0].cause, &starts[0].result),
        (StartCause::Request, &Ok(Some(7)))
    );
    assert_eq!(starts[0].first_answer(), None);
    let (connect, first_byte) = (Duration::from_micros(3), Duration::from_micros(9));
    instance.note_first_answer(connect, first_byte);
    let first = scaler.starts(None)[0].first_answer().unwrap();
    assert_eq!((first.connect, first.first_byte), (connect, first_byte));
}

#[tokio::test]
async fn one_that_never_ran_is_a_failed_start() {
    for unread in [true, false] {
        let (scaler, driver, function) = world(spec()).await;
        let lease = at_once(&function).unwrap();
        driver.fail(unread);
        let instance = Arc::clone(lease.instance());
        assert_eq!(instance.never_ran(), unread);
        assert_eq!(instance.ended(NEVER).await, Some(missing()));
        drop(lease);
        let record = &scaler.starts(None)[0];
        assert_eq!(record.result, Err(missing()));
        let view = function.view();
        assert!(view.instances.is_empty());
        assert_eq!(view.pool.last_failure, Some((missing(), 1)));
    }
}

#[tokio::test]
async fn after_a_failure_nobody_is_sent_anywhere_in_advance() {
    let mut scaling = spec();
    scaling.backoff.initial = Duration::ZERO;
    scaling.backoff.max = Duration::ZERO;
    let (_scaler, driver, function) = world(scaling).await;
    drop(at_once(&function).unwrap());
    driver.fail(true);
    let _asking = ask(&function);
    settle().await;
    assert_eq!((driver.begun(), driver.started()), (0, 1));
}

#[tokio::test]
async fn no_more_are_under_way_than_may_start_at_once() {
    let mut scaling = spec();
    scaling.max_starting = 2;
    let (_scaler, driver, function) = world(scaling).await;
    let first = at_once(&function).unwrap();
    let second = at_once(&function).unwrap();
    let third = ask(&function);
    settle().await;
    assert_eq!((driver.begun(), driver.started()), (2, 1));
    driver.succeed();
    driver.succeed();
    drop((first, second, third));
    // The one that starts is waited for, and counts.
    let _leases = [at_once(&function).unwrap(), at_once(&function).unwrap()];
    let _fourth = ask(&function);
    settle().await;
    assert_eq!((driver.begun(), driver.started()), (0, 1));
}

#[tokio::test]
async fn a_gateway_that_is_succeeded_settles_first() {
    let (scaler, driver, function) = world(spec()).await;
    let lease = at_once(&function).unwrap();
    let settling = tokio::spawn({
        let scaler = Arc::clone(&scaler);
        async move { scaler.settle().await }
    });
    settle().await;
    assert!(!settling.is_finished());
    // Meanwhile starts are waited for.
    let asking = ask(&function);
    settle().await;
    assert_eq!((driver.begun(), driver.started()), (1, 1));
    driver.succeed();
    within(settling).await.unwrap();
    drop((asking, lease));
    scaler.thaw();
    let mut other = launch("g", "one");
    other.socket = SocketKind::Inherit;
    let _lease = at_once(&scaler.register(other, spec())).unwrap();
    assert_eq!(driver.begun(), 1, "they are begun again");
}

#[tokio::test]
async fn nothing_is_begun_once_the_gateway_ends() {
    let (scaler, driver, function) = world(spec()).await;
    let lease = at_once(&function).unwrap();
    driver.succeed();
    let ending = scaler.shut_down();
    tokio::pin!(ending);
    let pending = tokio::time::timeout(Duration::ZERO, ending.as_mut()).await;
    assert!(pending.is_err(), "an instance is left");
    assert_eq!(at_once(&function).err(), Some(AcquireError::ShuttingDown));
    drop(lease);
    assert_eq!((driver.begun(), driver.started()), (0, 0));
}
