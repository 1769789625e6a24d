//! What starts and stops instances.

mod runtime;

pub use runtime::{Language, Prepared, RuntimeLaunch, StartKind};

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stoker_core::{FailureKind, InstanceId, StartFailure};

use crate::Unheard;

mod isolation;

pub use isolation::{Isolation, Namespace, Resources};

/// A future behind a pointer, so that drivers can be chosen when the program starts.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Starts and stops instances: processes now, containers and clusters later.
pub trait Driver: Send + Sync + 'static {
    /// Starts an instance and answers when it takes requests.
    ///
    /// After an error nothing of it is left running, and [`Driver::exited`] does not report it.
    fn start<'a>(
        &'a self,
        id: InstanceId,
        spec: &'a Arc<LaunchSpec>,
    ) -> BoxFuture<'a, Result<Started, StartFailure>>;

    /// Begins, on the calling thread and without waiting, the start of an instance to which requests
    /// can be sent before its program runs, and answers where. `end` is told what
    /// [`Driver::start`] would have answered, on any thread, perhaps before this returns.
    ///
    /// `end` is given back if the instance has to be started by [`Driver::start`]; nothing of it is
    /// left then.
    fn begin(
        &self,
        _id: InstanceId,
        _spec: &Arc<LaunchSpec>,
        end: StartEnd,
    ) -> Result<Endpoint, StartEnd> {
        Err(end)
    }

    /// Asks an instance to end. Returns at once; unknown ids are ignored; may be repeated. An
    /// instance whose start is under way is stopped too, and its start fails.
    fn stop(&self, id: InstanceId, how: Stop);

    /// Makes it possible to freeze an instance; unknown ids are ignored.
    ///
    /// # Errors
    /// A sentence that says why instances cannot be frozen here.
    fn prepare_freeze(&self, _id: InstanceId) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Err(
            "the driver cannot freeze".to_owned()
        )))
    }

    /// Takes the CPU from an instance or gives it back, without waiting. Unknown ids are ignored,
    /// and so is a wish that holds already. Calls for one instance come one after the other.
    ///
    /// # Errors
    /// If it is to be frozen and cannot be. An instance can always be thawed.
    fn set_frozen(&self, _id: InstanceId, _frozen: bool) -> io::Result<()> {
        Ok(())
    }

    /// Ready when an instance that is to be frozen has stopped, or does not seem to: true if it has
    /// for certain.
    fn has_frozen(&self, _id: InstanceId) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    /// Gives the memory of a frozen instance back to the machine, as far as it can be got again;
    /// returns at once. Unknown ids are ignored.
    fn reclaim(&self, _id: InstanceId) {}

    /// The instances that a former gateway left running, each reported once. All of them run: what
    /// was frozen is thawed.
    fn adopt(&self) -> BoxFuture<'_, Vec<Observed>>;

    /// The next instance that was started or adopted and is gone. One caller at a time; never
    /// resolves while nothing ends, and loses nothing if it is dropped before.
    fn exited(&self) -> BoxFuture<'_, Exit>;

    /// The next instance that a former gateway left after it had handed over the others: it has
    /// finished its start there, or that gateway is gone. One caller at a time; loses nothing if it
    /// is dropped before it resolves.
    fn observed(&self) -> BoxFuture<'_, Observed> {
        Box::pin(std::future::pending())
    }

    /// Expects no more news of an instance that a former gateway was starting, and ends it if it is
    /// there after all.
    fn forget(&self, _id: InstanceId) {}

    /// Keeps so many processes ready to become instances of this revision, or (`None`) nothing of it
    /// any more. Returns at once; the last call holds.
    fn prepare(&self, _spec: &Arc<LaunchSpec>, _spares: Option<u32>) {}

    /// What is kept ready now.
    fn prepared(&self) -> Vec<Prepared> {
        Vec::new()
    }

    /// What each instance uses that runs and that this gateway may ask about.
    fn measure(&self) -> BoxFuture<'_, Vec<Measured>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// What a start used that was told to have failed, if that is known; told once.
    fn spent_by_start(&self, _id: InstanceId) -> Option<Spent> {
        None
    }

    /// Instances that ended while no gateway was there to hear of it, each reported once.
    fn ended_unheard(&self) -> Vec<Unheard> {
        Vec::new()
    }

    /// Leaves an instance whose start this gateway has finished to the one that leads since.
    fn give(&self, _id: InstanceId) {}
}

/// How to start one instance of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// The function's name.
    pub function: Arc<str>,
    /// The revision's name, a hash of what is launched.
    pub revision: Arc<str>,
    /// The revision's number, if it is one of the registry; [`LaunchSpec::TRIAL`] of one that is to
    /// prove itself.
    #[serde(default)]
    pub number: Option<u32>,
    /// The program and its arguments; at least one. A bare name is looked up on the PATH of
    /// `environment`, or `/usr/local/bin:/usr/bin:/bin`.
    pub command: Vec<String>,
    /// The handler, if a runner of ours runs one: then `command` is the interpreter alone.
    pub runtime: Option<RuntimeLaunch>,
    /// Set by the operator. The driver adds the contract's variables and nothing else.
    pub environment: Vec<(String, String)>,
    /// Absolute.
    pub working_directory: PathBuf,
    /// How the program gets its listening socket.
    pub socket: SocketKind,
    /// Name of the user to run as, if not the spawner's.
    pub user: Option<String>,
    /// Soft and hard limits alike.
    pub rlimits: Vec<(Rlimit, u64)>,
    /// What all of its processes may use together. A start fails if that cannot be enforced.
    #[serde(default)]
    pub resources: Resources,
    /// How it is kept apart from the machine. A start fails if that cannot be done.
    #[serde(default)]
    pub isolation: Isolation,
    /// Time until it must take requests.
    pub start_timeout: Duration,
}

impl LaunchSpec {
    /// The number of a revision that is started once before it is published; no other has it.
    pub const TRIAL: u32 = stoker_meter::TRIAL;

    /// The revision as people know it: its number if it has one, else its name.
    pub fn label(&self) -> Arc<str> {
        match self.number {
            Some(LaunchSpec::TRIAL) => "trial".into(),
            Some(number) => number.to_string().into(),
            None => Arc::clone(&self.revision),
        }
    }
}

/// How a program gets its listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketKind {
    /// Binds the TCP port in `$PORT`.
    Port,
    /// Binds the Unix socket in `$STOKER_SOCKET`.
    Unix,
    /// Inherits a listening Unix socket as descriptor 3.
    Inherit,
}

/// The limits that `setrlimit` knows and Stoker offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rlimit {
    /// RLIMIT_NOFILE.
    OpenFiles,
    /// RLIMIT_AS, bytes.
    AddressSpace,
    /// RLIMIT_CPU, seconds.
    CpuSeconds,
    /// RLIMIT_NPROC.
    Processes,
    /// RLIMIT_FSIZE, bytes.
    FileSize,
    /// RLIMIT_CORE, bytes.
    Core,
}

/// Where to reach an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

/// An instance that takes requests.
#[derive(Clone, Debug)]
pub struct Started {
    /// Where to reach it.
    pub endpoint: Endpoint,
    /// Its process, if it is one of this machine.
    pub pid: Option<u32>,
    /// Where the time went.
    pub timings: StartTimings,
    /// How it came to be; none if it was adopted.
    pub kind: Option<StartKind>,
}

/// Who is told how a start has ended that [`Driver::begin`] began.
pub struct StartEnd(Box<dyn FnOnce(Result<Started, FailedStart>) + Send>);

impl StartEnd {
    /// Tells `end`, once.
    pub fn new(end: impl FnOnce(Result<Started, FailedStart>) + Send + 'static) -> StartEnd {
        StartEnd(Box::new(end))
    }

    /// Tells it.
    pub fn tell(self, result: Result<Started, FailedStart>) {
        (self.0)(result);
    }
}

impl fmt::Debug for StartEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartEnd")
    }
}

/// A start that was begun has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedStart {
    /// Why.
    pub failure: StartFailure,
    /// No program was executed, so that nobody has read what was sent to the instance.
    pub unread: bool,
}

/// Where the time of a start went; each part follows the one before. What a start did not come to,
/// or does not need, is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartTimings {
    /// When the driver was called; none if nobody here saw the start.
    pub called: Option<Instant>,
    /// Since the pool decided that the instance is needed, but for `gate`.
    pub decide: Duration,
    /// Held before anything was done, for the machine had no room; see
    /// [`StartSettings`](crate::StartSettings).
    pub gate: Duration,
    /// From the call on: sockets, ports, directories and the request to the spawner.
    pub prepare: Duration,
    /// Until the spawner had the request.
    pub spawn: Duration,
    /// Until the child was about to execute the program: clone, and all that is set up for it.
    pub clone: Duration,
    /// The execution, until the kernel had loaded the program.
    pub exec: Duration,
    /// From then until it takes requests and the gateway knows that.
    pub listen: Duration,
}

impl StartTimings {
    /// The names of the phases, in order, as they are shown everywhere.
    pub const PHASES: [&'static str; 7] = [
        "decide", "gate", "prepare", "spawn", "clone", "exec", "listen",
    ];

    /// The phases in the order of [`StartTimings::PHASES`].
    pub fn phases(&self) -> [Duration; 7] {
        [
            self.decide,
            self.gate,
            self.prepare,
            self.spawn,
            self.clone,
            self.exec,
            self.listen,
        ]
    }

    /// All of it, from the decision on.
    pub fn total(&self) -> Duration {
        self.phases().iter().sum()
    }
}

/// An instance that a former gateway left running.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its id.
    pub id: InstanceId,
    /// The function's name.
    pub function: Arc<str>,
    /// The revision it runs.
    pub revision: Arc<str>,
    /// Where to reach it.
    pub endpoint: Endpoint,
    /// Its process.
    pub pid: Option<u32>,
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM to the whole group.
    Terminate,
    /// SIGKILL to the whole group.
    Kill,
}

/// An instance is gone.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Which.
    pub id: InstanceId,
    /// How it ended, in words.
    pub failure: StartFailure,
    /// What it used in its life, if that is known.
    pub spent: Option<Spent>,
}

/// What an instance used in its whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// CPU time of all of its processes, microseconds.
    pub cpu_micros: u64,
    /// The most memory that its first process had at once, KiB; zero if that is not known.
    pub peak_kib: u64,
}

/// What an instance uses now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Which.
    pub id: InstanceId,
    /// CPU time of all of its processes since it began, microseconds.
    pub cpu_micros: Option<u64>,
    /// Memory of all of them, bytes.
    pub memory_bytes: Option<u64>,
}

impl Exit {
    /// What [`Exit::failure`] says of a program that ended by itself and found nothing wrong.
    pub(crate) const DONE: &str = "exited with status 0";

    /// The program ended by itself with status 0, as programs do that have something to finish.
    pub fn is_done(&self) -> bool {
        self.failure.kind == FailureKind::Exited && &*self.failure.detail == Exit::DONE
    }
}
