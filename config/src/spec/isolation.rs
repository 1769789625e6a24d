//! What an instance may use and see.

use std::path::PathBuf;

/// What all processes of an instance may use together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourcesSpec {
    /// Bytes of memory, swap included.
    pub memory_bytes: Option<u64>,
    /// Processor time in thousandths of one processor, at least 10.
    pub cpu_millis: Option<u32>,
    /// Processes and threads at once.
    pub processes: Option<u64>,
}

/// How an instance is kept apart from the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IsolationSpec {
    /// Each at most once, in the order of [`Namespace`].
    pub namespaces: Vec<Namespace>,
    /// Refuse the system calls that administer the machine.
    pub seccomp: bool,
    /// Files may not be changed, but for those below `writable`; only with [`Namespace::Mount`].
    pub read_only: bool,
    /// Absolute; none unless `read_only`.
    pub writable: Vec<PathBuf>,
    /// Size of an own, empty `/tmp`; none: the machine's. Only with [`Namespace::Mount`].
    pub tmp_bytes: Option<u64>,
}

/// Something that an instance has for itself (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// Mounted file systems.
    Mount,
    /// Processes.
    Pid,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// The host's name.
    Uts,
    /// Network interfaces, of which it has the loopback only.
    Net,
    /// Users and privileges.
    User,
}

/// Whether instances get control groups, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupsSpec {
    /// Whether at all.
    pub enabled: CgroupUse,
    /// Relative to each hierarchy's mount; `None` for the gateway's own group.
    pub parent: Option<PathBuf>,
    /// Empty groups that are kept at most.
    pub pool: usize,
}

/// Whether instances get control groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgroupUse {
    /// If it can be done.
    #[default]
    Auto,
    /// In any case; otherwise the gateway does not start.
    Always,
    /// None.
    Never,
}
