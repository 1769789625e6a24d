//! Workers that are made of processes that were there before: their parents, and they themselves.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::Pid;
use stoker_core::InstanceId;

use super::{Role, Worker, Workers};
use crate::clock::monotonic_nanos;
use crate::driver::{Endpoint, Resources, StartKind};
use crate::spawner::cgroup::{Cgroup, Entry};
use crate::spawner::clone::{Identity, Streams};
use crate::spawner::explain::explain;
use crate::spawner::pipes::pipe;
use crate::spawner::prepare;
use crate::spawner::protocol::{Event, Fault, Program, Readiness, StartRequest, StartTimes};

/// What was executed to make instances from.
#[derive(Debug)]
pub(in crate::spawner) struct Executed {
    pub(in crate::spawner) pid: Pid,
    /// Read ends of output and error output.
    pub(in crate::spawner) pipes: [OwnedFd; 2],
    /// Whom it runs as, if not as this process.
    pub(in crate::spawner) identity: Option<Identity>,
    /// Its control group, if there are any.
    pub(in crate::spawner) cgroup: Option<Cgroup>,
}

impl Workers {
    /// Executes what instances are made from later, with a socket to it as descriptor 3. Its end is
    /// noted in [`Workers::ended`].
    pub(in crate::spawner) fn execute(
        &mut self,
        (program, name): (&Program, &str),
        channel: BorrowedFd<'_>,
        grouped: bool,
    ) -> Result<Executed, Fault> {
        let mut prepared = prepare::prepare(program, Readiness::Inherited, name)?;
        if let Some(confinement) = &mut prepared.confinement {
            self.networks.supply(confinement);
        }
        let (stdout, stdout_end) = pipe(prepared.identity.as_ref())?;
        let (stderr, stderr_end) = pipe(prepared.identity.as_ref())?;
        let streams = Streams {
            stdout: stdout_end.as_fd(),
            stderr: stderr_end.as_fd(),
            listener: Some(channel),
        };
        let (cloned, cgroup) = match grouped {
            true => self.run(program, &prepared, &streams)?,
            false => match self.cloner.run(&prepared, &streams, None) {
                Ok(cloned) => (cloned, None),
                Err(error) => return Err(explain(error, program, &prepared)),
            },
        };
        self.watched.insert(cloned.pid);
        Ok(Executed {
            pid: Pid::from_raw(cloned.pid).expect("a cloned child has a pid"),
            pipes: [stdout, stderr],
            identity: prepared.identity,
            cgroup,
        })
    }

    /// A control group for a process that is to be forked, if there are any, and how to enter it. It
    /// is not given to another instance later, since the parent is not trusted with it.
    pub(in crate::spawner) fn group_of_fork(
        &mut self,
        resources: &Resources,
    ) -> Option<(Cgroup, Entry)> {
        // What it lacks is told when the process is there.
        let (mut cgroup, entry) = self.cgroups.take(resources).ok().flatten()?;
        cgroup.hand_out();
        Some((cgroup, entry))
    }

    /// The control group of a process that was forked: the one that it was told to enter, or, if it
    /// is not there and must have limits, another one that it is moved into. Without limits that is
    /// not worth it: the kernel takes tens of milliseconds to move a process, in which nothing else
    /// is started.
    ///
    /// # Errors
    /// If it cannot have the limits that it must have.
    pub(in crate::spawner) fn enclose(
        &mut self,
        (pid, entered): (Pid, Option<Cgroup>),
        resources: &Resources,
    ) -> Result<Option<Cgroup>, Fault> {
        if let Some(cgroup) = entered {
            if cgroup.holds(pid) {
                return Ok(Some(cgroup));
            }
            self.give_back(cgroup);
        }
        if *resources == Resources::default() {
            return Ok(None);
        }
        let Some((cgroup, _)) = self.cgroups.take(resources)? else {
            return Ok(None);
        };
        match cgroup.attach(pid) {
            Ok(()) => Ok(Some(cgroup)),
            Err(error) => {
                self.cgroups.give_back(cgroup);
                Err(Fault::transient(format!(
                    "cannot move a process into its control group: {}",
                    error.kind()
                )))
            }
        }
    }

    /// Ends whatever is left in a group, which may be used again.
    pub(in crate::spawner) fn give_back(&mut self, mut cgroup: Cgroup) {
        if !cgroup.is_empty() {
            cgroup.kill();
        }
        self.cgroups.give_back(cgroup);
    }

    /// Takes a process in that forks instances.
    pub(in crate::spawner) fn add_parent(
        &mut self,
        id: u64,
        (function, revision): (Arc<str>, Arc<str>),
        executed: Executed,
    ) {
        let Executed {
            pid, pipes, cgroup, ..
        } = executed;
        self.leaders.insert(pid.as_raw_nonzero().get(), id);
        let worker = Worker {
            pid,
            name: InstanceId::from_raw(id).to_string(),
            function,
            revision,
            endpoint: Endpoint::Unix(PathBuf::new()),
            ready: false,
            owner: None,
            reader: None,
            pipes,
            observer: None,
            reports: 0,
            cgroup,
            ending: None,
            spent: None,
            role: Role::Parent { loaded: false },
        };
        self.table.insert(id, worker);
    }

    /// Makes an instance of a process that was prepared and has got its listener and the other ends
    /// of these pipes; the news of it, with the pipes beside it.
    pub(in crate::spawner) fn take_in(
        &mut self,
        request: StartRequest,
        (pid, kind): (Pid, StartKind),
        (pipes, cgroup): ([OwnedFd; 2], Option<Cgroup>),
    ) -> (Event, Vec<OwnedFd>) {
        let raw = pid.as_raw_nonzero().get();
        self.watched.remove(&raw);
        self.leaders.insert(raw, request.id);
        let worker = Worker {
            pid,
            name: request.name,
            function: request.function,
            revision: request.revision,
            endpoint: request.endpoint,
            ready: true,
            owner: None,
            reader: None,
            pipes,
            observer: None,
            reports: 0,
            cgroup,
            ending: None,
            spent: None,
            role: Role::Instance,
        };
        let beside = worker.duplicates();
        let assigned = monotonic_nanos();
        let times = StartTimes {
            received: request.received,
            cloned: assigned,
            executed: assigned,
        };
        self.table.insert(request.id, worker);
        let started = Event::Started {
            id: request.id,
            pid: raw.unsigned_abs(),
            observed: false,
            times,
            kind,
        };
        (started, beside)
    }
}
