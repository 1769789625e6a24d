//! What is kept ready for one key: a parent, spares, and the starts that wait for one.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::{Desk, Key, News, Site, Waiting, words};
use crate::driver::{Language, Prepared, RuntimeLaunch, StartKind};
use crate::spawner::cgroup::Cgroup;
use crate::spawner::clone::Identity;
use crate::spawner::protocol::{Ending, Event, Fault, Program, StartRequest};

/// The pause before the first attempt after a failed one; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Failures of one kind.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// Nothing is kept ready before; a start that is asked for is tried all the same.
    pub(super) retry_at: Option<Instant>,
    /// The last one, in words.
    pub(super) words: Option<String>,
}

/// What is kept ready for one key.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) key: Key,
    pub(super) number: u64,
    /// Of the parent or of a cell, before the runner is added.
    pub(super) program: Program,
    /// Of the parent; a cell gets another with each assignment.
    pub(super) runtime: RuntimeLaunch,
    pub(super) wants: HashMap<(Arc<str>, Arc<str>), Want>,
    pub(super) parent: Option<Parent>,
    /// Whom the parent runs as, if not as this process.
    pub(super) identity: Option<Identity>,
    /// Oldest first.
    pub(super) spares: VecDeque<Spare>,
    /// On their way.
    pub(super) coming: Vec<Spare>,
    /// Oldest first.
    pub(super) waiting: VecDeque<Waiting>,
    /// Nothing is made ahead before, so that an instance that has just begun has the machine.
    pub(super) refill_at: Option<Instant>,
    pub(super) failures: Failures,
    pub(super) told: Option<Prepared>,
}

/// What a gateway wants kept for a revision.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) spares: u32,
    /// The link of the gateway.
    pub(super) owner: Option<u32>,
    /// Without one: until then.
    pub(super) until: Option<Instant>,
}

/// The process that forks; a worker with the same id.
#[derive(Debug)]
pub(super) struct Parent {
    /// Also the token of its socket.
    pub(super) id: u64,
    pub(super) pid: Pid,
    pub(super) control: OwnedFd,
    pub(super) since: Instant,
    pub(super) loaded: bool,
    /// It is to end by itself, for this reason.
    pub(super) failed: Option<String>,
    /// It is killed then.
    pub(super) kill_at: Option<Instant>,
}

/// A process that waits to become an instance, or is about to.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) token: u64,
    /// Of a fork it is known when it speaks.
    pub(super) pid: Option<Pid>,
    pub(super) control: OwnedFd,
    /// Of a cell.
    pub(super) pipes: Option<[OwnedFd; 2]>,
    /// Of a fork it is the one that it is to be in, until it speaks.
    pub(super) cgroup: Option<Cgroup>,
    pub(super) since: Instant,
    /// It was told already what it is to become.
    pub(super) assigned: Option<Assigned>,
    /// It is killed as soon as it is known.
    pub(super) cancelled: bool,
}

/// A start whose process is being forked.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) from: u32,
    pub(super) request: Box<StartRequest>,
    pub(super) pipes: [OwnedFd; 2],
}

impl Failures {
    /// One more; `words` say what happened.
    pub(super) fn note(&mut self, words: String, now: Instant) {
        let doublings = self.count.min(16);
        let pause = FIRST_PAUSE
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE);
        self.count = self.count.saturating_add(1);
        self.retry_at = Some(now + pause);
        self.words = Some(words);
    }
}

impl Pool {
    /// An empty one.
    pub(super) fn new(key: Key, number: u64, program: Program, runtime: &RuntimeLaunch) -> Pool {
        Pool {
            key,
            number,
            program,
            runtime: runtime.clone(),
            wants: HashMap::new(),
            parent: None,
            identity: None,
            spares: VecDeque::new(),
            coming: Vec::new(),
            waiting: VecDeque::new(),
            refill_at: None,
            failures: Failures::default(),
            told: None,
        }
    }

    /// Somebody wants something of it.
    pub(super) fn is_needed(&self) -> bool {
        !self.wants.is_empty()
            || !self.waiting.is_empty()
            || self.coming.iter().any(|it| it.assigned.is_some())
    }

    /// What a process of it becomes.
    pub(super) fn kind(&self, waited: bool) -> StartKind {
        match (self.runtime.language, waited) {
            (Language::Node, _) => StartKind::Cell,
            (Language::Python, true) => StartKind::Spare,
            (Language::Python, false) => StartKind::Fork,
        }
    }

    /// Ends a start that has no process yet; whose it was.
    pub(super) fn cancel(&mut self, id: u64) -> Option<u32> {
        let place = self.waiting.iter().position(|it| it.request.id == id);
        if let Some(waiting) = place.and_then(|place| self.waiting.remove(place)) {
            return Some(waiting.from);
        }
        let is_its = |it: &&mut Spare| it.assigned.as_ref().is_some_and(|it| it.request.id == id);
        let spare = self.coming.iter_mut().find(is_its)?;
        spare.cancelled = true;
        spare.assigned.take().map(|assigned| assigned.from)
    }

    /// A gateway is gone.
    pub(super) fn lose(&mut self, link: u32, until: Instant) {
        self.waiting.retain(|waiting| waiting.from != link);
        for spare in &mut self.coming {
            if spare.assigned.as_ref().is_some_and(|it| it.from == link) {
                spare.assigned = None;
                spare.cancelled = true;
            }
        }
        for want in self.wants.values_mut() {
            if want.owner == Some(link) {
                want.owner = None;
                want.until = Some(until);
            }
        }
    }

    /// Forgets what no gateway came for.
    pub(super) fn drop_unclaimed(&mut self, now: Instant) {
        self.wants
            .retain(|_, want| want.until.is_none_or(|until| now < until));
    }

    /// A process of it has ended and was reaped.
    pub(super) fn note_end(
        &mut self,
        (pid, ending): (i32, Ending),
        desk: &mut Desk,
        site: &mut Site<'_>,
    ) {
        let is_its = |other: Pid| other.as_raw_nonzero().get() == pid;
        if self
            .parent
            .as_ref()
            .is_some_and(|parent| is_its(parent.pid))
        {
            return self.parent_ended(ending, desk, site);
        }
        let has_it = |spare: &Spare| spare.pid.is_some_and(is_its);
        if let Some(place) = self.spares.iter().position(has_it) {
            if let Some(spare) = self.spares.remove(place) {
                desk.tokens.remove(&spare.token);
                if let Some(cgroup) = spare.cgroup {
                    site.workers.give_back(cgroup);
                }
            }
        } else if let Some(place) = self.coming.iter().position(has_it) {
            let spare = self.coming.remove(place);
            desk.tokens.remove(&spare.token);
            if let Some(cgroup) = spare.cgroup {
                site.workers.give_back(cgroup);
            }
            let lines = spare.pipes.map(|[_, stderr]| words::last_lines(&stderr));
            let how = words::ended(ending, "", &lines.unwrap_or_default());
            self.failures
                .note(format!("the interpreter {how}"), site.now);
            self.fail_one(&Fault::exited(format!("its interpreter {how}")), desk);
        }
    }

    /// Tells the start that has waited longest that nothing comes of it.
    pub(super) fn fail_one(&mut self, fault: &Fault, desk: &mut Desk) {
        if let Some(waiting) = self.waiting.pop_front() {
            self.fail(waiting, fault, desk);
        }
    }

    /// The same for all.
    pub(super) fn fail_all(&mut self, fault: &Fault, desk: &mut Desk) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.fail(waiting, fault, desk);
        }
    }

    /// The same for those whose process is being forked.
    pub(super) fn fail_assigned(&mut self, fault: &Fault, desk: &mut Desk) {
        for spare in &mut self.coming {
            if let Some(Assigned { from, request, .. }) = spare.assigned.take() {
                spare.cancelled = true;
                let (id, fault) = (request.id, fault.clone());
                desk.news
                    .push(News::Tell(from, Event::StartFailed { id, fault }));
            }
        }
    }

    /// Nothing comes of this start, unless it may be made in the plain way.
    fn fail(&mut self, waiting: Waiting, fault: &Fault, desk: &mut Desk) {
        let Waiting {
            from,
            request,
            listener,
        } = waiting;
        let falls_back = request.runtime.as_ref().is_some_and(|it| it.fallback);
        if falls_back && !fault.transient {
            return desk.news.push(News::Execute(from, request, listener));
        }
        let event = Event::StartFailed {
            id: request.id,
            fault: fault.clone(),
        };
        desk.news.push(News::Tell(from, event));
    }

    /// Ends all that waits for nobody; starts were answered before.
    pub(super) fn close(&mut self, desk: &mut Desk, site: &mut Site<'_>) {
        for spare in self.spares.drain(..).chain(self.coming.drain(..)) {
            spare.kill(desk, site);
        }
        if let Some(parent) = self.parent.take() {
            desk.tokens.remove(&parent.id);
            // It has no work of its own to finish.
            site.workers.signal(parent.id, Signal::KILL);
        }
    }
}

impl Spare {
    /// Ends it, or as soon as its process is known.
    pub(super) fn kill(mut self, desk: &mut Desk, site: &mut Site<'_>) {
        desk.tokens.remove(&self.token);
        match self.pid {
            Some(pid) => {
                if let Some(cgroup) = self.cgroup {
                    let raw = pid.as_raw_nonzero().get();
                    site.workers.condemned.insert(raw, cgroup);
                }
                kill(pid);
            }
            None => {
                self.leave_group(site);
                desk.condemned.insert(self.token, self.control);
            }
        }
    }

    /// Nothing becomes of it; whatever is in its control group ends.
    pub(super) fn leave_group(&mut self, site: &mut Site<'_>) {
        if let Some(cgroup) = self.cgroup.take() {
            site.workers.give_back(cgroup);
        }
    }
}

/// Kills a child of this process that is not reaped yet, and its group.
pub(super) fn kill(pid: Pid) {
    // It may not have made its group yet.
    rustix::process::kill_process_group(pid, Signal::KILL).ok();
    rustix::process::kill_process(pid, Signal::KILL).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let now = Instant::now();
        let mut failures = Failures::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            failures.note(String::new(), now);
            pauses.extend(failures.retry_at.map(|at| at - now));
        }
        assert_eq!(pauses[..3], [100, 200, 400].map(Duration::from_millis));
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
    }
}
