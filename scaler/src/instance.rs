//! The shell's side of one instance: where it is, and the connections its slots own.

mod frost;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stoker_core::{InstanceId, InstanceView, StartFailure, Timestamp};
use tokio::sync::{Notify, watch};

use crate::driver::{Endpoint, StartKind, StartTimings, Started};
use frost::Frost;

/// One running copy of a revision, with connections of type `C` to it.
#[derive(Debug)]
pub struct Instance<C> {
    id: InstanceId,
    created: Timestamp,
    started: OnceLock<Started>,
    stopping: AtomicBool,
    /// Its slots are given out by another gateway.
    lent: AtomicBool,
    draining: AtomicBool,
    /// Woken when it begins to drain.
    drains: Notify,
    frost: Frost,
    gone: watch::Sender<Option<StartFailure>>,
    connections: Mutex<Vec<C>>,
}

impl<C> Instance<C> {
    pub(crate) fn new(id: InstanceId, created: Timestamp) -> Self {
        Instance {
            id,
            created,
            started: OnceLock::new(),
            stopping: AtomicBool::new(false),
            lent: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            drains: Notify::new(),
            frost: Frost::default(),
            gone: watch::Sender::new(None),
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
    /// If it never started; a lease is only given on instances that did.
    pub fn endpoint(&self) -> &Endpoint {
        &self
            .started
            .get()
            .expect("leases are given on started instances")
            .endpoint
    }

    /// Where the time of its start went; `None` if it was adopted or is not up yet.
    pub fn timings(&self) -> Option<StartTimings> {
        self.started.get().map(|started| started.timings)
    }

    /// Its process, if it is up and one of this machine.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.started.get()?.pid
    }

    /// How it ended, waiting for the news at most `patience`; `None` if it still runs then.
    pub async fn ended(&self, patience: Duration) -> Option<StartFailure> {
        let mut gone = self.gone.subscribe();
        let news = tokio::time::timeout(patience, gone.wait_for(Option::is_some)).await;
        match news {
            Ok(Ok(failure)) => failure.clone(),
            _ => None,
        }
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

    /// See [`Frost::settle`].
    pub(crate) fn settle_frost<E>(
        &self,
        act: impl FnOnce(bool) -> Result<(), E>,
    ) -> Result<Option<(bool, Duration)>, E> {
        self.frost.settle(act)
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

    pub(crate) fn set_started(&self, started: Started) {
        // A second answer for the same id would be a driver's mistake; the first one stands.
        drop(self.started.set(started));
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

    /// True once it took requests.
    pub(crate) fn has_started(&self) -> bool {
        self.started.get().is_some()
    }

    pub(crate) fn set_gone(&self, failure: StartFailure) {
        self.set_stopping();
        self.gone.send_replace(Some(failure));
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
            endpoint: started.map(|started| started.endpoint.clone()),
            timings: started.map(|started| started.timings),
            kind: started.and_then(|started| started.kind),
        }
    }
}
