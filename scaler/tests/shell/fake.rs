//! A driver without processes.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use stoker_core::{FailureKind, InstanceId, StartFailure};
use stoker_scaler::driver::{
    BoxFuture, Driver, Endpoint, Exit, LaunchSpec, Observed, StartKind, StartTimings, Started, Stop,
};
use tokio::sync::{mpsc, oneshot};

/// Does nothing by itself, or everything at once if it is automatic.
pub(crate) struct Fake {
    automatic: AtomicBool,
    fails: Mutex<Box<dyn FnMut() -> bool + Send>>,
    /// What it started or offered for adoption and what did not end yet.
    alive: Mutex<HashSet<InstanceId>>,
    observed: Mutex<Vec<Observed>>,
    starts: mpsc::UnboundedSender<Starting>,
    stops: mpsc::UnboundedSender<Stopped>,
    /// Handed over after all others.
    late: mpsc::UnboundedSender<Observed>,
    handed: tokio::sync::Mutex<mpsc::UnboundedReceiver<Observed>>,
    exits: mpsc::UnboundedSender<Exit>,
    coming: tokio::sync::Mutex<mpsc::UnboundedReceiver<Exit>>,
    /// What was done about the CPU and the memory of instances, in order.
    frosts: Mutex<Vec<(InstanceId, Frost)>>,
    /// Why instances cannot be frozen, if so.
    refusal: Mutex<Option<String>>,
    /// Preparations wait while this is held.
    pub(crate) unprepared: tokio::sync::Mutex<()>,
    /// Frozen instances stop only when this is not held.
    pub(crate) unstopped: tokio::sync::Mutex<()>,
}

/// What was done about an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frost {
    Freeze,
    Thaw,
    Reclaim,
    Stop,
}

/// What the fake was called for.
pub(crate) struct Calls {
    pub(crate) starts: mpsc::UnboundedReceiver<Starting>,
    pub(crate) stops: mpsc::UnboundedReceiver<Stopped>,
}

/// A call of `start` that waits for the test. Until it is answered the driver does not know the
/// instance, and ignores a call of `stop`.
pub(crate) struct Starting {
    pub(crate) id: InstanceId,
    pub(crate) function: Arc<str>,
    answer: oneshot::Sender<Result<(), StartFailure>>,
}

/// A call of `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) id: InstanceId,
    pub(crate) how: Stop,
    /// The driver knew the instance.
    pub(crate) known: bool,
}

impl Starting {
    /// It takes requests.
    pub(crate) fn succeed(self) {
        self.answer.send(Ok(())).unwrap();
    }

    /// It does not.
    pub(crate) fn fail(self, failure: StartFailure) {
        self.answer.send(Err(failure)).unwrap();
    }
}

impl Fake {
    pub(crate) fn new(observed: Vec<Observed>) -> (Arc<Fake>, Calls) {
        let (starts, asked) = mpsc::unbounded_channel();
        let (stops, stopped) = mpsc::unbounded_channel();
        let (exits, coming) = mpsc::unbounded_channel();
        let (late, handed) = mpsc::unbounded_channel();
        let fake = Fake {
            automatic: AtomicBool::new(false),
            fails: Mutex::new(Box::new(|| false)),
            alive: Mutex::new(observed.iter().map(|observed| observed.id).collect()),
            observed: Mutex::new(observed),
            starts,
            stops,
            late,
            handed: tokio::sync::Mutex::new(handed),
            exits,
            coming: tokio::sync::Mutex::new(coming),
            frosts: Mutex::default(),
            refusal: Mutex::default(),
            unprepared: tokio::sync::Mutex::default(),
            unstopped: tokio::sync::Mutex::default(),
        };
        let calls = Calls {
            starts: asked,
            stops: stopped,
        };
        (Arc::new(fake), calls)
    }

    /// From now on starts succeed and stops end the instance, without the test.
    pub(crate) fn go_automatic(&self) {
        self.automatic.store(true, Ordering::Relaxed);
    }

    /// Which automatic starts fail.
    pub(crate) fn set_fails(&self, fails: impl FnMut() -> bool + Send + 'static) {
        *self.fails.lock().unwrap() = Box::new(fails);
    }

    /// The program ends, if it runs.
    pub(crate) fn exit(&self, id: InstanceId, detail: &str) {
        if self.alive.lock().unwrap().remove(&id) {
            self.report(id, detail);
        }
    }

    /// The program ended before its start was answered, and this news comes first.
    pub(crate) fn report(&self, id: InstanceId, detail: &str) {
        let failure = failure(detail);
        let spent = None;
        self.exits.send(Exit { id, failure, spent }).unwrap();
    }

    /// A former gateway left this instance after all others.
    pub(crate) fn hand(&self, observed: Observed) {
        self.late.send(observed).unwrap();
    }

    /// From now on instances cannot be frozen.
    pub(crate) fn refuse_to_freeze(&self, why: &str) {
        *self.refusal.lock().unwrap() = Some(why.to_owned());
    }

    /// What was done since the last call.
    pub(crate) fn frosts(&self) -> Vec<(InstanceId, Frost)> {
        std::mem::take(&mut *self.frosts.lock().unwrap())
    }

    fn note(&self, id: InstanceId, frost: Frost) {
        self.frosts.lock().unwrap().push((id, frost));
    }

    /// How many run.
    pub(crate) fn alive(&self) -> usize {
        self.alive.lock().unwrap().len()
    }

    /// That one does.
    pub(crate) fn is_alive(&self, id: InstanceId) -> bool {
        self.alive.lock().unwrap().contains(&id)
    }

    async fn decide(&self, id: InstanceId, spec: &LaunchSpec) -> Result<(), StartFailure> {
        if self.automatic.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
            return match (self.fails.lock().unwrap())() {
                true => Err(failure("it was this one's turn to fail")),
                false => Ok(()),
            };
        }
        let (answer, answered) = oneshot::channel();
        let function = Arc::clone(&spec.function);
        let starting = Starting {
            id,
            function,
            answer,
        };
        self.starts.send(starting).unwrap();
        answered.await.unwrap()
    }
}

impl Driver for Fake {
    fn start<'a>(
        &'a self,
        id: InstanceId,
        spec: &'a Arc<LaunchSpec>,
    ) -> BoxFuture<'a, Result<Started, StartFailure>> {
        Box::pin(async move {
            self.decide(id, spec).await?;
            let new = self.alive.lock().unwrap().insert(id);
            assert!(new, "{id} was started twice");
            Ok(Started {
                endpoint: endpoint(id),
                pid: Some(id.count()),
                timings: StartTimings::default(),
                kind: Some(StartKind::Exec),
            })
        })
    }

    fn stop(&self, id: InstanceId, how: Stop) {
        self.note(id, Frost::Stop);
        let known = self.alive.lock().unwrap().contains(&id);
        if self.automatic.load(Ordering::Relaxed) {
            self.exit(id, "it was stopped");
        } else {
            // The test may be over.
            self.stops.send(Stopped { id, how, known }).ok();
        }
    }

    fn prepare_freeze(&self, _id: InstanceId) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            drop(self.unprepared.lock().await);
            match &*self.refusal.lock().unwrap() {
                Some(why) => Err(why.clone()),
                None => Ok(()),
            }
        })
    }

    fn set_frozen(&self, id: InstanceId, frozen: bool) -> io::Result<()> {
        self.note(id, if frozen { Frost::Freeze } else { Frost::Thaw });
        Ok(())
    }

    fn has_frozen(&self, _id: InstanceId) -> BoxFuture<'_, bool> {
        Box::pin(async {
            drop(self.unstopped.lock().await);
            true
        })
    }

    fn reclaim(&self, id: InstanceId) {
        self.note(id, Frost::Reclaim);
    }

    fn adopt(&self) -> BoxFuture<'_, Vec<Observed>> {
        Box::pin(async { std::mem::take(&mut *self.observed.lock().unwrap()) })
    }

    fn exited(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async { self.coming.lock().await.recv().await.unwrap() })
    }

    fn observed(&self) -> BoxFuture<'_, Observed> {
        Box::pin(async { self.handed.lock().await.recv().await.unwrap() })
    }
}

/// Where an instance of the fake is.
pub(crate) fn endpoint(id: InstanceId) -> Endpoint {
    Endpoint::Unix(PathBuf::from(format!("/run/{id}")))
}

/// A failure that tells `detail`.
pub(crate) fn failure(detail: &str) -> StartFailure {
    StartFailure {
        kind: FailureKind::Exited,
        detail: detail.into(),
    }
}
