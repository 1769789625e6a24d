//! The control group of one instance: one directory in each hierarchy that it needs.

pub(super) mod freezer;

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};

use super::hierarchy::Controller;
use super::limits::{self, Version};
use crate::driver::Resources;
use crate::spending::Account;
pub(in crate::spawner) use freezer::Freezer;

/// Rounds of killing a group of v1, whose processes may start others meanwhile unless it could be
/// frozen.
const ROUNDS: usize = 10;

/// One group. Its directories stay when it is dropped; see [`Cgroup::remove`].
#[derive(Debug)]
pub(in crate::spawner) struct Cgroup {
    /// In the hierarchy of v2.
    unified: Option<PathBuf>,
    /// In those of v1, made as they are needed.
    legacy: Vec<(Controller, PathBuf)>,
    /// Which of those the instance is in.
    joined: Vec<Controller>,
    /// What holds now; what was never limited was never written.
    limits: Resources,
    /// Processes that were killed for the group's memory before it was this instance's.
    former_kills: u64,
    /// CPU time that was used in it before it was this instance's, microseconds.
    before_micros: u64,
    /// Somebody else may still write to its freezer.
    shared: bool,
    /// Somebody else may still put processes into it.
    handed_out: bool,
    /// `cgroup.kill` was written. Whoever is cloned into such a group is killed at once: the kernel
    /// (6.18 at least) compares the group's count of kills with that of the parent's group.
    killed: bool,
}

/// How a child enters a group. The descriptors are not needed afterwards.
#[derive(Debug, Default)]
pub(in crate::spawner) struct Entry {
    /// The directory of v2, for CLONE_INTO_CGROUP.
    pub(in crate::spawner) directory: Option<OwnedFd>,
    /// The same group's `cgroup.procs`, for a kernel that cannot do that.
    pub(in crate::spawner) processes: Option<OwnedFd>,
    /// The files `tasks` of v1.
    pub(in crate::spawner) tasks: Vec<(Controller, OwnedFd)>,
}

impl Entry {
    /// The file of v2 that the child writes itself to.
    pub(in crate::spawner) fn processes(&self) -> Option<i32> {
        self.processes.as_ref().map(AsRawFd::as_raw_fd)
    }
}

impl Cgroup {
    /// A group in these directories, which exist and have no limits.
    pub(super) fn new(unified: Option<PathBuf>, legacy: Vec<(Controller, PathBuf)>) -> Cgroup {
        Cgroup {
            unified,
            legacy,
            joined: Vec::new(),
            limits: Resources::default(),
            former_kills: 0,
            before_micros: 0,
            shared: false,
            handed_out: false,
            killed: false,
        }
    }

    /// Everything that a child needs to enter it.
    pub(super) fn entry(&self) -> io::Result<Entry> {
        let mut entry = Entry::default();
        if let Some(directory) = &self.unified {
            let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
            entry.directory = Some(rustix::fs::open(directory, flags, Mode::empty())?);
            entry.processes = Some(open_to_write(directory, "cgroup.procs")?);
        }
        for (controller, directory) in &self.legacy {
            let tasks = open_to_write(directory, "tasks")?;
            entry.tasks.push((*controller, tasks));
        }
        Ok(entry)
    }

    /// Whether it has a directory of this controller in v1.
    pub(super) fn has(&self, controller: Controller) -> bool {
        self.legacy.iter().any(|(own, _)| *own == controller)
    }

    /// It has this directory of v1, too.
    pub(super) fn add(&mut self, controller: Controller, directory: PathBuf) {
        self.legacy.push((controller, directory));
    }

    /// What holds now.
    pub(super) fn limits(&self) -> &Resources {
        &self.limits
    }

    /// Makes exactly these limits hold, and readies it for an instance. What failed, if anything.
    pub(super) fn assign(&mut self, wanted: &Resources) -> Result<(), (Controller, io::Error)> {
        let changes = [
            (
                Controller::Memory,
                wanted.memory_bytes != self.limits.memory_bytes,
            ),
            (Controller::Cpu, wanted.cpu_millis != self.limits.cpu_millis),
            (Controller::Pids, wanted.processes != self.limits.processes),
        ];
        for (controller, changed) in changes {
            if changed {
                let (directory, version) = self
                    .place(controller)
                    .ok_or_else(|| (controller, io::ErrorKind::NotFound.into()))?;
                limits::apply(directory, (version, controller), wanted)
                    .map_err(|error| (controller, error))?;
            }
        }
        self.limits = wanted.clone();
        self.joined = limits::needed(wanted)
            .chain([Controller::Freezer])
            .filter(|controller| self.has(*controller))
            .collect();
        self.former_kills = match wanted.memory_bytes {
            Some(_) => self.kills().unwrap_or(0),
            None => 0,
        };
        Ok(())
    }

    /// The descriptors of an entry that this instance needs.
    pub(super) fn trim(&self, mut entry: Entry) -> Entry {
        let joined = |controller: &Controller| self.joined.contains(controller);
        entry.tasks.retain(|(controller, _)| joined(controller));
        entry
    }

    /// Moves a process that runs already into it. All threads go with it.
    pub(in crate::spawner) fn attach(&self, pid: Pid) -> io::Result<()> {
        let pid = pid.as_raw_nonzero().to_string();
        for directory in self.entered() {
            limits::write(directory, "cgroup.procs", &pid)?;
        }
        Ok(())
    }

    /// Its [`Entry`] goes to a process that is not trusted, so that no other instance may have it
    /// later.
    pub(in crate::spawner) fn hand_out(&mut self) {
        self.handed_out = true;
    }

    /// Whether a process is in all of it.
    pub(in crate::spawner) fn holds(&self, pid: Pid) -> bool {
        let pid = pid.as_raw_nonzero().to_string();
        let holds = |directory: &Path| {
            let list = fs::read_to_string(directory.join("cgroup.procs"));
            list.is_ok_and(|list| list.lines().any(|line| line == pid))
        };
        let mut places = self.entered().peekable();
        places.peek().is_some() && places.all(holds)
    }

    /// `memory.reclaim` of v2, to write to, and true; without the controller there `cgroup.procs`,
    /// to read from.
    pub(in crate::spawner) fn memory_file(&self) -> io::Result<(OwnedFd, bool)> {
        if let Some(directory) = &self.unified
            && let Ok(file) = open_to_write(directory, "memory.reclaim")
        {
            return Ok((file, true));
        }
        let (directory, _) = self.freezing().ok_or(io::ErrorKind::Unsupported)?;
        Ok((open_to_read(directory, "cgroup.procs")?, false))
    }

    /// Whether it can be used for another instance.
    pub(super) fn is_reusable(&self) -> bool {
        !self.shared && !self.handed_out && !self.killed && self.is_empty()
    }

    /// Kills every process in it, wherever it went in the tree of processes.
    pub(in crate::spawner) fn kill(&mut self) {
        if let Some(directory) = &self.unified
            && limits::write(directory, "cgroup.kill", "1").is_ok()
        {
            self.killed = true;
            return;
        }
        // Frozen ones cannot start others while they are killed, and die when they are thawed.
        self.freeze().ok();
        for _ in 0..ROUNDS {
            let processes = self.processes();
            for &pid in &processes {
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
            self.thaw().ok();
            if processes.is_empty() {
                return;
            }
        }
    }

    /// Lets processes go that were killed: those that v1 has frozen do not.
    pub(in crate::spawner) fn let_die(&self) {
        if let Some((_, Version::Legacy)) = self.freezing() {
            self.thaw().ok();
        }
    }

    /// Whether no process is left in it.
    pub(in crate::spawner) fn is_empty(&self) -> bool {
        if let Some(directory) = &self.unified
            && let Ok(events) = fs::read_to_string(directory.join("cgroup.events"))
        {
            return value(&events, "populated") != Some(1);
        }
        self.processes().is_empty()
    }

    /// Where it can be read what the instance uses.
    pub(in crate::spawner) fn account(&self) -> Account {
        let joined = |controller| {
            let own = self.legacy.iter().find(|(own, _)| *own == controller);
            let own = own.filter(|_| self.joined.contains(&controller));
            own.map(|(_, directory)| directory.clone())
        };
        Account {
            unified: self.unified.clone(),
            freezer: joined(Controller::Freezer),
            cpu: joined(Controller::Cpu),
            memory: joined(Controller::Memory),
            before_micros: self.before_micros,
        }
    }

    /// CPU time of all processes that were in it for this instance, in microseconds.
    pub(in crate::spawner) fn cpu_micros(&self) -> Option<u64> {
        self.account().group_cpu_micros()
    }

    /// It is another instance's from now on, or nobody's: what was used until now is not the next
    /// one's.
    pub(super) fn close_account(&mut self) {
        self.before_micros = 0;
        self.before_micros = self.cpu_micros().unwrap_or(0);
    }

    /// The limit of memory, if the kernel killed a process of this instance for it.
    pub(in crate::spawner) fn exceeded_memory(&self) -> Option<u64> {
        let limit = self.limits.memory_bytes?;
        (self.kills()? > self.former_kills).then_some(limit)
    }

    /// Removes its directories, which succeeds only if they are empty.
    pub(super) fn remove(&self) {
        for directory in self.directories() {
            fs::remove_dir(directory).ok();
        }
    }

    /// The directory where a controller is: its own in v1, else that of v2.
    fn place(&self, controller: Controller) -> Option<(&Path, Version)> {
        let own = self.legacy.iter().find(|(own, _)| *own == controller);
        match (own, &self.unified) {
            (Some((_, directory)), _) => Some((directory, Version::Legacy)),
            (None, Some(directory)) => Some((directory, Version::Unified)),
            (None, None) => None,
        }
    }

    fn directories(&self) -> impl Iterator<Item = &Path> {
        let legacy = self.legacy.iter().map(|(_, directory)| directory);
        legacy.chain(&self.unified).map(PathBuf::as_path)
    }

    /// The directories that the instance's processes are in.
    fn entered(&self) -> impl Iterator<Item = &Path> {
        let joined = |controller: &Controller| self.joined.contains(controller);
        let legacy = self.legacy.iter().filter(move |(own, _)| joined(own));
        let unified = self.unified.iter();
        unified
            .chain(legacy.map(|(_, directory)| directory))
            .map(PathBuf::as_path)
    }

    /// Its processes, by any one of its directories.
    pub(in crate::spawner) fn processes(&self) -> Vec<Pid> {
        let Some(directory) = self.entered().next() else {
            return Vec::new();
        };
        processes(directory)
    }

    /// Processes that were ever killed for the group's memory.
    fn kills(&self) -> Option<u64> {
        let (directory, version) = self.place(Controller::Memory)?;
        let file = match version {
            Version::Legacy => "memory.oom_control",
            Version::Unified => "memory.events",
        };
        value(&fs::read_to_string(directory.join(file)).ok()?, "oom_kill")
    }
}

/// The processes of the group in `directory`.
pub(super) fn processes(directory: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    list.lines()
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}

/// The number behind a word in a file of such pairs.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (word, number) = line.split_once(' ')?;
        (word == key).then(|| number.trim().parse().ok())?
    })
}

fn open_to_write(directory: &Path, file: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(
        directory.join(file),
        flags,
        Mode::empty(),
    )?)
}

fn open_to_read(directory: &Path, file: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(
        directory.join(file),
        flags,
        Mode::empty(),
    )?)
}
