//! Taking new configurations into effect: when files change, on SIGHUP, and on request.
//!
//! A configuration that is not valid is refused as a whole, with every error, while the former one
//! serves on.

mod interest;
mod report;
mod watches;

use std::fmt;
use std::future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use stoker_config::{Config, Errors};
use stoker_gateway::{Applied, Gateway};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{self, OwnedMutexGuard, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use report::Cause;
pub(crate) use report::note;
use watches::Watches;

use crate::deployments::Deployments;

/// Quiet time after an event: editors and copies come in several steps.
const QUIET: Duration = Duration::from_millis(150);
/// A stream of events does not put a reload off for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Reading again finds what came while the watches were being set; then events tell.
const ROUNDS: u32 = 4;
/// Files are dated by a clock that stands still for some milliseconds.
const CLOCK_STEP: Duration = Duration::from_millis(20);
/// Between two looks whether something was published by another gateway, during an upgrade.
const LOOK: Duration = Duration::from_secs(5);
/// Requests that wait for their turn.
const QUEUE: usize = 16;

/// Takes new configurations into effect, one after the other. Clones share it; it ends with the
/// last of them.
#[derive(Clone, Debug)]
pub struct Reloader {
    requests: mpsc::Sender<Request>,
    status: watch::Receiver<Status>,
    file: Arc<Path>,
    /// Held by whoever acts for all gateways of the state directory.
    lead: Arc<sync::Mutex<()>>,
}

/// How reading the files went last.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Times that they were read, or at the start found unchanged.
    pub count: u64,
    /// What was wrong with them.
    pub errors: Option<Errors>,
}

/// Why a configuration did not take effect.
#[derive(Debug)]
pub enum ReloadError {
    /// It is not valid; the former one stays in force.
    Invalid(Errors),
    /// The gateway is ending or has failed.
    Ended,
}

type Reply = oneshot::Sender<Result<Applied, ReloadError>>;

/// What the task is asked.
enum Request {
    Reload(Reply),
    /// Answers when nothing is being read, and waits for the end of the other.
    Suspend(oneshot::Sender<()>, oneshot::Receiver<()>),
}

/// No configuration takes effect while this lives.
#[derive(Debug)]
pub struct Suspension {
    _end: oneshot::Sender<()>,
    _lead: Lead,
}

/// This gateway leads the state directory while this lives: no other one takes over.
#[derive(Debug)]
pub struct Lead {
    _guard: OwnedMutexGuard<()>,
}

impl Reloader {
    /// Begins to watch `watched`, which is [`Config::watched`] of the configuration in force, and
    /// to take SIGHUP. Must be called within a runtime.
    ///
    /// What changed since `read_at`, when the reading of that configuration began, takes effect at
    /// once. If files cannot be watched, a line in the log says so, and the other ways to reload
    /// remain.
    pub fn spawn(
        file: PathBuf,
        watched: Vec<PathBuf>,
        read_at: SystemTime,
        (gateway, deployments): (Arc<Gateway>, Arc<Deployments>),
    ) -> Reloader {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let (status, status_receiver) = watch::channel(Status::default());
        let file: Arc<Path> = file.into();
        let task = Task {
            work: Arc::new(Work {
                file: Arc::clone(&file),
                gateway,
                deployments,
                watches: Mutex::new(Watches::new(watched)),
            }),
            requests: receiver,
            status,
        };
        // Here, for until it is taken SIGHUP ends the process.
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| note(&format!("SIGHUP does not reload: {error}")))
            .ok();
        tokio::spawn(task.run(read_at, hangup));
        Reloader {
            requests,
            status: status_receiver,
            file,
            lead: Arc::default(),
        }
    }

    /// Reads the files and takes them into effect.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub async fn reload(&self) -> Result<Applied, ReloadError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::Reload(reply))
            .await
            .map_err(|_| ReloadError::Ended)?;
        answer.await.unwrap_or(Err(ReloadError::Ended))
    }

    /// Waits until no configuration is being taken into effect, and lets none be. What changes
    /// meanwhile takes effect afterwards.
    ///
    /// # Errors
    /// If the gateway is ending.
    pub async fn suspend(&self) -> Result<Suspension, ReloadError> {
        let lead = self.lead().await;
        let (suspended, answer) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        self.requests
            .send(Request::Suspend(suspended, ended))
            .await
            .map_err(|_| ReloadError::Ended)?;
        answer.await.map_err(|_| ReloadError::Ended)?;
        Ok(Suspension {
            _end: end,
            _lead: lead,
        })
    }

    /// Waits while another gateway tries to take over, and for ever once it has; and lets none begin
    /// until the answer is dropped. For what only one gateway may do that shares its store with
    /// others. New configurations may take effect meanwhile.
    pub async fn lead(&self) -> Lead {
        let guard = Arc::clone(&self.lead).lock_owned().await;
        Lead { _guard: guard }
    }

    /// The gateway's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is wrong with the files as they were read last.
    pub fn errors(&self) -> Option<Errors> {
        self.status.borrow().errors.clone()
    }

    /// Tells of every time that the files were read.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// The one task that reloads.
struct Task {
    work: Arc<Work>,
    requests: mpsc::Receiver<Request>,
    status: watch::Sender<Status>,
}

/// What a reload works on, on a thread that may block.
struct Work {
    file: Arc<Path>,
    gateway: Arc<Gateway>,
    deployments: Arc<Deployments>,
    watches: Mutex<Watches>,
}

impl Task {
    async fn run(mut self, read_at: SystemTime, mut hangup: Option<Signal>) {
        let changes = self.work.watches().changes();
        let work = Arc::clone(&self.work);
        let changed = tokio::task::spawn_blocking(move || work.begin(read_at)).await;
        if changed.unwrap_or(true) {
            // Errors are in the log and the status by then.
            self.reload(Cause::Start).await.ok();
        } else {
            self.status.send_modify(|status| status.count += 1);
        }
        loop {
            let (cause, reply) = tokio::select! {
                request = self.requests.recv() => match request {
                    Some(Request::Reload(reply)) => (Cause::Request, Some(reply)),
                    Some(Request::Suspend(suspended, ended)) => {
                        suspended.send(()).ok();
                        // An error is the end too.
                        ended.await.ok();
                        continue;
                    }
                    None => return,
                },
                () = settled(&changes) => (Cause::Files, None),
                () = published(&self.work.deployments) => (Cause::Registry, None),
                () = received(&mut hangup) => (Cause::Hangup, None),
            };
            let result = self.reload(cause).await;
            if let Some(reply) = reply {
                // Whoever asked may have left; it is done all the same.
                reply.send(result).ok();
            }
        }
    }

    async fn reload(&self, cause: Cause) -> Result<Applied, ReloadError> {
        let work = Arc::clone(&self.work);
        let Ok(result) = tokio::task::spawn_blocking(move || work.reload()).await else {
            note("a reload failed within; the former configuration stays in force");
            return Err(ReloadError::Ended);
        };
        report::tell(cause, &result, self.status.borrow().errors.as_ref());
        self.status.send_modify(|status| {
            status.count += 1;
            status.errors = result.as_ref().err().cloned();
        });
        result.map_err(ReloadError::Invalid)
    }
}

impl Work {
    /// Arms the watches; true if anything changed since `read_at`. Reading everything again, only
    /// to find it the same, would cost a large gateway twice the memory at its start.
    fn begin(&self, read_at: SystemTime) -> bool {
        self.watches().begin();
        self.watches().changed_since(read_at - CLOCK_STEP)
    }

    fn reload(&self) -> Result<Applied, Errors> {
        let mut config = self.load()?;
        self.deployments.apply(&mut config);
        for warning in &config.warnings {
            note(&format!("reload: {warning}"));
        }
        // Of all callers only this one applies, and the task waits for it.
        Ok(self.gateway.apply(config))
    }

    /// Reads the files and watches all that was read. Whatever came between the two steps has no
    /// event, so it is read again until nothing new had to be watched.
    fn load(&self) -> Result<Config, Errors> {
        let mut watches = self.watches();
        watches.begin();
        let mut round = 1;
        loop {
            let loaded = stoker_config::load(&self.file);
            let new = match &loaded {
                Ok(config) => watches.follow(&config.watched),
                Err(errors) => watches.follow_errors(errors),
            };
            if !new || round == ROUNDS {
                return loaded;
            }
            round += 1;
        }
    }

    fn watches(&self) -> std::sync::MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Invalid(errors) => errors.fmt(f),
            ReloadError::Ended => f.write_str("the gateway cannot reload any more"),
        }
    }
}

impl std::error::Error for ReloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReloadError::Invalid(errors) => Some(errors),
            ReloadError::Ended => None,
        }
    }
}

/// Waits for a change and then until there are no more for a moment.
async fn settled(changes: &tokio::sync::Notify) {
    changes.notified().await;
    let longest = Instant::now() + LONGEST_WAIT;
    loop {
        let quiet = Instant::now() + QUIET;
        let more = timeout_at(quiet.min(longest), changes.notified()).await;
        if more.is_err() {
            return;
        }
    }
}

/// Waits until something was published that is not in force.
async fn published(deployments: &Arc<Deployments>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let deployments = Arc::clone(deployments);
        let changed = tokio::task::spawn_blocking(move || deployments.changed()).await;
        if changed.unwrap_or(false) {
            return;
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await.is_some(),
        None => false,
    };
    if !came {
        future::pending().await
    }
}
