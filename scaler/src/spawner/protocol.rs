//! What gateway and spawner say to each other: JSON in packets that keep their boundaries, with
//! descriptors beside them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::cgroup::CgroupSettings;
use crate::driver::{
    Endpoint, Isolation, Prepared, Resources, Rlimit, RuntimeLaunch, Spent, StartKind,
};
use crate::spending::Account;

/// Spoken by both sides; another number on the other side means another release.
pub(crate) const VERSION: u32 = 4;

/// The largest message. The kernel refuses packets above the socket's send buffer, 208 KiB unless
/// an administrator changed it.
pub(crate) const MAX_MESSAGE: usize = 128 * 1024;

/// The most descriptors beside one message: both output pipes or the files of a freezer, and to a
/// process that was prepared both pipes and a listener; to one that forks a socket, and a control group
/// of v2 and of each controller of v1.
pub(crate) const MAX_DESCRIPTORS: usize = 6;

/// From the gateway to the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The first message. Its form, and that of `Shutdown`, never change.
    Hello {
        /// The gateway's [`VERSION`].
        version: u32,
        /// How long workers wait for the next gateway when this one is gone; none: not at all.
        adoption_ms: Option<u64>,
        /// From SIGTERM to SIGKILL when everything is stopped.
        grace_ms: u64,
        /// It is to take over from the gateway that leads; otherwise there must be none.
        #[serde(default)]
        heir: bool,
        /// Whether instances get control groups, and where.
        #[serde(default)]
        cgroups: CgroupSettings,
        /// Networks that are kept ready, once an instance has wanted one of its own.
        #[serde(default)]
        spare_networks: usize,
        /// Programs of which a process waits to become the next instance.
        #[serde(default)]
        stubs: usize,
    },
    /// Makes these workers the heir's, who also reads the output of all others from now on. The
    /// answer is a `Listed` for each that lives, an `Output` for each other, and `ListEnd`.
    Take {
        /// The instances.
        ids: Vec<u64>,
    },
    /// Makes a worker the leading gateway's, which gets a `Listed`.
    Give {
        /// The instance.
        id: u64,
    },
    /// The heir leads from now on; this gateway keeps what it did not give away.
    Yield,
    /// Starts a worker; the listening socket, if inherited, comes beside it.
    Start(Box<StartRequest>),
    /// Signals the worker's process group.
    Signal {
        /// The instance.
        id: u64,
        /// SIGKILL instead of SIGTERM.
        kill: bool,
    },
    /// Asks how a worker is frozen: a `Freezer`, a `NoFreezer`, or nothing if it is gone.
    Freezer {
        /// The instance.
        id: u64,
    },
    /// Thaws a worker of which the gateway has no `Freezer`.
    Thaw {
        /// The instance.
        id: u64,
    },
    /// Asks where it can be read what a worker uses: an `Account`, or nothing if it is gone.
    Account {
        /// The instance.
        id: u64,
    },
    /// The gateway found out by itself that the worker takes requests.
    Ready {
        /// The instance.
        id: u64,
        /// Where it takes them.
        endpoint: Endpoint,
    },
    /// Keeps processes ready to become instances of a revision, or nothing any more.
    Prepare(Box<PrepareRequest>),
    /// Asks for every worker that has no other gateway.
    List,
    /// Stops everything, then ends. Only the gateway that leads may ask for it.
    Shutdown,
}

/// What to start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StartRequest {
    /// The instance.
    pub(crate) id: u64,
    /// How the instance is called in the environment of its processes.
    pub(crate) name: String,
    /// For the next gateway.
    pub(crate) function: Arc<str>,
    /// For the next gateway.
    pub(crate) revision: Arc<str>,
    /// Where it is expected to take requests.
    pub(crate) endpoint: Endpoint,
    /// How that is found out.
    pub(crate) readiness: Readiness,
    /// What to execute.
    pub(crate) program: Program,
    /// The handler that a runner of ours is to run; then the program is the interpreter alone.
    pub(crate) runtime: Option<RuntimeLaunch>,
    /// When the spawner had it, in nanoseconds of CLOCK_MONOTONIC; known to the spawner only.
    #[serde(skip)]
    pub(crate) received: u64,
}

/// What to keep ready.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PrepareRequest {
    /// The function's name.
    pub(crate) function: Arc<str>,
    /// The revision's name.
    pub(crate) revision: Arc<str>,
    /// The interpreter, with the environment of all instances.
    pub(crate) program: Program,
    /// The handler.
    pub(crate) runtime: RuntimeLaunch,
    /// Processes that wait; none: nothing is kept.
    pub(crate) spares: Option<u32>,
}

/// What to execute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// All of it but `LISTEN_PID`, which only the child knows.
    pub(crate) environment: Vec<(String, String)>,
    /// Where it runs.
    pub(crate) directory: PathBuf,
    /// Whom it runs as.
    pub(crate) user: Option<String>,
    /// Soft and hard alike.
    pub(crate) rlimits: Vec<(Rlimit, u64)>,
    /// For all of its processes together.
    pub(crate) resources: Resources,
    /// How it is kept apart.
    pub(crate) isolation: Isolation,
}

impl Drop for Program {
    /// Nothing tells which of its variables are secrets.
    fn drop(&mut self) {
        let values = self.environment.iter_mut();
        values.for_each(|(_, value)| value.zeroize());
    }
}

/// How the spawner learns that a worker takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Readiness {
    /// It inherits a socket that listens already.
    Inherited,
    /// Its calls of `listen` are observed.
    Observed,
    /// The gateway probes it.
    Probed,
}

/// From the spawner to the gateway.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The answer to `Hello`. Its form, and that of `Refused`, never change.
    Welcome {
        /// The spawner's [`VERSION`].
        version: u32,
        /// Its process.
        pid: u32,
        /// How many workers it has.
        workers: usize,
    },
    /// The spawner serves somebody else.
    Refused {
        /// Why, a sentence.
        reason: String,
    },
    /// The program was executed; both output pipes come beside it, unless another gateway leads.
    Started {
        /// The instance.
        id: u64,
        /// Its process.
        pid: u32,
        /// Its calls of `listen` are observed.
        observed: bool,
        /// When what happened.
        #[serde(default)]
        times: StartTimes,
        /// How it came to be.
        kind: StartKind,
    },
    /// Nothing was executed.
    StartFailed {
        /// The instance.
        id: u64,
        /// Why.
        fault: Fault,
    },
    /// The worker listens.
    Listening {
        /// The instance.
        id: u64,
        /// Where.
        at: Place,
        /// How to reach it there, if that is where it was expected.
        reach: Option<Endpoint>,
    },
    /// The worker and its process group are gone.
    Exited {
        /// The instance.
        id: u64,
        /// How its first process ended.
        ending: Ending,
        /// What it used in its life, if that is known.
        #[serde(default)]
        spent: Option<Spent>,
    },
    /// Where it can be read what a worker uses.
    Account {
        /// The instance.
        id: u64,
        /// Where.
        account: Account,
    },
    /// One worker that is this gateway's from now on; both output pipes come beside it.
    Listed {
        /// The instance.
        id: u64,
        /// Its process.
        pid: u32,
        /// The function's name.
        function: Arc<str>,
        /// The revision's name.
        revision: Arc<str>,
        /// Where it takes requests.
        endpoint: Endpoint,
        /// Whether it does.
        ready: bool,
    },
    /// A worker of a gateway that yielded; both output pipes come beside it.
    Output {
        /// The instance.
        id: u64,
        /// The function's name.
        function: Arc<str>,
    },
    /// A worker can be frozen by writing to the first file that comes beside it; the second one is
    /// for its memory.
    Freezer {
        /// The instance.
        id: u64,
        /// What is to be written.
        kind: FreezerKind,
        /// What the second file is.
        memory: MemoryKind,
    },
    /// A worker cannot be frozen.
    NoFreezer {
        /// The instance.
        id: u64,
        /// Why, a sentence.
        why: String,
    },
    /// No more of them.
    ListEnd,
    /// What is kept ready has changed; without functions it is gone.
    Prepared(Box<Prepared>),
}

/// What freezes a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FreezerKind {
    /// `cgroup.freeze` of cgroup v2.
    Unified,
    /// `freezer.state` of cgroup v1.
    Legacy,
}

/// What gives the memory of a worker back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MemoryKind {
    /// `memory.reclaim` of cgroup v2, to write to.
    Group,
    /// `cgroup.procs`, to read the processes from whose pages are to go.
    Processes,
}

/// When the steps of a start were done, in nanoseconds of CLOCK_MONOTONIC, which all processes of a
/// machine share; all zero from a spawner of a release that did not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartTimes {
    /// The spawner had the request.
    pub(crate) received: u64,
    /// The child was about to execute the program.
    pub(crate) cloned: u64,
    /// The kernel had loaded the program.
    pub(crate) executed: u64,
}

/// Where a worker listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// There.
    Known(Endpoint),
    /// It is about to listen, and the kernel does not let the spawner see where.
    Hidden,
    /// Neither TCP nor a Unix path.
    Foreign,
}

/// Why nothing was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// The machine lacks something now; the program may be fine.
    pub(crate) transient: bool,
    /// Something was executed and has ended: what the instance was to be made from.
    pub(crate) exited: bool,
    /// One lower-case sentence.
    pub(crate) detail: String,
}

impl Fault {
    /// The program cannot be executed, now or later.
    pub(crate) fn lasting(detail: String) -> Fault {
        Fault {
            transient: false,
            exited: false,
            detail,
        }
    }

    /// The machine lacks something.
    pub(crate) fn transient(detail: String) -> Fault {
        Fault {
            transient: true,
            exited: false,
            detail,
        }
    }

    /// What the instance was to be made from has ended.
    pub(crate) fn exited(detail: String) -> Fault {
        Fault {
            transient: false,
            exited: true,
            detail,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// It exited with this status.
    Status(i32),
    /// This signal killed it.
    Signal(i32),
    /// The kernel killed it because its processes used more memory than this.
    OutOfMemory {
        /// In bytes.
        limit_bytes: u64,
    },
}
