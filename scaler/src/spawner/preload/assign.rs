//! From a process that waits to an instance.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

use super::channel::{self, Assignment, Message, Received};
use super::pool::{self, Assigned, Pool, Spare};
use super::{Desk, News, Site, Waiting};
use crate::driver::{Language, RuntimeLaunch};
use crate::spawner::pipes;
use crate::spawner::proc;
use crate::spawner::protocol::{Event, Fault, StartRequest};
use crate::spawner::worker::Workers;

/// Whose start failed, its instance, and why.
type Failed = Box<(u32, u64, Fault)>;

impl Pool {
    /// Something came on one of its sockets, or its other end is gone.
    pub(super) fn attend(&mut self, token: u64, desk: &mut Desk, site: &mut Site<'_>) {
        if self.attend_parent(token, desk, site) {
            return;
        }
        if let Some(place) = self.spares.iter().position(|it| it.token == token) {
            if channel::discard(&self.spares[place].control)
                && let Some(spare) = self.spares.remove(place)
            {
                spare.kill(desk, site);
            }
            return;
        }
        let Some(place) = self.coming.iter().position(|it| it.token == token) else {
            return;
        };
        match channel::receive(&self.coming[place].control) {
            Received::Message(Message::Spare, sender) => {
                let spare = self.coming.remove(place);
                self.arrived(spare, sender, desk, site);
            }
            // The end of a cell is news of its own.
            Received::Gone if self.coming[place].pid.is_none() => {
                let mut spare = self.coming.remove(place);
                desk.tokens.remove(&token);
                let handler = &self.runtime.handler;
                let detail =
                    format!("a process forked from the parent of {handler} ended before it served");
                self.give_up(&mut spare, &Fault::exited(detail), desk);
                spare.leave_group(site);
            }
            Received::Gone => {
                rustix::event::epoll::delete(site.epoll, &self.coming[place].control).ok();
            }
            Received::Message(..) | Received::Other | Received::Nothing => {}
        }
    }

    /// A process waits for its assignment, or was given it before.
    fn arrived(
        &mut self,
        mut spare: Spare,
        sender: Option<Pid>,
        desk: &mut Desk,
        site: &mut Site<'_>,
    ) {
        let pid = spare.pid.or_else(|| ours(sender, site.workers));
        let Some(pid) = pid else {
            desk.tokens.remove(&spare.token);
            let handler = &self.runtime.handler;
            let detail =
                format!("a process forked from the parent of {handler} is no child of the spawner");
            spare.leave_group(site);
            return self.give_up(&mut spare, &Fault::exited(detail), desk);
        };
        if spare.pid.is_none() {
            // Forked, so that it is neither known yet nor the leader of a group for certain.
            rustix::process::setpgid(Some(pid), Some(pid)).ok();
            let raw = pid.as_raw_nonzero().get();
            site.workers.watched.insert(raw);
            desk.processes.insert(raw, self.key.clone());
            spare.pid = Some(pid);
            // Before it is assigned: later it would be in the way.
            let entered = spare.cgroup.take();
            match site
                .workers
                .enclose((pid, entered), &self.program.resources)
            {
                Ok(cgroup) => spare.cgroup = cgroup,
                Err(fault) => {
                    self.give_up(&mut spare, &fault, desk);
                    self.failures.note(fault.detail, site.now);
                    return spare.kill(desk, site);
                }
            }
        } else {
            // It booted.
            self.failures = pool::Failures::default();
        }
        if spare.cancelled {
            return spare.kill(desk, site);
        }
        if let Some(assigned) = spare.assigned.take() {
            desk.forget(&spare, pid);
            let Assigned {
                from,
                request,
                pipes,
            } = assigned;
            let kind = self.kind(false);
            let (id, cgroup) = (request.id, spare.cgroup.take());
            let (event, beside) = site.workers.take_in(*request, (pid, kind), (pipes, cgroup));
            return desk.news.push(News::Started(from, id, event, beside));
        }
        match self.waiting.pop_front() {
            None => self.spares.push_back(spare),
            Some(waiting) => {
                if let Err(waiting) = self.assign(spare, (waiting, false), desk, site) {
                    self.waiting.push_front(waiting);
                }
            }
        }
    }

    /// Makes it the instance; the start is given back if the process takes no assignment.
    pub(super) fn assign(
        &mut self,
        mut spare: Spare,
        (waiting, waited): (Waiting, bool),
        desk: &mut Desk,
        site: &mut Site<'_>,
    ) -> Result<(), Waiting> {
        let (Some(pid), Some(runtime)) = (spare.pid, waiting.request.runtime.clone()) else {
            return Err(waiting);
        };
        let pipes = match (spare.pipes.take(), self.runtime.language) {
            (Some(pipes), _) => Ok((pipes, Vec::new())),
            (None, _) => self.pipes(),
        };
        let sent = pipes.and_then(|(pipes, ends)| {
            let listener = waiting.listener.try_clone().map_err(|error| {
                Fault::transient(format!("cannot duplicate a socket: {}", error.kind()))
            })?;
            let descriptors = std::iter::once(listener).chain(ends).collect();
            let assignment = self.assignment(&waiting.request, &runtime);
            channel::assign(&spare.control, assignment, descriptors)
                .map_err(|error| Fault::transient(error.to_string()))?;
            Ok(pipes)
        });
        let Ok(pipes) = sent else {
            spare.kill(desk, site);
            return Err(waiting);
        };
        desk.forget(&spare, pid);
        if self.runtime.language == Language::Node {
            // It answers and closes its end itself; ours must not go before.
            desk.leaving.insert(spare.token, spare.control);
        }
        let Waiting { from, request, .. } = waiting;
        let (id, kind) = (request.id, self.kind(waited));
        let cgroup = spare.cgroup.take();
        let (event, beside) = site.workers.take_in(*request, (pid, kind), (pipes, cgroup));
        desk.news.push(News::Started(from, id, event, beside));
        Ok(())
    }

    /// Sends an assignment into the socket that a process will have.
    pub(super) fn assign_ahead(
        &self,
        waiting: Waiting,
        control: &OwnedFd,
    ) -> Result<Assigned, Failed> {
        let Waiting {
            from,
            request,
            listener,
        } = waiting;
        let prepared = self.pipes().and_then(|(pipes, ends)| {
            let descriptors = std::iter::once(listener).chain(ends).collect();
            let runtime = request.runtime.as_ref().unwrap_or(&self.runtime);
            let assignment = self.assignment(&request, runtime);
            channel::assign(control, assignment, descriptors).map_err(|error| {
                Fault::transient(format!("cannot tell a process what it becomes: {error}"))
            })?;
            Ok(pipes)
        });
        match prepared {
            Ok(pipes) => Ok(Assigned {
                from,
                request,
                pipes,
            }),
            Err(fault) => Err(Box::new((from, request.id, fault))),
        }
    }

    fn assignment<'a>(
        &'a self,
        request: &'a StartRequest,
        runtime: &'a RuntimeLaunch,
    ) -> Assignment<'a> {
        Assignment {
            environment: &request.program.environment,
            known: &self.program.environment,
            // Configurations with other paths are refused.
            directory: request.program.directory.to_str().unwrap_or("/"),
            runtime,
        }
    }

    /// The read ends of two pipes, and the other ends.
    fn pipes(&self) -> Result<([OwnedFd; 2], Vec<OwnedFd>), Fault> {
        let identity = self.identity.as_ref();
        let (stdout, stdout_end) = pipes::pipe(identity)?;
        let (stderr, stderr_end) = pipes::pipe(identity)?;
        Ok(([stdout, stderr], vec![stdout_end, stderr_end]))
    }
}

impl Desk {
    /// It is an instance now.
    fn forget(&mut self, spare: &Spare, pid: Pid) {
        self.tokens.remove(&spare.token);
        self.processes.remove(&pid.as_raw_nonzero().get());
    }

    /// Tells that a start failed.
    pub(super) fn refuse(&mut self, from: u32, id: u64, fault: Fault) {
        let event = Event::StartFailed { id, fault };
        self.news.push(News::Tell(from, event));
    }
}

/// Kills a process that was given up before it was known; true if its socket is of no more use.
pub(super) fn execute_sentence(socket: &OwnedFd, workers: &Workers) -> bool {
    match channel::receive(socket) {
        Received::Message(Message::Spare, sender) => {
            if let Some(pid) = ours(sender, workers) {
                pool::kill(pid);
            }
            true
        }
        Received::Gone => true,
        Received::Message(..) | Received::Other | Received::Nothing => false,
    }
}

/// The sender, if it is a child of this process that is nothing else yet.
fn ours(sender: Option<Pid>, workers: &Workers) -> Option<Pid> {
    let raw = sender?.as_raw_nonzero().get();
    let me = rustix::process::getpid().as_raw_nonzero().get();
    let known = workers.leaders.contains_key(&raw) || workers.watched.contains(&raw);
    (!known && proc::parent(raw) == Some(me)).then_some(sender?)
}
