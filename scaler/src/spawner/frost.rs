//! Freezing workers: the spawner hands out what it takes, tells those to end that were frozen, and
//! thaws those that are to die or have nobody who would.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::cgroup::{Freezer, Version};
use super::protocol::{Event, FreezerKind, MemoryKind};
use super::sys;
use super::worker::Workers;

/// How long all threads of a worker may take to stop before it is told to end all the same. On a
/// machine that is loaded each of them has to get CPU for that.
const HOLD: Duration = Duration::from_millis(250);

/// How often it is looked whether they have: v1 has no event of it.
const LOOK: Duration = Duration::from_millis(1);

impl Workers {
    /// The event that tells how a worker is frozen, with the file to write to, one for its
    /// memory and one to read whether it has stopped beside it, or why it cannot be. Nothing for one that is gone, of which there are
    /// other news.
    pub(super) fn freezer(&mut self, id: u64) -> Option<(Event, Vec<OwnedFd>)> {
        let worker = self.table.get_mut(&id)?;
        let Some(cgroup) = &mut worker.cgroup else {
            let why = format!("it has no control group: {}", self.cgroups.lack());
            return Some((Event::NoFreezer { id, why }, Vec::new()));
        };
        let files = cgroup.freezer().and_then(|freezer| {
            let (memory, kind) = cgroup.memory_file()?;
            Ok((freezer, memory, kind, cgroup.state_file()?))
        });
        Some(match files {
            Ok((Freezer { file, version }, memory, in_group, state)) => {
                let event = Event::Freezer {
                    id,
                    kind: match version {
                        Version::Unified => FreezerKind::Unified,
                        Version::Legacy => FreezerKind::Legacy,
                    },
                    memory: match in_group {
                        true => MemoryKind::Group,
                        false => MemoryKind::Processes,
                    },
                };
                (event, vec![file, memory, state])
            }
            Err(error) => {
                let why = format!("its control group cannot be frozen: {error}");
                (Event::NoFreezer { id, why }, Vec::new())
            }
        })
    }

    /// Lets a worker run, if somebody may have frozen it. One that is held runs soon.
    pub(super) fn thaw(&self, id: u64) {
        if self.held.contains_key(&id) {
            return;
        }
        let cgroup = self.table.get(&id).and_then(|it| it.cgroup.as_ref());
        if let Some(cgroup) = cgroup.filter(|cgroup| cgroup.is_shared()) {
            // Fails only if nothing is left of it.
            cgroup.thaw().ok();
        }
    }

    /// Tells a worker to end that was frozen, or may have been a moment ago; false if it was not.
    ///
    /// It is frozen once more for that. A thread that is just leaving the freezer counts as one that
    /// has signals to attend to, so the kernel (complete_signal in kernel/signal.c) would give
    /// SIGTERM to another thread, while some runtimes, Python among them, act on it in the first
    /// one only. While all stand still nobody starts a process either, so that each can be told by
    /// itself, in its first thread.
    pub(super) fn hold_to_end(&mut self, id: u64) -> bool {
        let worker = self.table.get(&id).filter(|it| it.ending.is_none());
        let cgroup = worker.and_then(|worker| worker.cgroup.as_ref());
        let held = cgroup.is_some_and(|cgroup| cgroup.is_shared() && cgroup.freeze().is_ok());
        if held {
            let now = Instant::now();
            self.held.entry(id).or_insert(now + HOLD);
            self.end_held(now);
        }
        held
    }

    /// Tells those to end that stand still by now, or did not in time.
    pub(super) fn end_held(&mut self, now: Instant) {
        if self.held.is_empty() {
            return;
        }
        let table = &self.table;
        self.held.retain(|id, until| {
            let worker = table.get(id).filter(|it| it.ending.is_none());
            let Some((worker, cgroup)) = worker.and_then(|it| Some((it, it.cgroup.as_ref()?)))
            else {
                return false;
            };
            let frozen = cgroup.is_frozen();
            if !frozen && now < *until {
                return true;
            }
            let processes = cgroup.processes();
            if frozen && processes.contains(&worker.pid) {
                let in_group = |pid: &&Pid| {
                    rustix::process::getpgid(Some(**pid)).is_ok_and(|group| group == worker.pid)
                };
                processes
                    .iter()
                    .filter(in_group)
                    .for_each(|&pid| terminate(pid));
            } else {
                rustix::process::kill_process_group(worker.pid, Signal::TERM).ok();
            }
            cgroup.thaw().ok();
            false
        });
    }

    /// When [`Workers::end_held`] has to be asked again.
    pub(super) fn next_held(&self) -> Option<Instant> {
        (!self.held.is_empty()).then(|| Instant::now() + LOOK)
    }
}

/// Tells a process that stands still to end: its first thread, if that would take the signal, as
/// the kernel does it with a process that runs. If it is blocked there, one that waits for it
/// elsewhere gets it.
fn terminate(process: Pid) {
    let to_first = takes_signal(process, Signal::TERM)
        && sys::signal_first_thread(process, Signal::TERM).is_ok();
    if !to_first {
        // It may have been killed this very moment, which is what the caller wants.
        rustix::process::kill_process(process, Signal::TERM).ok();
    }
}

/// Whether the first thread of a process lives and does not block this signal (proc(5), `SigBlk`).
fn takes_signal(process: Pid, signal: Signal) -> bool {
    let path = format!("/proc/{}/status", process.as_raw_nonzero());
    let status = fs::read_to_string(path).unwrap_or_default();
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.trim())
    };
    let lives = field("State:").is_some_and(|state| !state.starts_with(['Z', 'X']));
    let blocked = field("SigBlk:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    lives && blocked.is_some_and(|mask| mask & (1 << (signal.as_raw() - 1)) == 0)
}
