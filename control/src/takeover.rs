//! Having another process of the gateway take over, while this one serves.
//!
//! This process executes the new program with a socket to it as standard input, over which it
//! passes its listening sockets, the lock of the state directory, and at last all that its pools
//! have (`stoker_scaler::handover`). Whatever goes wrong before the new one serves, it is killed and
//! this one goes on as if nothing had happened.

mod attempt;
mod heir;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stoker_gateway::{Gateway, Scaler, Server};
use stoker_scaler::handover::Receiver;
use stoker_scaler::logs::Logs;
use stoker_scaler::process::ProcessDriver;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::admin::SharedListeners;
use crate::reload::Reloader;

pub use heir::Claim;

/// Another one is refused while one is under way.
const QUEUE: usize = 1;

/// What another gateway takes over.
pub struct Holdings {
    /// The configuration in force.
    pub gateway: Arc<Gateway>,
    /// The pools.
    pub scaler: Arc<Scaler>,
    /// The listening sockets.
    pub server: Arc<Server>,
    /// The connection to the spawner, and the lock of the state directory.
    pub driver: Arc<ProcessDriver>,
    /// The pipes of the instances.
    pub logs: Arc<Logs>,
    /// Must not take anything into effect meanwhile.
    pub reloader: Reloader,
    /// The sockets of the admin API.
    pub admin: SharedListeners,
    /// The gateway's file, as it was named when this process was started.
    pub file: PathBuf,
    /// The state directory that is in use, whatever the configuration says by now.
    pub state_dir: PathBuf,
    /// What is executed if nothing else is said.
    pub program: PathBuf,
}

/// Has another gateway take over; clones share it.
#[derive(Clone, Debug)]
pub struct Takeover {
    requests: mpsc::Sender<Request>,
    stage: watch::Receiver<Stage>,
}

/// How far another gateway has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Not at all.
    Serving,
    /// It serves.
    Departed,
    /// Its process is known as the gateway's, so this one may end.
    Released,
}

/// Why no other gateway has taken over.
#[derive(Debug)]
pub enum TakeoverError {
    /// The program cannot be executed.
    Execute(PathBuf, io::Error),
    /// The new gateway says why it cannot.
    Refused(String),
    /// It ended without a word.
    Ended(String),
    /// It was not prepared, or did not serve, in this time.
    Slow(&'static str, Duration),
    /// Starts that were under way here did not come to their end in this time.
    Unsettled(Duration),
    /// This machine lacks something.
    System(&'static str, io::Error),
    /// One is under way already, or this gateway has been replaced or is ending.
    Busy,
}

enum Request {
    Upgrade(Option<PathBuf>, oneshot::Sender<Result<u32, TakeoverError>>),
    /// No more of them.
    Close(oneshot::Sender<()>),
}

impl Takeover {
    /// Waits for requests and for SIGUSR2. Must be called within a runtime.
    pub fn spawn(holdings: Holdings) -> Takeover {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let (stage_sender, stage) = watch::channel(Stage::Serving);
        // Here, for until it is taken SIGUSR2 ends the process.
        let wish = signal(SignalKind::user_defined2())
            .map_err(|error| note(&format!("SIGUSR2 does not upgrade: {error}")))
            .ok();
        tokio::spawn(run(holdings, receiver, stage_sender, wish));
        Takeover { requests, stage }
    }

    /// Executes `binary`, or what this process was started from, and has it take over; the new
    /// process.
    ///
    /// # Errors
    /// Whatever kept it from that; then this gateway serves on.
    pub async fn upgrade(&self, binary: Option<PathBuf>) -> Result<u32, TakeoverError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .try_send(Request::Upgrade(binary, reply))
            .map_err(|_| TakeoverError::Busy)?;
        answer.await.unwrap_or(Err(TakeoverError::Busy))
    }

    /// Answers when another gateway has taken over.
    pub async fn departed(&self) {
        self.reached(Stage::Departed).await;
    }

    /// Answers when this process may end, after [`Takeover::departed`]: whoever watches over it
    /// knows the new one.
    pub async fn released(&self) {
        self.reached(Stage::Released).await;
    }

    async fn reached(&self, wanted: Stage) {
        let mut stage = self.stage.clone();
        if stage.wait_for(|stage| *stage >= wanted).await.is_err() {
            std::future::pending().await
        }
    }

    /// Waits for the end of what is under way and lets nothing begin any more; whether another
    /// gateway has taken over.
    pub async fn close(&self) -> bool {
        let (reply, closed) = oneshot::channel();
        // Errors say that it is closed already.
        if self.requests.send(Request::Close(reply)).await.is_ok() {
            closed.await.ok();
        }
        *self.stage.borrow() >= Stage::Departed
    }
}

/// Tries one after the other until one succeeds; then speaks with the heir.
async fn run(
    mut holdings: Holdings,
    mut requests: mpsc::Receiver<Request>,
    stage: watch::Sender<Stage>,
    mut wish: Option<Signal>,
) {
    let heir = loop {
        let (binary, reply) = tokio::select! {
            request = requests.recv() => match request {
                Some(Request::Upgrade(binary, reply)) => (binary, Some(reply)),
                Some(Request::Close(closed)) => {
                    closed.send(()).ok();
                    return;
                }
                None => return,
            },
            () = received(&mut wish) => (None, None),
        };
        let binary = binary.unwrap_or_else(|| holdings.program.clone());
        let outcome = attempt::attempt(&mut holdings, &binary).await;
        tell(&binary, &outcome);
        let (outcome, heir) = match outcome {
            Ok((pid, heir)) => {
                stage.send_replace(Stage::Departed);
                // Whoever hears of the new process finds it, not this one, where callers connect.
                holdings.server.left().await;
                (Ok(pid), Some(heir))
            }
            Err(error) => (Err(error), None),
        };
        if let Some(reply) = reply {
            // Whoever asked may have left; it is done all the same.
            reply.send(outcome).ok();
        }
        if let Some(heir) = heir {
            break heir;
        }
    };
    // Who asks from now on is told so.
    drop(requests);
    let released = || {
        stage.send_replace(Stage::Released);
    };
    attempt::hear(&holdings, heir, released).await;
    // It is gone, and nobody is to be waited for.
    stage.send_replace(Stage::Released);
    // Whoever asks how far it is must not be told that nobody knows.
    std::future::pending().await
}

/// A line in the gateway's log.
fn tell(binary: &Path, outcome: &Result<(u32, Receiver), TakeoverError>) {
    match outcome {
        Ok((pid, _)) => note(&format!(
            "process {pid} has taken over; this one finishes the requests in flight"
        )),
        Err(error) => note(&format!(
            "{} has not taken over: {error}; this gateway serves on",
            binary.display()
        )),
    }
}

fn note(text: &str) {
    use std::io::Write as _;
    // There is nobody left to tell if this cannot be written.
    writeln!(io::stderr(), "stoker: upgrade: {text}").ok();
}

async fn received(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await.is_some(),
        None => false,
    };
    if !came {
        std::future::pending().await
    }
}

impl fmt::Display for TakeoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TakeoverError::Execute(path, error) => {
                write!(f, "{} cannot be executed: {error}", path.display())
            }
            TakeoverError::Refused(reason) => write!(f, "the new gateway cannot serve: {reason}"),
            TakeoverError::Ended(how) => write!(f, "the new gateway ended before it served: {how}"),
            TakeoverError::Slow(what, time) => {
                write!(f, "the new gateway was not {what} within {time:?}")
            }
            TakeoverError::Unsettled(time) => write!(
                f,
                "the spawner did not say within {time:?} what became of the instances that it is \
                 starting"
            ),
            TakeoverError::System(what, error) => write!(f, "cannot {what}: {error}"),
            TakeoverError::Busy => f.write_str(
                "an upgrade is under way, or this gateway was replaced already or is ending",
            ),
        }
    }
}

impl std::error::Error for TakeoverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TakeoverError::Execute(_, error) | TakeoverError::System(_, error) => Some(error),
            _ => None,
        }
    }
}
