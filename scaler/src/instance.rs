//! The shell's side of one instance: where it is, and the connections its slots own.

mod frost;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stoker_core::{InstanceId, InstanceView, StartFailure, Timestamp};
use tokio::sync::{Notify, watch};

use crate::driver::{Endpoint, LaunchSpec, StartKind, StartTimings, Started};
use crate::{FirstAnswer, StartCause, StartRecord};
use frost::Frost;

/// How long whoever asks for the end of an instance waits for the end of its start, of which the
/// spawner is about to tell.
const SETTLING: Duration = Duration::from_secs(5);

/// One running copy of a revision, with connections of type `C` to it.
#[derive(Debug)]
pub struct Instance<C> {
    id: InstanceId,
    created: Timestamp,
    cause: StartCause,
    first_answer: Arc<OnceLock<FirstAnswer>>,
    /// Where requests may be sent, perhaps before it runs.
    reachable: OnceLock<Endpoint>,
    started: OnceLock<Started>,
    stopping: AtomicBool,
    /// Its slots are given out by another gateway.
    lent: AtomicBool,
    draining: AtomicBool,
    /// Woken when it begins to drain.
    drains: Notify,
    frost: Frost,
    life: watch::Sender<Life>,
    /// Its life has gone beyond [`Life::Starting`].
    settled: AtomicBool,
    connections: Mutex<Vec<C>>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Life {
    /// Its program is not known to run.
    Starting,
    Running,
    Gone(StartFailure),
    /// No program was executed: whatever was sent to it, nobody has read.
    NeverRan(StartFailure),
}

impl<C> Instance<C> {
    pub(crate) fn new(id: InstanceId, created: Timestamp) -> Self {
        Instance::asked_for(id, created, StartCause::default())
    }

    /// One that is about to be started.
    pub(crate) fn asked_for(id: InstanceId, created: Timestamp, cause: StartCause) -> Self {
        Instance {
            id,
            created,
            cause,
            first_answer: Arc::default(),
            reachable: OnceLock::new(),
            started: OnceLock::new(),
            stopping: AtomicBool::new(false),
            lent: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            drains: Notify::new(),
            frost: Frost::default(),
            life: watch::Sender::new(Life::Starting),
            settled: AtomicBool::new(false),
            connections: Mutex::new(Vec::new()),
        }
    }

    /// Its id.
    pub fn id(&self) -> InstanceId {
        self.id
    }

    /// When it was asked for or adopted.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// Where to reach it.
    ///
    /// # Panics
    /// If it was never reachable; a lease is only given on instances that are.
    pub fn endpoint(&self) -> &Endpoint {
        self.reachable
            .get()
            .expect("leases are given on reachable instances")
    }

    /// Where the time of its start went; `None` if it was adopted or is not up yet.
    pub fn timings(&self) -> Option<StartTimings> {
        self.started.get().map(|started| started.timings)
    }

    /// Its process, if it is up and one of this machine.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.started.get()?.pid
    }

    /// Notes the first answer to a request that waited for it; later ones are ignored.
    pub fn note_first_answer(&self, connect: Duration, first_byte: Duration) {
        let answer = FirstAnswer {
            connect,
            first_byte,
        };
        self.first_answer.set(answer).ok();
    }

    /// Its start, which has ended now.
    pub(crate) fn start_record(
        &self,
        launch: &LaunchSpec,
        (timings, took): (StartTimings, Duration),
        result: Result<Option<u32>, StartFailure>,
    ) -> StartRecord {
        let times = (timings, took);
        let first_answer = Arc::clone(&self.first_answer);
        StartRecord::new(launch, (self.id, self.cause), times, result, first_answer)
    }

    /// How it ended, waiting for the news at most `patience`, and before that until its start has
    /// ended; `None` if it still runs then.
    pub async fn ended(&self, patience: Duration) -> Option<StartFailure> {
        self.settled(SETTLING).await;
        let mut life = self.life.subscribe();
        let news = tokio::time::timeout(patience, life.wait_for(Life::is_over)).await;
        match news {
            Ok(Ok(life)) => match &*life {
                Life::Gone(failure) | Life::NeverRan(failure) => Some(failure.clone()),
                Life::Starting | Life::Running => None,
            },
            _ => None,
        }
    }

    /// True once its program is known to run or not to.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Waits until its program is known to run or not to, and at most `patience`.
    pub async fn settled(&self, patience: Duration) {
        if self.is_settled() {
            return;
        }
        let mut life = self.life.subscribe();
        let settled = life.wait_for(|life| *life != Life::Starting);
        // The sender lives as long as `self`.
        drop(tokio::time::timeout(patience, settled).await);
    }

    /// True if no program was executed, so that nobody can have read what was sent to it.
    pub fn never_ran(&self) -> bool {
        matches!(*self.life.borrow(), Life::NeverRan(_))
    }

    /// True once it was told to end or has ended.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ready when it is to have no more requests than it has, or is told to end.
    pub async fn draining(&self) {
        let mut news = pin!(self.drains.notified());
        // Before the look, so that nothing falls between the two.
        news.as_mut().enable();
        if !self.draining.load(Ordering::Acquire) {
            news.await;
        }
    }

    /// It gets no more requests, for now.
    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
        self.drains.notify_waiters();
    }

    /// The pool wishes it to be frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frost.is_wanted()
    }

    /// The pool's wish, to be told under the function's lock.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.frost.want(frozen);
    }

    /// A gateway that decided before this one wished it to be frozen.
    pub(crate) fn inherit_frozen(&self) {
        self.frost.inherit();
    }

    /// See [`Frost::settle`]. Connections are not kept over a freeze; see [`Renewal`](crate::Renewal).
    pub(crate) fn settle_frost<E>(
        &self,
        act: impl FnOnce(bool) -> Result<(), E>,
    ) -> Result<Option<(bool, Duration)>, E> {
        let settled = self.frost.settle(act)?;
        if matches!(settled, Some((true, _))) {
            self.lock().clear();
        }
        Ok(settled)
    }

    /// How often the pool has changed its mind.
    pub(crate) fn wishes(&self) -> u64 {
        self.frost.wishes()
    }

    /// The connections that it has, for it is about to be frozen; none if it is not any more.
    pub(crate) fn take_connections(&self) -> Vec<C> {
        let mut connections = self.lock();
        match self.is_frozen() {
            true => std::mem::take(&mut *connections),
            false => Vec::new(),
        }
    }

    /// Keeps a connection that was opened while it stands still, for its next lease, if it has been
    /// frozen since there were so many `wishes`.
    ///
    /// The wish to thaw it comes before the lease that looks for a connection. So no lease has come
    /// before this one is there, whose own connection would wait behind this one in a program that
    /// serves one after the other.
    pub(crate) fn offer_connection(&self, connection: C, wishes: u64) {
        let mut connections = self.lock();
        let wanted = self.is_frozen() && self.wishes() == wishes && !self.is_stopping();
        if wanted && !self.lent.load(Ordering::Acquire) {
            connections.push(connection);
        }
    }

    /// Another gateway decides whether it is frozen from now on, or this one does again.
    pub(crate) fn give_frost(&self, given: bool) {
        self.frost.set_given(given);
    }

    /// It gets a request, so if it drained, that is over.
    pub(crate) fn set_granted(&self) {
        if self.draining.load(Ordering::Relaxed) {
            self.draining.store(false, Ordering::Relaxed);
        }
    }

    /// Requests may be sent to it from now on.
    pub(crate) fn set_reachable(&self, endpoint: Endpoint) {
        // Where it is reached does not change.
        drop(self.reachable.set(endpoint));
    }

    pub(crate) fn set_started(&self, started: Started) {
        self.set_reachable(started.endpoint.clone());
        // A second answer for the same id would be a driver's mistake; the first one stands.
        drop(self.started.set(started));
        self.settle(Life::Running);
    }

    fn settle(&self, next: Life) {
        self.life.send_if_modified(|life| {
            // The last word is how it ended.
            let changes = !life.is_over() && *life != next;
            if changes {
                *life = next;
            }
            changes
        });
        self.settled.store(true, Ordering::Release);
    }

    /// From now on no connection is kept.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
        self.set_draining();
        self.lock().clear();
    }

    /// Another gateway gives its slots out: from now on no connection is kept here.
    pub(crate) fn set_lent(&self) {
        self.lent.store(true, Ordering::Release);
        self.lock().clear();
    }

    /// True once its program ran and it took requests.
    pub(crate) fn has_started(&self) -> bool {
        self.started.get().is_some()
    }

    pub(crate) fn set_gone(&self, failure: StartFailure) {
        self.set_stopping();
        self.settle(Life::Gone(failure));
    }

    /// No program was executed.
    pub(crate) fn set_never_ran(&self, failure: StartFailure) {
        self.set_stopping();
        self.settle(Life::NeverRan(failure));
    }

    pub(crate) fn take_connection(&self) -> Option<C> {
        self.lock().pop()
    }

    pub(crate) fn keep_connection(&self, connection: C) {
        let mut connections = self.lock();
        if !self.is_stopping() && !self.lent.load(Ordering::Acquire) {
            connections.push(connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<C>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    fn is_over(&self) -> bool {
        matches!(self, Life::Gone(_) | Life::NeverRan(_))
    }
}

/// One instance, for people and programs to look at.
#[derive(Clone, Debug)]
pub struct InstanceStatus {
    /// What the pool knows.
    pub view: InstanceView,
    /// Its process.
    pub pid: Option<u32>,
    /// Where to reach it.
    pub endpoint: Option<Endpoint>,
    /// Where the time of its start went.
    pub timings: Option<StartTimings>,
    /// How it came to be, if that is known.
    pub kind: Option<StartKind>,
}

impl InstanceStatus {
    pub(crate) fn new<C>(view: InstanceView, instance: Option<&Instance<C>>) -> Self {
        let started = instance.and_then(|instance| instance.started.get());
        InstanceStatus {
            view,
            pid: started.and_then(|started| started.pid),
            endpoint: instance.and_then(|instance| instance.reachable.get().cloned()),
            timings: started.map(|started| started.timings),
            kind: started.and_then(|started| started.kind),
        }
    }
}
