//! Processes that were cloned ahead for the programs that were started of late: each has done all
//! that does not depend on the instance (namespaces, mounts, limits, user, filter), and waits in its
//! control group for an environment and descriptors to execute its program with.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::cgroup::Cgroup;
use super::clone::{Cloned, Identity, Streams, Stub};
use super::pipes::Pipes;
use super::prepare;
use super::protocol::{Program, Readiness, StartRequest};
use super::worker::Workers;
use crate::driver::Rlimit;

/// From a start to the making of a stub, so that the instance which is just starting comes first.
const PAUSE: Duration = Duration::from_millis(2);

/// A program that was not started for so long loses its stub. What the stub has taken from the
/// machine, such as the groups of its user, is never older.
const IDLE: Duration = Duration::from_secs(60);

/// A stub has so many descriptors until it has put those that it is given where they belong.
const DESCRIPTORS: u64 = 16;

/// The stubs of this spawner.
#[derive(Debug, Default)]
pub(super) struct Stubs {
    /// Programs that have one, at most.
    most: usize,
    /// Least recently started first.
    known: Vec<Known>,
    /// Those that were killed, until they are reaped.
    doomed: HashMap<i32, Waiting>,
}

/// A program that was started.
#[derive(Debug)]
struct Known {
    function: Arc<str>,
    revision: Arc<str>,
    /// Of its environment only the PATH, on which it is looked up.
    program: Program,
    started: Instant,
    /// One is to be made.
    is_wanted: bool,
    waiting: Option<Waiting>,
}

/// A stub with what the instance takes over from it.
#[derive(Debug)]
struct Waiting {
    stub: Stub,
    identity: Option<Identity>,
    cgroup: Option<Cgroup>,
}

/// A program that was executed.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) cloned: Cloned,
    pub(super) cgroup: Option<Cgroup>,
    pub(super) pipes: Pipes,
}

impl Stubs {
    /// Notes a start, after which one is made.
    pub(super) fn note(&mut self, request: &StartRequest) {
        if self.most == 0 || !can_wait(request) {
            return;
        }
        let known = self.known.iter().position(|known| known.is_for(request));
        let mut known = match known {
            Some(index) => self.known.remove(index),
            None => {
                if self.known.len() >= self.most {
                    let oldest = self.known.remove(0);
                    self.discard(oldest.waiting);
                }
                Known::new(request)
            }
        };
        known.started = Instant::now();
        known.is_wanted = known.waiting.is_none();
        self.known.push(known);
    }

    /// The stub of a program.
    fn take(&mut self, request: &StartRequest) -> Option<Waiting> {
        if self.known.is_empty() || !can_wait(request) {
            return None;
        }
        let mut known = self.known.iter_mut();
        known.find(|known| known.is_for(request))?.waiting.take()
    }

    /// When the next one is to be made, if nothing else is to be done then.
    pub(super) fn due(&self) -> Option<Instant> {
        let last = self.known.iter().rfind(|known| known.is_wanted)?;
        Some(last.started + PAUSE)
    }

    /// When the next program is forgotten.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        Some(self.known.first()?.started + IDLE)
    }

    /// Forgets programs that were not started for long.
    pub(super) fn pass_time(&mut self, now: Instant) {
        while self.next_deadline().is_some_and(|deadline| now >= deadline) {
            let oldest = self.known.remove(0);
            self.discard(oldest.waiting);
        }
    }

    /// Keeps so many from now on, and begins anew.
    pub(super) fn limit(&mut self, most: usize) {
        self.most = most;
        for known in std::mem::take(&mut self.known) {
            self.discard(known.waiting);
        }
    }

    /// Whether this child waits, or did until it was killed.
    pub(super) fn contains(&self, pid: i32) -> bool {
        let mut waiting = self.known.iter().filter_map(|known| known.waiting.as_ref());
        self.doomed.contains_key(&pid) || waiting.any(|waiting| waiting.stub.pid == pid)
    }

    /// A child has ended; the group that it leaves, if it was one of these.
    pub(super) fn bury(&mut self, pid: i32) -> Option<Cgroup> {
        if let Some(waiting) = self.doomed.remove(&pid) {
            return waiting.cgroup;
        }
        // Not made again before the next start: it may end each time.
        let is_its = |waiting: &mut Waiting| waiting.stub.pid == pid;
        let mut known = self.known.iter_mut();
        known
            .find_map(|known| known.waiting.take_if(is_its))?
            .cgroup
    }

    /// The groups of those that could not be reaped.
    pub(super) fn close(&mut self) -> Vec<Cgroup> {
        self.limit(0);
        let doomed = self.doomed.drain().filter_map(|(_, waiting)| {
            // It may still run in its memory.
            std::mem::forget(waiting.stub);
            waiting.cgroup
        });
        doomed.collect()
    }

    /// Kills one, which is not reaped yet and so is still itself.
    fn discard(&mut self, waiting: Option<Waiting>) {
        if let Some(waiting) = waiting {
            if let Some(pid) = Pid::from_raw(waiting.stub.pid) {
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
            self.doomed.insert(waiting.stub.pid, waiting);
        }
    }
}

impl Known {
    fn new(request: &StartRequest) -> Known {
        let mut program = request.program.clone();
        program.environment.retain(|(key, _)| key == "PATH");
        Known {
            function: request.function.clone(),
            revision: request.revision.clone(),
            program,
            started: Instant::now(),
            is_wanted: false,
            waiting: None,
        }
    }

    /// Whether a stub of this program can become that instance.
    fn is_for(&self, request: &StartRequest) -> bool {
        let (own, other) = (&self.program, &request.program);
        self.function == request.function
            && self.revision == request.revision
            && own.command == other.command
            && own.directory == other.directory
            && own.user == other.user
            && own.rlimits == other.rlimits
            && own.resources == other.resources
            && own.isolation == other.isolation
            && prepare::path(own) == prepare::path(other)
    }
}

impl Workers {
    /// Has the stub of a program become an instance; none if there is no stub, or if it did not: then
    /// the usual way does it or says why not.
    pub(super) fn use_stub(
        &mut self,
        request: &StartRequest,
        listener: Option<&OwnedFd>,
    ) -> Option<Launched> {
        let waiting = self.stubs.take(request)?;
        let executed = self.execute_stub(&waiting, request, listener);
        match executed {
            Some((cloned, pipes)) => Some(Launched {
                cloned,
                cgroup: waiting.cgroup,
                pipes,
            }),
            None => {
                self.stubs.discard(Some(waiting));
                None
            }
        }
    }

    fn execute_stub(
        &mut self,
        waiting: &Waiting,
        request: &StartRequest,
        listener: Option<&OwnedFd>,
    ) -> Option<(Cloned, Pipes)> {
        let environment = prepare::environment(&request.program.environment).ok()?;
        let pipes = self.take_pipes(waiting.identity.as_ref()).ok()?;
        let streams = Streams {
            stdout: pipes.output(),
            stderr: pipes.errors(),
            listener: listener.map(AsFd::as_fd),
        };
        let cloned = waiting.stub.execute(&environment, &streams)?;
        Some((cloned, pipes))
    }

    /// Makes the stub that is due.
    pub(super) fn make_stub(&mut self) {
        let wanted = self.stubs.known.iter().rposition(|known| known.is_wanted);
        let Some(index) = wanted else { return };
        let Some(known) = self.stubs.known.get_mut(index) else {
            return;
        };
        known.is_wanted = false;
        let (program, function) = (known.program.clone(), known.function.clone());
        // Whatever fails here is told to whoever starts the program.
        let waiting = self.prepare_stub(&program, &function);
        if let Some(known) = self.stubs.known.get_mut(index) {
            known.waiting = waiting;
        }
    }

    fn prepare_stub(&mut self, program: &Program, function: &str) -> Option<Waiting> {
        let mut prepared = prepare::prepare(program, Readiness::Inherited, function).ok()?;
        if let Some(confinement) = &mut prepared.confinement {
            self.networks.supply(confinement);
        }
        let (cgroup, entry) = self.cgroups.take(&program.resources).ok()?.unzip();
        let identity = prepared.identity.clone();
        match self.cloner.prepare(prepared, entry.as_ref()) {
            Ok(stub) => Some(Waiting {
                stub,
                identity,
                cgroup,
            }),
            Err(_) => {
                if let Some(cgroup) = cgroup {
                    self.cgroups.give_back(cgroup);
                }
                None
            }
        }
    }
}

/// Whether a program is such that it can be prepared without knowing the instance: it is not
/// observed, and need not bind in a directory of its own.
fn can_wait(request: &StartRequest) -> bool {
    let files = request.program.rlimits.iter();
    let mut files = files.filter(|(limit, _)| *limit == Rlimit::OpenFiles);
    let has_room = files.all(|&(_, count)| count >= DESCRIPTORS);
    let is_its_own = match request.readiness {
        Readiness::Inherited => false,
        Readiness::Observed => true,
        Readiness::Probed => matches!(request.endpoint, crate::driver::Endpoint::Unix(_)),
    };
    request.runtime.is_none() && has_room && !is_its_own
}
