//! Instances that are no processes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoker_core::{FailureKind, InstanceId, StartFailure};
use stoker_scaler::driver::{
    BoxFuture, Driver, Endpoint, Exit, LaunchSpec, Observed, StartTimings, Started, Stop,
};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

/// Starts and stops at once, unless told otherwise.
pub(crate) struct FakeDriver {
    endpoint: PathBuf,
    /// Starts fail.
    failing: AtomicBool,
    /// Stops are heard and not obeyed.
    stubborn: AtomicBool,
    refused: Mutex<Vec<InstanceId>>,
    exits: mpsc::UnboundedSender<Exit>,
    exited: AsyncMutex<mpsc::UnboundedReceiver<Exit>>,
}

impl FakeDriver {
    /// All instances are at one Unix socket.
    pub(crate) fn new(endpoint: PathBuf) -> Arc<Self> {
        let (exits, exited) = mpsc::unbounded_channel();
        Arc::new(FakeDriver {
            endpoint,
            failing: AtomicBool::new(false),
            stubborn: AtomicBool::new(false),
            refused: Mutex::default(),
            exits,
            exited: AsyncMutex::new(exited),
        })
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    pub(crate) fn set_stubborn(&self) {
        self.stubborn.store(true, Ordering::SeqCst);
    }

    /// Obeys all that it was told meanwhile.
    pub(crate) fn give_in(&self) {
        self.stubborn.store(false, Ordering::SeqCst);
        let refused = std::mem::take(&mut *self.refused.lock().unwrap());
        for id in refused {
            self.end(id);
        }
    }

    fn end(&self, id: InstanceId) {
        self.exits
            .send(Exit {
                id,
                failure: failure("it was stopped"),
                spent: None,
            })
            .ok();
    }
}

impl Driver for FakeDriver {
    fn start<'a>(
        &'a self,
        id: InstanceId,
        _: &'a Arc<LaunchSpec>,
    ) -> BoxFuture<'a, Result<Started, StartFailure>> {
        Box::pin(async move {
            if self.failing.load(Ordering::SeqCst) {
                return Err(failure("it ended with exit code 3"));
            }
            let timings = StartTimings {
                gate: Duration::ZERO,
                prepare: Duration::from_micros(500),
                spawn: Duration::from_millis(1),
                listen: Duration::from_millis(10),
                ..StartTimings::default()
            };
            let endpoint = Endpoint::Unix(self.endpoint.clone());
            Ok(Started {
                endpoint,
                pid: Some(1000 + id.count()),
                timings,
                kind: None,
            })
        })
    }

    fn stop(&self, id: InstanceId, _: Stop) {
        if self.stubborn.load(Ordering::SeqCst) {
            self.refused.lock().unwrap().push(id);
        } else {
            self.end(id);
        }
    }

    fn adopt(&self) -> BoxFuture<'_, Vec<Observed>> {
        Box::pin(async { Vec::new() })
    }

    fn exited(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async move {
            match self.exited.lock().await.recv().await {
                Some(exit) => exit,
                None => std::future::pending().await,
            }
        })
    }
}

fn failure(detail: &str) -> StartFailure {
    StartFailure {
        kind: FailureKind::Exited,
        detail: detail.into(),
    }
}
