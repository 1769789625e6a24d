//! Seeing that there are as many processes as are wanted, and no more.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::parent::PATIENCE;
use super::pool::{Parent, Pool, Spare};
use super::{Desk, Site, Waiting, channel};
use crate::driver::Language;
use crate::spawner::protocol::Fault;
use crate::spawner::runners::Mode;

/// Processes of one pool on their way at once; the rest follows.
const MAX_COMING: usize = 256;

/// A spare that was taken is replaced after this time, so that it is not in the way of the one that
/// has just begun. Node takes longer to answer first, and a boot takes more of the machine.
const AFTER_FORK: Duration = Duration::from_millis(5);
const AFTER_BOOT: Duration = Duration::from_millis(25);

/// What a cell is called where a program is called by its function: it has none yet.
const CELL: &str = "cell";

/// A process must speak within this time after it was asked for.
const FORK_WAIT: Duration = Duration::from_secs(10);
const BOOT_WAIT: Duration = Duration::from_secs(60);

impl Pool {
    /// Makes an instance of the oldest spare, or waits for one.
    pub(super) fn start(&mut self, mut waiting: Waiting, desk: &mut Desk, site: &mut Site<'_>) {
        while let Some(spare) = self.spares.pop_front() {
            match self.assign(spare, (waiting, true), desk, site) {
                Ok(()) => {
                    self.refill_at = Some(site.now + self.pause());
                    return;
                }
                // It has ended, or cannot be spoken to; the next one may be better.
                Err(returned) => waiting = returned,
            }
        }
        let failing = self.parent.is_none() && self.failures.retry_at.is_some();
        self.waiting.push_back(waiting);
        if failing && self.runtime.fallback {
            let words = self.failures.words.clone().unwrap_or_default();
            self.fail_all(&Fault::exited(words), desk);
        }
    }

    /// Starts what is missing, and ends what is too much.
    pub(super) fn supply(&mut self, desk: &mut Desk, site: &mut Site<'_>) {
        let wanted = self.wanted();
        while self.spares.len() > wanted {
            if let Some(spare) = self.spares.pop_back() {
                spare.kill(desk, site);
            }
        }
        let rests = self.refill_at.is_some_and(|at| site.now < at);
        let rests = rests || self.failures.retry_at.is_some_and(|at| site.now < at);
        let missing = match rests {
            true => 0,
            false => wanted.saturating_sub(self.spares.len()),
        };
        match self.runtime.language {
            Language::Python => self.supply_forks(missing, rests, desk, site),
            Language::Node => self.supply_cells(missing, desk, site),
        }
    }

    /// Spares that are wanted: cells are shared, so the most that any function wants.
    pub(super) fn wanted(&self) -> usize {
        let wants = self.wants.values().map(|want| want.spares as usize);
        wants.max().unwrap_or(0)
    }

    fn supply_forks(&mut self, missing: usize, rests: bool, desk: &mut Desk, site: &mut Site<'_>) {
        match &self.parent {
            None if self.waiting.is_empty() && (rests || self.wants.is_empty()) => return,
            None => return self.launch_parent(desk, site),
            Some(Parent {
                loaded: true,
                failed: None,
                ..
            }) => {}
            Some(_) => return,
        }
        while let Some(waiting) = self.waiting.pop_front() {
            if self.coming.len() >= MAX_COMING {
                return self.waiting.push_front(waiting);
            }
            self.fork(Some(waiting), desk, site);
        }
        let ahead = self.coming.iter().filter(|it| it.assigned.is_none());
        for _ in ahead.count()..missing.min(MAX_COMING) {
            self.fork(None, desk, site);
        }
    }

    fn supply_cells(&mut self, missing: usize, desk: &mut Desk, site: &mut Site<'_>) {
        let needed = (self.waiting.len() + missing).min(MAX_COMING);
        for _ in self.coming.len()..needed {
            if let Err(fault) = self.boot(desk, site) {
                self.failures.note(fault.detail.clone(), site.now);
                return self.fail_all(&fault, desk);
            }
        }
    }

    /// Boots one cell.
    fn boot(&mut self, desk: &mut Desk, site: &mut Site<'_>) -> Result<(), Fault> {
        let program = desk.program(&self.program, &self.runtime, Mode::Cell)?;
        let (control, theirs) = channel::pair(Language::Node).map_err(|error| no_socket(&error))?;
        let executed = site
            .workers
            .execute((&program, CELL), theirs.as_fd(), true)?;
        let token = desk.register(&self.key, &control, site.epoll);
        let raw = executed.pid.as_raw_nonzero().get();
        desk.processes.insert(raw, self.key.clone());
        self.coming.push(Spare {
            token,
            pid: Some(executed.pid),
            control,
            pipes: Some(executed.pipes),
            cgroup: executed.cgroup,
            since: site.now,
            assigned: None,
            cancelled: false,
        });
        Ok(())
    }

    /// Ends what took too long.
    pub(super) fn pass_time(&mut self, desk: &mut Desk, site: &mut Site<'_>) {
        let now = site.now;
        if self.refill_at.is_some_and(|at| now >= at) {
            self.refill_at = None;
        }
        if self.failures.retry_at.is_some_and(|at| now >= at) {
            self.failures.retry_at = None;
        }
        self.look_after_parent(site);
        let patience = self.speak_wait();
        let (late, in_time) = std::mem::take(&mut self.coming)
            .into_iter()
            .partition(|spare: &Spare| now >= spare.since + patience);
        self.coming = in_time;
        let late: Vec<Spare> = late;
        for mut spare in late {
            let fault = Fault::exited(format!(
                "the process to be did not answer within {patience:?}"
            ));
            self.give_up(&mut spare, &fault, desk);
            spare.kill(desk, site);
        }
    }

    /// When something is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let parent = self.parent.as_ref().map(|parent| match parent.kill_at {
            Some(at) => Some(at),
            None => (!parent.loaded).then(|| parent.since + PATIENCE),
        });
        let coming = self.coming.iter().map(|it| it.since + self.speak_wait());
        let wants = self.wants.values().filter_map(|want| want.until);
        let times = [self.refill_at, self.failures.retry_at, parent.flatten()];
        times.into_iter().flatten().chain(coming).chain(wants).min()
    }

    fn speak_wait(&self) -> Duration {
        match self.runtime.language {
            Language::Python => FORK_WAIT,
            Language::Node => BOOT_WAIT,
        }
    }

    fn pause(&self) -> Duration {
        match self.runtime.language {
            Language::Python => AFTER_FORK,
            Language::Node => AFTER_BOOT,
        }
    }
}

/// There are no descriptors left, or no memory.
pub(super) fn no_socket(error: &std::io::Error) -> Fault {
    Fault::transient(format!("cannot make a socket: {}", error.kind()))
}
