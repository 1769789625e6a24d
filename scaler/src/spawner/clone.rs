//! From a prepared program to a running one, with the least work in between.
//!
//! The child shares this process's memory (CLONE_VM), so nothing is copied, and this process sleeps
//! until the child has executed the program or ended (CLONE_VFORK). So the child may read what was
//! prepared here, and leaves its error where this process finds it: whether the program was
//! executed is known when the call returns. The child makes system calls and nothing else: it does
//! not allocate, lock, panic or unwind.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU8, AtomicUsize, Ordering};

use libc::{c_char, c_int, c_long, c_void};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::cgroup::Entry;

mod child;
mod confine;
mod filter;
mod private;
mod raw;
mod standby;
mod stub;

pub(super) use confine::{Confinement, Mounts, Step, raise_loopback};
pub(super) use stub::Stub;

/// The child calls a few functions deep; a debug build needs about 4 KiB.
const STACK: usize = 64 * 1024;

/// Everything about a program that the child reads, in the kernel's terms.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Tried in order, as `execvp` does.
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) directory: CString,
    /// Resource and both limits.
    pub(super) rlimits: Vec<(u32, u64)>,
    /// Whom it becomes; none: it stays who we are.
    pub(super) identity: Option<Identity>,
    /// Install the filter that reports `listen`.
    pub(super) observe: bool,
    /// How it is kept apart; none: not at all.
    pub(super) confinement: Option<Confinement>,
}

/// A user as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
}

/// What the child gets beside standard input, which is ours.
#[derive(Debug)]
pub(super) struct Streams<'a> {
    pub(super) stdout: BorrowedFd<'a>,
    pub(super) stderr: BorrowedFd<'a>,
    /// Becomes descriptor 3, announced by LISTEN_PID.
    pub(super) listener: Option<BorrowedFd<'a>>,
}

/// A program that was executed.
#[derive(Debug)]
pub(super) struct Cloned {
    pub(super) pid: i32,
    /// Where the kernel reports calls of `listen`; none if not asked for or not possible.
    pub(super) observer: Option<OwnedFd>,
    /// When the child was about to execute the program, in nanoseconds of CLOCK_MONOTONIC.
    pub(super) about_to_execute: u64,
}

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Stage {
    Clone = 1,
    Group,
    NoNewPrivileges,
    Descriptors,
    Directory,
    /// The limit of this resource.
    Limit,
    User,
    ParentDeath,
    /// Into the control group.
    Enter,
    /// A [`Step`] of keeping it apart.
    Confine,
    Filter,
    Execute,
}

/// Why nothing was executed.
#[derive(Clone, Copy, Debug)]
pub(super) struct CloneError {
    pub(super) stage: Stage,
    pub(super) error: rustix::io::Errno,
    /// Which limit or candidate.
    pub(super) index: usize,
}

impl CloneError {
    /// The control group was refused, not the program.
    pub(super) fn is_about_group(&self) -> bool {
        let refused = self.error == rustix::io::Errno::ACCESS;
        self.stage == Stage::Enter || (self.stage == Stage::Clone && refused)
    }
}

/// Clones, again and again on the same stack.
#[derive(Debug)]
pub(super) struct Cloner {
    stack: Box<[u128]>,
    origin: Origin,
    /// The child sends its observer into the first, we receive it from the second.
    hand_over: (OwnedFd, OwnedFd),
    /// The kernel puts a child into a control group of v2 as it makes it (since 5.7).
    into_cgroup: bool,
}

/// What every child undoes or takes over of this process.
#[derive(Clone, Debug)]
struct Origin {
    /// Ignored by this process, to be restored to their defaults.
    ignored: Vec<c_int>,
    /// The limit of open files that this process was started with.
    files: libc::rlimit64,
}

/// What the child sees: pointers into memory that outlives it.
struct Plan<'a> {
    program: &'a Prepared,
    origin: &'a Origin,
    hand_over: RawFd,
    candidates: Vec<*const c_char>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// `LISTEN_PID=` and room for a number, completed by the child.
    listen_pid: &'a [AtomicU8],
    descriptors: Descriptors,
    /// The child writes itself to this file, if it is not there by then.
    processes: Option<RawFd>,
    /// And to each of these.
    tasks: Vec<RawFd>,
    /// The filter for a program that is kept from system calls. Made here, for it takes memory.
    denials: &'a [libc::sock_filter],
    parent: c_int,
    /// The child waits to be told its environment and descriptors; none: they are above.
    standby: Option<standby::Standby>,
    /// The storage of the child's own thread, if it does not have this thread's.
    thread: usize,
    report: &'a Report,
}

/// What the child makes its own, by their numbers in it.
#[derive(Clone, Copy)]
struct Descriptors {
    stdout: RawFd,
    stderr: RawFd,
    listener: Option<RawFd>,
}

/// What the child leaves for its parent.
#[derive(Debug, Default)]
struct Report {
    stage: AtomicI32,
    errno: AtomicI32,
    index: AtomicUsize,
    /// Seconds and nanoseconds of CLOCK_MONOTONIC when the child was about to execute the program.
    about_to_execute: [AtomicI64; 2],
}

impl Cloner {
    /// Made once; `ignored` are the signals that this process ignores, `files` the soft and hard
    /// limit of open files that programs shall get.
    pub(super) fn new(ignored: Vec<c_int>, files: (u64, u64)) -> io::Result<Cloner> {
        let hand_over = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        let files = libc::rlimit64 {
            rlim_cur: files.0,
            rlim_max: files.1,
        };
        Ok(Cloner {
            stack: vec![0; STACK / size_of::<u128>()].into_boxed_slice(),
            origin: Origin { ignored, files },
            hand_over,
            into_cgroup: true,
        })
    }

    /// Clones a child that executes `program`, in the control group of `entry`, and returns when it
    /// has done so or failed.
    ///
    /// This process must have a single thread, every signal blocked, and a descriptor 3, so that
    /// none of `streams` is overwritten before it is used.
    pub(super) fn run(
        &mut self,
        program: &Prepared,
        streams: &Streams<'_>,
        entry: Option<&Entry>,
    ) -> Result<Cloned, CloneError> {
        let (listen_pid, report) = (listen_pid(), Report::default());
        let mut plan = Plan::new(program, &self.origin, &listen_pid, &report);
        plan.hand_over = self.hand_over.0.as_raw_fd();
        plan.environment = pointers(&program.environment);
        if streams.listener.is_some() {
            // Before the null at the end.
            let last = plan.environment.len() - 1;
            plan.environment.insert(last, listen_pid.as_ptr().cast());
        }
        plan.descriptors = Descriptors {
            stdout: streams.stdout.as_raw_fd(),
            stderr: streams.stderr.as_raw_fd(),
            listener: streams.listener.map(|fd| fd.as_raw_fd()),
        };
        let stack = (&mut *self.stack, &mut self.into_cgroup);
        let shared = libc::CLONE_VM | libc::CLONE_VFORK;
        let pid = clone_into(stack, &mut plan, entry, shared)?;
        // In any case, or the next child's would be taken for it.
        let observer = match program.observe {
            true => self.receive_observer(),
            false => None,
        };
        if let Some(failure) = report.failure() {
            reap(pid);
            return Err(failure);
        }
        Ok(Cloned {
            pid,
            observer,
            about_to_execute: report.about_to_execute(),
        })
    }

    /// The descriptor that the child sent before it executed the program.
    fn receive_observer(&self) -> Option<OwnedFd> {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = rustix::net::RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut iov = [io::IoSliceMut::new(&mut byte)];
        let flags = rustix::net::RecvFlags::CMSG_CLOEXEC;
        rustix::net::recvmsg(&self.hand_over.1, &mut iov, &mut ancillary, flags).ok()?;
        ancillary.drain().find_map(|message| match message {
            rustix::net::RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
            _ => None,
        })
    }
}

impl<'a> Plan<'a> {
    /// For a child that has neither descriptors nor an environment.
    fn new(
        program: &'a Prepared,
        origin: &'a Origin,
        listen_pid: &'a [AtomicU8],
        report: &'a Report,
    ) -> Plan<'a> {
        Plan {
            program,
            origin,
            hand_over: -1,
            candidates: pointers(&program.candidates),
            arguments: pointers(&program.arguments),
            environment: Vec::new(),
            listen_pid,
            descriptors: Descriptors {
                stdout: -1,
                stderr: -1,
                listener: None,
            },
            processes: None,
            tasks: Vec::new(),
            denials: filter::denials(),
            parent: match program.namespaces() & libc::CLONE_NEWPID {
                0 => rustix::process::getpid().as_raw_nonzero().get(),
                // Not to be seen from there.
                _ => 0,
            },
            standby: None,
            thread: 0,
            report,
        }
    }
}

impl Prepared {
    /// The flags of `clone` that make its namespaces.
    fn namespaces(&self) -> c_int {
        self.confinement.as_ref().map_or(0, |own| own.flags)
    }
}

impl Report {
    fn about_to_execute(&self) -> u64 {
        let [seconds, nanos] = &self.about_to_execute;
        let part = |part: &AtomicI64| u64::try_from(part.load(Ordering::Relaxed)).unwrap_or(0);
        part(seconds) * 1_000_000_000 + part(nanos)
    }

    /// What the child left, if it failed.
    fn failure(&self) -> Option<CloneError> {
        let stage = match self.stage.load(Ordering::Relaxed) {
            0 => return None,
            2 => Stage::Group,
            3 => Stage::NoNewPrivileges,
            4 => Stage::Descriptors,
            5 => Stage::Directory,
            6 => Stage::Limit,
            7 => Stage::User,
            8 => Stage::ParentDeath,
            9 => Stage::Enter,
            10 => Stage::Confine,
            11 => Stage::Filter,
            _ => Stage::Execute,
        };
        let error = rustix::io::Errno::from_raw_os_error(self.errno.load(Ordering::Relaxed));
        Some(CloneError {
            stage,
            error,
            index: self.index.load(Ordering::Relaxed),
        })
    }
}

/// Clones a child of `plan` on a stack, in the control group of `entry`; whether the kernel puts it
/// there itself is found out. `sharing` are flags beside those of its namespaces.
fn clone_into(
    (stack, into_cgroup): (&mut [u128], &mut bool),
    plan: &mut Plan<'_>,
    entry: Option<&Entry>,
    sharing: c_int,
) -> Result<i32, CloneError> {
    let flags = plan.program.namespaces() | sharing;
    plan.tasks = entry.map_or_else(Vec::new, |entry| {
        entry.tasks.iter().map(|(_, fd)| fd.as_raw_fd()).collect()
    });
    let directory = entry.and_then(|entry| entry.directory.as_ref());
    let directory = directory.map(|fd| fd.as_raw_fd());
    let directory = directory.filter(|_| *into_cgroup);
    plan.processes = match directory {
        Some(_) => None,
        None => entry.and_then(Entry::processes),
    };
    let mut cloned = raw::clone(stack, plan, flags, directory);
    if let Err(error) = cloned
        && directory.is_some()
        && raw::is_unknown(error)
    {
        plan.processes = entry.and_then(Entry::processes);
        cloned = raw::clone(stack, plan, flags, None);
        // Otherwise it was something else that was not allowed.
        *into_cgroup = cloned.is_err();
    }
    cloned.map_err(|error| CloneError {
        stage: Stage::Clone,
        error: rustix::io::Errno::from_raw_os_error(error),
        index: 0,
    })
}

/// `LISTEN_PID=` and room for a number.
fn listen_pid() -> Vec<AtomicU8> {
    let text = b"LISTEN_PID=0000000000\0".iter().copied();
    text.map(AtomicU8::new).collect()
}

/// Pointers to the strings, and a null.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

/// Reaps a child that has ended or is about to.
fn reap(pid: c_int) {
    let mut status = 0;
    // SAFETY: waits for our own child and writes one int.
    unsafe { libc::waitpid(pid, &mut status, 0) };
}
