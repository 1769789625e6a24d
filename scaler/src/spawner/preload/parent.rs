//! The parent of a pool: loaded once, forks again and again.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::process::Signal;

use super::channel::{self, Message, Received};
use super::pool::{Assigned, Parent, Pool, Spare};
use super::supply::no_socket;
use super::{Desk, Key, News, Site, Waiting, words};
use crate::driver::{Language, Resources};
use crate::spawner::protocol::{Ending, Fault};
use crate::spawner::runners::Mode;
use crate::spawner::worker::{self, Role};

/// A handler must be loaded within this time. Starts that wait have a patience of their own.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// A parent that said why it ends must have ended after this time.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// One that was well for so long has not failed, whatever ends it.
const PROVEN: Duration = Duration::from_secs(30);

impl Pool {
    /// Launches the parent. The starts that wait fail if that cannot be done.
    pub(super) fn launch_parent(&mut self, desk: &mut Desk, site: &mut Site<'_>) {
        match self.try_launch(desk, site) {
            Ok(parent) => self.parent = Some(parent),
            Err(fault) => {
                self.failures.note(fault.detail.clone(), site.now);
                self.fail_all(&fault, desk);
            }
        }
    }

    fn try_launch(&mut self, desk: &mut Desk, site: &mut Site<'_>) -> Result<Parent, Fault> {
        let mut program = desk.program(&self.program, &self.runtime, Mode::Parent)?;
        let (control, theirs) =
            channel::pair(Language::Python).map_err(|error| no_socket(&error))?;
        let name = self.wants.keys().next().cloned().or_else(|| {
            let waiting = self.waiting.front()?;
            let request = &waiting.request;
            Some((request.function.clone(), request.revision.clone()))
        });
        let name = name.unwrap_or_default();
        // Its forks are in its group until they speak: neither their number nor their time is to be
        // that of one instance.
        // Its forks would end with a group that they share, so without limits it has none.
        let limited = program.resources != Resources::default();
        program.resources = Resources {
            memory_bytes: program.resources.memory_bytes,
            ..Resources::default()
        };
        let executed = site
            .workers
            .execute((&program, &name.0), theirs.as_fd(), limited)?;
        let id = desk.register(&self.key, &control, site.epoll);
        let raw = executed.pid.as_raw_nonzero().get();
        desk.processes.insert(raw, self.key.clone());
        self.identity = executed.identity.clone();
        let pid = executed.pid;
        site.workers.add_parent(id, name, executed);
        Ok(Parent {
            id,
            pid,
            control,
            since: site.now,
            loaded: false,
            failed: None,
            kill_at: None,
        })
    }

    /// The parent said something; true if this was about the parent at all.
    pub(super) fn attend_parent(
        &mut self,
        token: u64,
        desk: &mut Desk,
        site: &mut Site<'_>,
    ) -> bool {
        let Some(parent) = self.parent.as_mut().filter(|it| it.id == token) else {
            return false;
        };
        match channel::receive(&parent.control) {
            Received::Message(Message::Ready, _) => {
                parent.loaded = true;
                self.failures.words = None;
                site.workers.set_loaded(token);
            }
            Received::Message(Message::Failed { detail }, _) => {
                parent.failed = Some(words::sentence(&detail));
                parent.kill_at = Some(site.now + LAST_WORDS);
            }
            Received::Message(Message::ForkFailed { number, detail }, _) => {
                let detail = words::sentence(&detail);
                self.fork_failed(number, detail, desk, site);
            }
            Received::Message(Message::Spare, _) | Received::Other | Received::Nothing => {}
            Received::Gone => {
                // Its end is news of its own; one that lives on cannot be spoken to any more.
                desk.tokens.remove(&token);
                epoll::delete(site.epoll, &parent.control).ok();
                parent.kill_at.get_or_insert(site.now + LAST_WORDS);
            }
        }
        true
    }

    /// The parent has ended. Its spares stay, and so do the forks that are on their way.
    pub(super) fn parent_ended(&mut self, ending: Ending, desk: &mut Desk, site: &mut Site<'_>) {
        let Some(parent) = self.parent.take() else {
            return;
        };
        desk.tokens.remove(&parent.id);
        let handler = &self.runtime.handler;
        let ending = site
            .workers
            .table
            .get(&parent.id)
            .map_or(ending, |it| it.verdict(ending));
        let words = match parent.failed {
            Some(detail) => detail,
            None => {
                let lines = site
                    .workers
                    .table
                    .get(&parent.id)
                    .map_or_else(String::new, |it| words::last_lines(&it.pipes[1]));
                let when = if parent.loaded {
                    ""
                } else {
                    " while it was loaded"
                };
                let how = words::ended(ending, when, &lines);
                format!("the parent of {handler} {how}")
            }
        };
        desk.news.push(News::Read(parent.id));
        if parent.loaded && site.now >= parent.since + PROVEN {
            self.failures.count = 0;
        }
        self.failures.note(words.clone(), site.now);
        self.fail_all(&Fault::exited(words), desk);
    }

    /// Kills a parent that takes too long to load or to end.
    pub(super) fn look_after_parent(&mut self, site: &mut Site<'_>) {
        let Some(parent) = &mut self.parent else {
            return;
        };
        if !parent.loaded && parent.kill_at.is_none() && site.now >= parent.since + PATIENCE {
            let handler = &self.runtime.handler;
            parent.failed = Some(format!("{handler} was not loaded within {PATIENCE:?}"));
            parent.kill_at = Some(site.now);
        }
        if parent.kill_at.is_some_and(|at| site.now >= at) {
            site.workers.signal(parent.id, Signal::KILL);
            // Its end is on its way.
            parent.kill_at = Some(site.now + LAST_WORDS);
        }
    }

    /// Asks for one more process. For a start that waits the assignment is sent ahead, so that the
    /// process finds it when it looks.
    pub(super) fn fork(&mut self, waiting: Option<Waiting>, desk: &mut Desk, site: &mut Site<'_>) {
        let Ok((control, theirs)) = channel::pair(Language::Python) else {
            if let Some(waiting) = waiting {
                self.waiting.push_back(waiting);
                let fault = no_socket(&std::io::Error::last_os_error());
                self.fail_one(&fault, desk);
            }
            return;
        };
        let assigned = match waiting.map(|waiting| self.assign_ahead(waiting, &control)) {
            None => None,
            Some(Ok(assigned)) => Some(assigned),
            Some(Err(failed)) => {
                let (from, id, fault) = *failed;
                return desk.refuse(from, id, fault);
            }
        };
        let (cgroup, entry) = site.workers.group_of_fork(&self.program.resources).unzip();
        let token = desk.register(&self.key, &control, site.epoll);
        let spare = Spare {
            token,
            pid: None,
            control,
            pipes: None,
            cgroup,
            since: site.now,
            assigned,
            cancelled: false,
        };
        self.coming.push(spare);
        let Some(parent) = &self.parent else { return };
        let with = (theirs, entry.unwrap_or_default());
        if channel::fork(&parent.control, token, with).is_err() {
            // It is about to end, or stuck: the socket's other end is closed by now, which is
            // noticed.
        }
    }

    /// The parent could not fork for this one.
    fn fork_failed(&mut self, number: u64, detail: String, desk: &mut Desk, site: &mut Site<'_>) {
        let Some(place) = self.coming.iter().position(|it| it.token == number) else {
            return;
        };
        let mut spare = self.coming.remove(place);
        self.failures.note(detail.clone(), site.now);
        self.give_up(&mut spare, &Fault::transient(detail), desk);
        desk.tokens.remove(&spare.token);
        spare.leave_group(site);
    }

    /// Nothing comes of a process that was to be.
    pub(super) fn give_up(&mut self, spare: &mut Spare, fault: &Fault, desk: &mut Desk) {
        match spare.assigned.take() {
            Some(Assigned { from, request, .. }) => desk.refuse(from, request.id, fault.clone()),
            None if self.runtime.language == Language::Node => self.fail_one(fault, desk),
            None => {}
        }
    }
}

impl Desk {
    /// Watches a control socket; its token.
    pub(super) fn register(&mut self, key: &Key, control: &OwnedFd, epoll: &OwnedFd) -> u64 {
        let token = self.number();
        let data = EventData::new_u64(token);
        // Without memory for it the process is given up after its time.
        epoll::add(epoll, control, data, EventFlags::IN).ok();
        self.tokens.insert(token, key.clone());
        token
    }
}

impl worker::Workers {
    /// From now on whoever leads reads the output of a parent.
    pub(super) fn set_loaded(&mut self, id: u64) {
        if let Some(worker) = self.table.get_mut(&id) {
            worker.role = Role::Parent { loaded: true };
        }
    }
}
