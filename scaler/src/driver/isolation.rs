//! What an instance may use and see.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What all processes of an instance may use together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Bytes of memory, swap included.
    pub memory_bytes: Option<u64>,
    /// Processor time as thousandths of one processor.
    pub cpu_millis: Option<u32>,
    /// Processes and threads at once.
    pub processes: Option<u64>,
}

/// How an instance is kept apart from the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// What it has for itself. With [`Namespace::Net`] a port of it cannot be reached.
    pub namespaces: Vec<Namespace>,
    /// System calls that administer the machine or look into other processes fail with EPERM.
    pub seccomp: bool,
    /// No file can be changed, but for those below `writable`. Only with [`Namespace::Mount`].
    pub read_only: bool,
    /// Absolute; they must exist.
    pub writable: Vec<PathBuf>,
    /// Size of a `/tmp` of its own, in memory. Only with [`Namespace::Mount`].
    pub tmp_bytes: Option<u64>,
}

/// Something that an instance has for itself (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Namespace {
    /// Mounted file systems.
    Mount,
    /// Processes: its program is process 1, which gets only signals that it handles and SIGKILL.
    Pid,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// The host's name, which is the function's.
    Uts,
    /// Network interfaces, of which it has the loopback only.
    Net,
    /// Users and privileges: it has none beyond its namespaces.
    User,
}
