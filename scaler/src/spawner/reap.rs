//! The end of workers: the first process, its group, and whoever left the group.
//!
//! This process is the reaper of all its descendants, so those whose parent ended become its
//! children. SIGCHLD tells of each, whoever it is, and a pid is not given to another process
//! before it was reaped here, so signals never reach a stranger.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::proc::{self, INSTANCE};
use super::protocol::{Ending, Event};
use super::sys;
use super::unheard::Name;
use super::worker::Workers;

/// How long the end of a worker may be held back for killed processes that do not go, being stuck
/// in the kernel.
const GROUP_WAIT: Duration = Duration::from_secs(5);

/// How long the end of a worker is held back for a child that has no name yet, because it is just
/// being executed.
const NAME_WAIT: Duration = Duration::from_millis(20);

/// How soon it is asked again, as there is no event when a child has got a name, or when the last
/// process, which was reaped already, has left a control group.
const RETRY: Duration = Duration::from_millis(1);

/// The least time between two looks at all children: each costs more the more there are, so that
/// many ends in a row share one.
const LOOKS: Duration = Duration::from_millis(5);

/// Children reaped at once, so that a crowd of them does not hold up everything else.
const BATCH: usize = 64;

impl Workers {
    /// Reaps the children that have ended; true if there may be more.
    pub(super) fn reap(&mut self, now: Instant) -> bool {
        for _ in 0..BATCH {
            let Ok(Some((raw, ending))) = sys::next_ended() else {
                return false;
            };
            let Some(pid) = Pid::from_raw(raw) else {
                return false;
            };
            if self.watched.remove(&raw) {
                rustix::process::kill_process_group(pid, Signal::KILL).ok();
                self.ended.push((raw, ending));
                if let Some(cgroup) = self.condemned.remove(&raw) {
                    self.give_back(cgroup);
                }
            }
            if self.stubs.contains(raw) {
                rustix::process::kill_process_group(pid, Signal::KILL).ok();
                if let Some(cgroup) = self.stubs.bury(raw) {
                    self.give_back(cgroup);
                }
            }
            let led = self.leaders.remove(&raw);
            if let Some(id) = led {
                // While its first process is unreaped, the group cannot be another's.
                rustix::process::kill_process_group(pid, Signal::KILL).ok();
                if let Some(worker) = self.table.get_mut(&id) {
                    worker.ending = Some((worker.verdict(ending), now + GROUP_WAIT));
                    self.dying.insert(id);
                }
            }
            let spent = sys::reap(raw);
            if let Some(worker) = led.and_then(|id| self.table.get_mut(&id)) {
                worker.spent = spent;
            }
        }
        true
    }

    /// Kills the descendants that left the group of a worker that is gone, and returns the news of
    /// the workers of which nothing is left, each with its owner.
    pub(super) fn bury(&mut self, now: Instant) -> Vec<(Option<u32>, Event, Name)> {
        self.look_at = self.looked.map(|looked| looked + LOOKS);
        if self.look_at.is_some_and(|at| now < at) {
            return Vec::new();
        }
        (self.looked, self.look_at) = (Some(now), None);
        let haunted = self.kill_strays(now);
        let is_unsure = self.unsure.is_some();
        let mut populated = false;
        let gone: Vec<(u64, Ending)> = self
            .dying
            .iter()
            .filter_map(|&id| {
                let worker = self.table.get_mut(&id)?;
                let (ending, until) = worker.ending?;
                let nameless = is_unsure && now + GROUP_WAIT < until + NAME_WAIT;
                let cgroup = worker.cgroup.as_mut().filter(|cgroup| !cgroup.is_empty());
                let in_group = cgroup.is_some();
                if let Some(cgroup) = cgroup {
                    // Those who left the process group.
                    cgroup.kill();
                }
                populated |= in_group;
                let left = nameless
                    || in_group
                    || haunted.contains(&worker.name)
                    || rustix::process::test_kill_process_group(worker.pid).is_ok();
                (!left || now >= until).then_some((id, ending))
            })
            .collect();
        if populated {
            self.unsure = Some(now + RETRY);
        }
        let mut news = Vec::with_capacity(gone.len());
        for (id, ending) in gone {
            self.dying.remove(&id);
            let Some(worker) = self.table.remove(&id) else {
                continue;
            };
            let spent = worker.spent();
            if let Some(cgroup) = worker.cgroup {
                self.cgroups.give_back(cgroup);
            }
            let name = (worker.function, worker.revision);
            news.push((worker.owner, Event::Exited { id, ending, spent }, name));
        }
        news
    }

    /// When [`Workers::bury`] has to be asked again at the latest.
    pub(super) fn next_burial(&self) -> Option<Instant> {
        if self.look_at.is_some() {
            return self.look_at;
        }
        let due = self.dying.iter().filter_map(|id| {
            let (_, until) = self.table.get(id)?.ending?;
            Some(self.unsure.map_or(until, |retry| retry.min(until)))
        });
        due.min()
    }

    /// Kills every child that is not the first process of a worker, whoever it belongs to.
    pub(super) fn kill_everything(&mut self) {
        self.signal_all(Signal::KILL);
        for pid in proc::children() {
            kill(pid);
        }
    }

    /// Kills and reaps until no child is left, for a bounded time: the children of those that are
    /// killed become ours.
    pub(super) fn end_everything(&mut self) {
        let until = Instant::now() + GROUP_WAIT;
        while !proc::children().is_empty() && Instant::now() < until {
            self.kill_everything();
            while self.reap(until) {}
            std::thread::sleep(Duration::from_millis(1));
        }
        for worker in std::mem::take(&mut self.table).into_values() {
            if let Some(cgroup) = worker.cgroup {
                self.cgroups.give_back(cgroup);
            }
        }
        for (_, cgroup) in std::mem::take(&mut self.condemned) {
            self.cgroups.give_back(cgroup);
        }
        for cgroup in self.stubs.close() {
            self.cgroups.give_back(cgroup);
        }
        self.cgroups.close();
    }

    /// Kills the children that belong to a worker that is gone; the names of those workers.
    fn kill_strays(&mut self, now: Instant) -> HashSet<String> {
        let mut strays = proc::children();
        strays.retain(|pid| !self.leaders.contains_key(pid) && !self.stubs.contains(*pid));
        if strays.is_empty() {
            self.unsure = None;
            return HashSet::new();
        }
        let alive: HashSet<&str> = self
            .table
            .values()
            .filter(|worker| worker.ending.is_none())
            .map(|worker| worker.name.as_str())
            .collect();
        let mut unsure = false;
        let mut haunted = HashSet::new();
        for pid in strays {
            let owner = proc::variable(pid, INSTANCE).and_then(|name| String::from_utf8(name).ok());
            match owner {
                Some(owner) if alive.contains(owner.as_str()) => {}
                Some(owner) => {
                    kill(pid);
                    haunted.insert(owner);
                }
                None => unsure |= proc::is_nameless(pid),
            }
        }
        self.unsure = unsure.then_some(now + RETRY);
        haunted
    }
}

/// Kills a child of this process, which is not reaped yet and so is still itself.
fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        rustix::process::kill_process(pid, Signal::KILL).ok();
    }
}
