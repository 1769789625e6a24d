//! The workers of this spawner: started, signalled, listed.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::process::{Pid, Signal};

use super::cgroup::{Cgroup, Cgroups};
use super::clone::Cloner;
use super::confine::Networks;
use super::listening;
use super::pipes::{Pipes, duplicate};
use super::protocol::{Ending, Event, Fault, Readiness, StartRequest, StartTimes};
use super::stubs::{Launched, Stubs};
use crate::clock::monotonic_nanos;
use crate::driver::{Endpoint, Spent, StartKind};
use crate::spending::Account;

mod launching;
mod prepared;

/// Workers at once; each takes three descriptors of this process.
const MAX_WORKERS: usize = 100_000;

/// Places that one worker may report before it is ready; a program that listens here and there
/// without end must not flood the gateway.
const MAX_REPORTS: u8 = 8;

/// One worker: a process group and what it holds.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pid: Pid,
    /// The value of `STOKER_INSTANCE`.
    pub(super) name: String,
    pub(super) function: Arc<str>,
    pub(super) revision: Arc<str>,
    endpoint: Endpoint,
    ready: bool,
    /// The link of the gateway whose it is.
    pub(super) owner: Option<u32>,
    /// The link of the gateway that has its pipes.
    pub(super) reader: Option<u32>,
    /// Read ends of output and error output, kept for the next gateway.
    pub(super) pipes: [OwnedFd; 2],
    /// Where the kernel reports calls of `listen`. Kept open, for else they would fail.
    observer: Option<OwnedFd>,
    reports: u8,
    /// Its control group, if there are any.
    pub(super) cgroup: Option<Cgroup>,
    /// Its first process is gone; how, and until when its group is waited for.
    pub(super) ending: Option<(Ending, Instant)>,
    /// What its first process and those that it reaped have used, once it is gone.
    pub(super) spent: Option<Spent>,
    /// What it is.
    pub(super) role: Role,
}

/// What a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It takes requests, or will.
    Instance,
    /// Instances are forked from it. Its output is nobody's until it is loaded, so that its last
    /// words can be told.
    Parent {
        /// It is loaded.
        loaded: bool,
    },
}

/// All of them.
#[derive(Debug)]
pub(super) struct Workers {
    pub(super) cloner: Cloner,
    pub(super) stubs: Stubs,
    pub(super) cgroups: Cgroups,
    pub(super) networks: Networks,
    pub(super) table: HashMap<u64, Worker>,
    /// By first process, until it is reaped.
    pub(super) leaders: HashMap<i32, u64>,
    /// For the next one.
    spare: Option<Pipes>,
    /// Those whose first process is gone.
    pub(super) dying: HashSet<u64>,
    /// When all children were last looked at, and when they are to be next, if that was put off.
    pub(super) looked: Option<Instant>,
    pub(super) look_at: Option<Instant>,
    /// First processes of what instances are made from, and those that wait to become one.
    pub(super) watched: HashSet<i32>,
    /// The control groups of those of them that were killed, until they are reaped.
    pub(super) condemned: HashMap<i32, Cgroup>,
    /// Those of them that have ended since this was last looked at.
    pub(super) ended: Vec<(i32, Ending)>,
    /// Those that are frozen so that they can be told to end, and until when at most.
    pub(super) held: HashMap<u64, Instant>,
    /// A child was just being executed when it was asked for its name: when to ask again.
    pub(super) unsure: Option<Instant>,
}

impl Workers {
    /// None yet.
    pub(super) fn new(cloner: Cloner, cgroups: Cgroups) -> Workers {
        Workers {
            cloner,
            stubs: Stubs::default(),
            cgroups,
            networks: Networks::default(),
            table: HashMap::new(),
            leaders: HashMap::new(),
            spare: None,
            dying: HashSet::new(),
            looked: None,
            look_at: None,
            watched: HashSet::new(),
            condemned: HashMap::new(),
            ended: Vec::new(),
            held: HashMap::new(),
            unsure: None,
        }
    }

    /// Starts one and returns the news of it, with its pipes beside it if it runs.
    pub(super) fn start(
        &mut self,
        request: StartRequest,
        listener: Option<OwnedFd>,
    ) -> (Event, Vec<OwnedFd>) {
        let id = request.id;
        match self.try_start(request, listener) {
            Ok(started) => started,
            Err(fault) => (Event::StartFailed { id, fault }, Vec::new()),
        }
    }

    fn try_start(
        &mut self,
        request: StartRequest,
        listener: Option<OwnedFd>,
    ) -> Result<(Event, Vec<OwnedFd>), Fault> {
        self.check_room(&request)?;
        let launched = match self.use_stub(&request, listener.as_ref()) {
            Some(launched) => launched,
            None => self.launch(&request, listener.as_ref())?,
        };
        let Launched {
            cloned,
            cgroup,
            pipes,
        } = launched;
        let times = StartTimes {
            received: request.received,
            cloned: cloned.about_to_execute,
            executed: monotonic_nanos(),
        };
        self.stubs.note(&request);
        let pid = Pid::from_raw(cloned.pid).expect("a cloned child has a pid");
        self.leaders.insert(cloned.pid, request.id);
        let started = Event::Started {
            id: request.id,
            pid: cloned.pid.unsigned_abs(),
            observed: cloned.observer.is_some(),
            times,
            kind: StartKind::Exec,
        };
        let worker = Worker {
            pid,
            name: request.name,
            function: request.function,
            revision: request.revision,
            endpoint: request.endpoint,
            ready: request.readiness == Readiness::Inherited,
            owner: None,
            reader: None,
            pipes: pipes.readers,
            observer: cloned.observer,
            reports: 0,
            cgroup,
            ending: None,
            spent: None,
            role: Role::Instance,
        };
        self.table.insert(request.id, worker);
        Ok((started, pipes.duplicates.into()))
    }

    /// When something can be made ahead for later starts, if there is nothing else to do then.
    pub(super) fn spare_work(&self, now: Instant) -> Option<Instant> {
        let is_short = self.cgroups.is_short() || self.networks.is_short();
        is_short.then_some(now).or_else(|| self.stubs.due())
    }

    /// Makes one thing ahead.
    pub(super) fn stock_up(&mut self) {
        if self.cgroups.is_short() {
            self.cgroups.fill();
        } else if self.networks.is_short() {
            self.networks.fill();
        } else {
            self.spare_pipes();
            self.make_stub();
        }
    }

    /// Whether another one with this id can be started.
    pub(super) fn check_room(&self, request: &StartRequest) -> Result<(), Fault> {
        if self.table.contains_key(&request.id) {
            return Err(Fault::transient(format!(
                "instance {} runs already",
                request.name
            )));
        }
        if self.table.len() >= MAX_WORKERS {
            let detail = format!("{MAX_WORKERS} instances run, which is the limit");
            return Err(Fault::transient(detail));
        }
        Ok(())
    }

    /// Where calls of `listen` of this worker are reported.
    pub(super) fn observer(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.table.get(&id)?.observer.as_ref().map(AsFd::as_fd)
    }

    /// Answers a waiting call of `listen`; the news of it, if any.
    pub(super) fn attend(&mut self, id: u64) -> Option<Event> {
        let worker = self.table.get_mut(&id)?;
        let (at, reach) = listening::attend(worker.observer.as_ref()?.as_fd())?;
        let served = listening::serves(reach.as_ref(), &worker.endpoint);
        if worker.ready || (worker.reports >= MAX_REPORTS && !served) {
            return None;
        }
        worker.reports = worker.reports.saturating_add(1);
        let reach = reach.filter(|_| served);
        if let Some(endpoint) = &reach {
            worker.endpoint = endpoint.clone();
            worker.ready = true;
        }
        Some(Event::Listening { id, at, reach })
    }

    /// No process is left that could call `listen`.
    pub(super) fn forget_observer(&mut self, id: u64) {
        if let Some(worker) = self.table.get_mut(&id) {
            worker.observer = None;
        }
    }

    /// The gateway found out that it takes requests there.
    pub(super) fn set_ready(&mut self, id: u64, endpoint: Endpoint) {
        if let Some(worker) = self.table.get_mut(&id) {
            worker.endpoint = endpoint;
            worker.ready = true;
        }
    }

    /// Signals the group of one whose first process was not reaped yet, so that the group is its
    /// own for certain.
    pub(super) fn signal(&mut self, id: u64, signal: Signal) {
        if signal == Signal::TERM && self.hold_to_end(id) {
            return;
        }
        self.held.remove(&id);
        if let Some(worker) = self.table.get(&id).filter(|worker| worker.ending.is_none()) {
            // A frozen one would not hear it.
            self.thaw(id);
            // It may have ended this very moment, which is what the caller wants.
            rustix::process::kill_process_group(worker.pid, signal).ok();
            if signal == Signal::KILL
                && let Some(cgroup) = &worker.cgroup
            {
                cgroup.let_die();
            }
        }
    }

    /// Signals every group.
    pub(super) fn signal_all(&mut self, signal: Signal) {
        let ids: Vec<u64> = self.table.keys().copied().collect();
        ids.into_iter().for_each(|id| self.signal(id, signal));
    }

    /// The ids of those that run and that `which` holds for.
    pub(super) fn running(&self, which: impl Fn(&Worker) -> bool) -> Vec<u64> {
        let running = self.table.iter().filter(|(_, worker)| {
            // What has ended is reported as such.
            worker.ending.is_none() && which(worker)
        });
        running.map(|(&id, _)| id).collect()
    }

    /// Makes it this link's; the event that says so, with its pipes.
    pub(super) fn hand_to(&mut self, id: u64, link: u32) -> Option<(Event, Vec<OwnedFd>)> {
        let worker = self.table.get_mut(&id)?;
        worker.owner = Some(link);
        worker.reader = Some(link);
        let event = Event::Listed {
            id,
            pid: worker.pid.as_raw_nonzero().get().unsigned_abs(),
            function: worker.function.clone(),
            revision: worker.revision.clone(),
            endpoint: worker.endpoint.clone(),
            ready: worker.ready,
        };
        Some((event, worker.duplicates()))
    }

    /// Has this link read its output; the event that says so, with its pipes.
    pub(super) fn read_by(&mut self, id: u64, link: u32) -> Option<(Event, Vec<OwnedFd>)> {
        let worker = self.table.get_mut(&id)?;
        worker.reader = Some(link);
        let function = worker.function.clone();
        Some((Event::Output { id, function }, worker.duplicates()))
    }
}

impl Workers {
    /// Where it can be read what a worker uses.
    pub(super) fn account(&self, id: u64) -> Option<Event> {
        let worker = self.table.get(&id)?;
        let cgroup = worker.cgroup.as_ref();
        let account = cgroup.map_or_else(Account::default, Cgroup::account);
        Some(Event::Account { id, account })
    }
}

impl Worker {
    /// What all of its processes used: as the kernel accounts it, or as far as it was told.
    pub(super) fn spent(&self) -> Option<Spent> {
        let accounted = self.cgroup.as_ref().and_then(Cgroup::cpu_micros);
        let told = self.spent.unwrap_or_default();
        (accounted.is_some() || self.spent.is_some()).then(|| Spent {
            cpu_micros: accounted.unwrap_or(told.cpu_micros),
            ..told
        })
    }

    /// How it ended: the kernel itself does not say that it killed for memory.
    pub(super) fn verdict(&self, ending: Ending) -> Ending {
        if ending != Ending::Signal(Signal::KILL.as_raw()) {
            return ending;
        }
        let exceeded = self.cgroup.as_ref().and_then(Cgroup::exceeded_memory);
        exceeded.map_or(ending, |limit_bytes| Ending::OutOfMemory { limit_bytes })
    }

    /// Both pipes once more. Without descriptors left its output is lost, but it serves.
    fn duplicates(&self) -> Vec<OwnedFd> {
        self.pipes
            .iter()
            .filter_map(|pipe| duplicate(pipe).ok())
            .collect()
    }
}
