//! A scaler round the fake driver, and what tests say about it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use stoker_core::{InstanceId, ScaleSpec};
use stoker_scaler::driver::{LaunchSpec, Observed, Stop};
use stoker_scaler::{AcquireError, Notice, Notices, ScalerSettings};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::fake::{Calls, Fake, Starting, Stopped};
pub(crate) use crate::given::{launch, observed, spec};

/// A connection: a number whose drop can be seen.
pub(crate) type Connection = Arc<u32>;
pub(crate) type Scaler = stoker_scaler::Scaler<Connection>;
pub(crate) type Function = stoker_scaler::Function<Connection>;
pub(crate) type Lease = stoker_scaler::Lease<Connection>;
pub(crate) type Acquired = Result<Lease, AcquireError>;

/// A request that waits.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Acquired> + Send>>;

/// Nothing in these tests takes longer unless it is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// So long that it does not come.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// So short that it can be waited out.
pub(crate) const SOON: Duration = Duration::from_millis(20);

/// A scaler, its driver, and what they tell.
pub(crate) struct World {
    pub(crate) scaler: Arc<Scaler>,
    pub(crate) driver: Arc<Fake>,
    pub(crate) calls: Calls,
    pub(crate) told: mpsc::UnboundedReceiver<Told>,
}

/// A notice, to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Started(InstanceId),
    Adopted(InstanceId),
    StartFailed(InstanceId, Arc<str>),
    Exited(InstanceId, Arc<str>, Wanted),
    Frozen(InstanceId),
    Thawed(InstanceId),
    CannotFreeze(Arc<str>),
    /// Told to give memory back, told to end.
    Relieved(usize, usize),
}

/// Stoker had told the instance to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Yes,
    No,
}

impl World {
    pub(crate) async fn new() -> World {
        World::after(Vec::new()).await
    }

    /// With what a former gateway left.
    pub(crate) async fn after(observed: Vec<Observed>) -> World {
        let (tell, told) = mpsc::unbounded_channel();
        let notices = move |_: &LaunchSpec, notice: Notice<'_>| {
            if let Some(notice) = Told::of(&notice) {
                tell.send(notice).ok();
            }
        };
        World::with(observed, told, Arc::new(notices)).await
    }

    /// With `notices` of the test's own, which feed `told`.
    pub(crate) async fn with(
        observed: Vec<Observed>,
        told: mpsc::UnboundedReceiver<Told>,
        notices: Notices,
    ) -> World {
        let (driver, calls) = Fake::new(observed);
        let scaler = Scaler::new(ScalerSettings {
            driver: driver.clone(),
            runtime: Handle::current(),
            notices,
            stop_grace: SOON,
            ledger: None,
        })
        .await;
        World {
            scaler,
            driver,
            calls,
            told,
        }
    }

    /// A function called "f".
    pub(crate) fn register(&self, scaling: ScaleSpec) -> Arc<Function> {
        self.scaler.register(launch("f", "one"), scaling)
    }

    /// The next call of the driver's `start`.
    pub(crate) async fn start(&mut self) -> Starting {
        within(self.calls.starts.recv()).await.unwrap()
    }

    /// The next call of the driver's `stop`.
    pub(crate) async fn stop(&mut self) -> Stopped {
        within(self.calls.stops.recv()).await.unwrap()
    }

    /// The next notice.
    pub(crate) async fn told(&mut self) -> Told {
        within(self.told.recv()).await.unwrap()
    }

    /// An instance of `function` that answered once, by way of a lease on it.
    pub(crate) async fn proven(&mut self, function: &Arc<Function>) -> Lease {
        let asking = ask(function);
        self.start().await.succeed();
        let mut lease = within(asking).await.unwrap();
        lease.answered();
        let id = lease.instance().id();
        drop(lease);
        let lease = at_once(function).unwrap();
        assert_eq!(lease.instance().id(), id);
        lease
    }

    /// The next call of the driver's `stop` for `id`.
    pub(crate) async fn stop_of(&mut self, id: InstanceId) -> Stopped {
        loop {
            let stopped = self.stop().await;
            if stopped.id == id {
                return stopped;
            }
        }
    }

    /// The next stop of `id` is a SIGTERM, which it obeys; answers when the scaler knows.
    pub(crate) async fn end(&mut self, id: InstanceId) {
        assert_eq!(self.stop_of(id).await, terminated(id));
        self.driver.exit(id, "terminated");
        loop {
            if let Told::Exited(gone, _, wanted) = self.told().await
                && gone == id
            {
                assert_eq!(wanted, Wanted::Yes);
                break;
            }
        }
        settle().await;
    }

    /// Nothing is asked of the driver, not even by tasks that are about to run.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        settle().await;
        self.calls.starts.is_empty() && self.calls.stops.is_empty()
    }
}

impl Told {
    pub(crate) fn of(notice: &Notice<'_>) -> Option<Told> {
        Some(match notice {
            Notice::Started { id, .. } => Told::Started(*id),
            Notice::Adopted { id, .. } => Told::Adopted(*id),
            Notice::StartFailed { id, failure } => Told::StartFailed(*id, failure.detail.clone()),
            Notice::Exited {
                id,
                failure,
                wanted,
                ..
            } => {
                let wanted = if *wanted { Wanted::Yes } else { Wanted::No };
                Told::Exited(*id, failure.detail.clone(), wanted)
            }
            Notice::Held { .. } | Notice::Decided(_) => return None,
            Notice::Frozen { id } => Told::Frozen(*id),
            Notice::Thawed { id, .. } => Told::Thawed(*id),
            Notice::CannotFreeze { why } => Told::CannotFreeze((*why).into()),
            Notice::Relieved {
                reclaimed,
                released,
                ..
            } => Told::Relieved(*reclaimed, *released),
        })
    }
}

impl fmt::Debug for Starting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Starting({} of {})", self.id, self.function)
    }
}

/// A SIGTERM that reached the driver.
pub(crate) fn terminated(id: InstanceId) -> Stopped {
    Stopped {
        id,
        how: Stop::Terminate,
        known: true,
    }
}

/// What `future` answers, before anybody loses patience.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes too long")
}

/// Lets every task run that can, on a runtime of one thread.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// A request that stands in the queue.
pub(crate) fn ask(function: &Arc<Function>) -> Asking {
    ask_until(function, Instant::now() + NEVER)
}

/// A request that stands in the queue until `deadline`.
pub(crate) fn ask_until(function: &Arc<Function>, deadline: Instant) -> Asking {
    let mut asking = acquire(function, deadline);
    assert!(poll(&mut asking).is_pending(), "it need not wait");
    asking
}

/// The answer to a request that need not wait.
pub(crate) fn at_once(function: &Arc<Function>) -> Acquired {
    match poll(&mut acquire(function, Instant::now() + NEVER)) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it must wait"),
    }
}

/// A request that did not arrive yet.
pub(crate) fn acquire(function: &Arc<Function>, deadline: Instant) -> Asking {
    let function = Arc::clone(function);
    Box::pin(async move { function.acquire(deadline).await })
}

/// Looks once whether the request is answered.
pub(crate) fn poll(asking: &mut Asking) -> Poll<Acquired> {
    asking
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}
