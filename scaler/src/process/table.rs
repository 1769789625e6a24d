//! The instances that this gateway knows, each with what it waits for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stoker_core::{InstanceId, StartFailure};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::frost::Frost;
use super::place::Place;
use crate::driver::{Endpoint, Observed, StartEnd, StartKind};
use crate::spawner::protocol::{self, Ending, StartTimes};

/// Behind one lock that is held for a few instructions.
#[derive(Debug, Default)]
pub(super) struct Table {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<InstanceId, Entry>,
    /// Those that were begun, oldest first, among others that are no longer so.
    begun: VecDeque<InstanceId>,
    list: Option<List>,
}

/// A list under way.
#[derive(Debug)]
struct List {
    found: Vec<Observed>,
    answer: oneshot::Sender<Vec<Observed>>,
}

/// One instance.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) function: Arc<str>,
    /// It takes requests there as soon as it is executed.
    pub(super) inherited: Option<Endpoint>,
    pub(super) phase: Phase,
    /// Somebody asked it to end.
    pub(super) stopping: bool,
    /// The verdict of this gateway, which replaces "was killed by SIGKILL".
    pub(super) verdict: Option<StartFailure>,
    /// Watches whether it accepts.
    pub(super) watch: Option<AbortHandle>,
    pub(super) place: Place,
    /// Its output is read here.
    pub(super) read: bool,
    pub(super) frost: Frost,
}

/// Who is told about it.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its start, of which a handful of messages come.
    Starting(mpsc::UnboundedSender<Report>),
    /// Whoever began its start. Requests may be on their way to it.
    Begun(Box<Begun>),
    /// Whoever waits for exits.
    Running,
    /// Whoever waits for exits. Another gateway starts it and will hand it over.
    Expected,
    /// Nobody: its start was given up.
    Abandoned,
}

/// A start that nobody waits for.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) end: StartEnd,
    pub(super) endpoint: Endpoint,
    pub(super) called: Instant,
    pub(super) sent: Instant,
    pub(super) timeout: Duration,
}

/// What a start hears.
#[derive(Debug)]
pub(super) enum Report {
    /// The program was executed.
    Started {
        /// Its process.
        pid: u32,
        /// Its calls of `listen` are reported.
        observed: bool,
        /// When what happened.
        times: StartTimes,
        /// How it came to be.
        kind: StartKind,
    },
    /// It listens, but not where it should.
    Elsewhere(protocol::Place),
    /// It takes requests there and counts as running; the last report.
    Ready(Endpoint),
    /// It never ran; the last report.
    Failed(StartFailure),
    /// It is gone; the last report.
    Exited {
        /// How.
        ending: Ending,
        /// Somebody had asked for it.
        stopped: bool,
    },
}

impl Table {
    /// A new one that starts; false if the id is known.
    pub(super) fn insert(&self, id: InstanceId, entry: Entry) -> bool {
        let mut state = self.lock();
        if state.entries.contains_key(&id) {
            return false;
        }
        state.entries.insert(id, entry);
        true
    }

    /// A new one whose start is begun; given back if the id is known.
    pub(super) fn insert_begun(&self, id: InstanceId, entry: Entry) -> Option<Entry> {
        let mut state = self.lock();
        if state.entries.contains_key(&id) {
            return Some(entry);
        }
        state.entries.insert(id, entry);
        state.begun.push_back(id);
        None
    }

    /// Its start has come to its end: it counts as running from now on.
    pub(super) fn end_begun(&self, id: InstanceId) -> Option<Box<Begun>> {
        let mut state = self.lock();
        let entry = state.entries.get_mut(&id)?;
        if !matches!(entry.phase, Phase::Begun(_)) {
            return None;
        }
        match std::mem::replace(&mut entry.phase, Phase::Running) {
            Phase::Begun(begun) => Some(begun),
            _ => None,
        }
    }

    /// Takes out the oldest one whose start was begun, if the spawner has not said anything of it
    /// within its time.
    pub(super) fn remove_overdue(&self, now: Instant) -> Option<(InstanceId, Entry)> {
        let mut state = self.lock();
        while let Some(&id) = state.begun.front() {
            let phase = state.entries.get(&id).map(|entry| &entry.phase);
            if let Some(Phase::Begun(begun)) = phase {
                let overdue = now.saturating_duration_since(begun.called) > begun.timeout;
                let entry = overdue.then(|| state.entries.remove(&id)).flatten()?;
                return Some((id, entry));
            }
            state.begun.pop_front();
        }
        None
    }

    /// Takes it out.
    pub(super) fn remove(&self, id: InstanceId) -> Option<Entry> {
        self.lock().entries.remove(&id)
    }

    /// All of them.
    pub(super) fn remove_all(&self) -> Vec<(InstanceId, Entry)> {
        self.lock().entries.drain().collect()
    }

    /// Puts an instance in that another gateway hands over; false if it is known, unless it was
    /// expected.
    pub(super) fn receive(&self, id: InstanceId, entry: Entry) -> bool {
        let mut state = self.lock();
        let known = state.entries.get(&id);
        if known.is_some_and(|known| !matches!(known.phase, Phase::Expected)) {
            return false;
        }
        let (stopping, read) = known.map_or((false, false), |known| (known.stopping, known.read));
        let entry = Entry {
            stopping,
            read,
            ..entry
        };
        state.entries.insert(id, entry);
        true
    }

    /// Whether another gateway starts it.
    pub(super) fn is_expected(&self, id: InstanceId) -> bool {
        self.lock()
            .entries
            .get(&id)
            .is_some_and(|entry| matches!(entry.phase, Phase::Expected))
    }

    /// Whether it runs and is this gateway's.
    pub(super) fn is_running(&self, id: InstanceId) -> bool {
        self.lock()
            .entries
            .get(&id)
            .is_some_and(|entry| matches!(entry.phase, Phase::Running))
    }

    /// Whether its output is to be read here, which is so once.
    pub(super) fn begin_reading(&self, id: InstanceId) -> bool {
        match self.lock().entries.get_mut(&id) {
            Some(entry) => !std::mem::replace(&mut entry.read, true),
            // Another gateway's.
            None => true,
        }
    }

    /// Takes out, for another gateway, what runs or ends; what is still being started stays.
    pub(super) fn hand_over(&self, ids: &[InstanceId]) {
        let mut state = self.lock();
        for id in ids {
            let starting = state
                .entries
                .get(id)
                .is_some_and(|entry| matches!(entry.phase, Phase::Starting(_) | Phase::Begun(_)));
            if let Some(entry) = (!starting).then(|| state.entries.remove(id)).flatten() {
                entry.leave();
            }
        }
    }

    /// Does something about how it is frozen, if it is known.
    pub(super) fn with_frost<T>(
        &self,
        id: InstanceId,
        act: impl FnOnce(&mut Frost) -> T,
    ) -> Option<T> {
        self.lock()
            .entries
            .get_mut(&id)
            .map(|entry| act(&mut entry.frost))
    }

    /// Its function's name, and the endpoint that it inherited.
    pub(super) fn describe(&self, id: InstanceId) -> Option<(Arc<str>, Option<Endpoint>)> {
        let state = self.lock();
        let entry = state.entries.get(&id)?;
        Some((entry.function.clone(), entry.inherited.clone()))
    }

    /// Tells its start, if it is starting.
    pub(super) fn report(&self, id: InstanceId, report: Report) {
        if let Some(entry) = self.lock().entries.get(&id) {
            entry.report(report);
        }
    }

    /// It takes requests there: tells its start and counts it as running from now on, unless it was
    /// asked to end or its start was given up.
    pub(super) fn promote(&self, id: InstanceId, endpoint: Endpoint) -> bool {
        let mut state = self.lock();
        let entry = state.entries.get_mut(&id).filter(|entry| !entry.stopping);
        let Some(entry) = entry.filter(|entry| matches!(entry.phase, Phase::Starting(_))) else {
            return false;
        };
        entry.report(Report::Ready(endpoint));
        entry.phase = Phase::Running;
        true
    }

    /// Whether it is known.
    pub(super) fn knows(&self, id: InstanceId) -> bool {
        self.lock().entries.contains_key(&id)
    }

    /// It was asked to end; false if it is unknown.
    pub(super) fn note_stop(&self, id: InstanceId) -> bool {
        self.lock()
            .entries
            .get_mut(&id)
            .map(|entry| entry.stopping = true)
            .is_some()
    }

    /// Whether it was asked to end.
    pub(super) fn is_stopping(&self, id: InstanceId) -> bool {
        self.lock()
            .entries
            .get(&id)
            .is_some_and(|entry| entry.stopping)
    }

    /// Nobody waits for its start any more; false if it is gone.
    pub(super) fn abandon(&self, id: InstanceId) -> bool {
        let mut state = self.lock();
        let entry = state.entries.get_mut(&id);
        entry.map(|entry| entry.phase = Phase::Abandoned).is_some()
    }

    /// Keeps the watcher with the instance, so that it ends with it.
    pub(super) fn set_watch(&self, id: InstanceId, watch: AbortHandle) {
        match self.lock().entries.get_mut(&id) {
            Some(entry) => entry.watch = Some(watch),
            None => watch.abort(),
        }
    }

    /// Why it is about to be killed.
    pub(super) fn set_verdict(&self, id: InstanceId, verdict: StartFailure) {
        if let Some(entry) = self.lock().entries.get_mut(&id) {
            entry.verdict = Some(verdict);
        }
    }

    /// A list begins; the answer comes when it ends.
    pub(super) fn begin_list(&self) -> oneshot::Receiver<Vec<Observed>> {
        let (answer, receiver) = oneshot::channel();
        self.lock().list = Some(List {
            found: Vec::new(),
            answer,
        });
        receiver
    }

    /// One more instance of the list; given back if none is under way.
    pub(super) fn add_listed(&self, observed: Observed) -> Option<Observed> {
        match &mut self.lock().list {
            Some(list) => list.found.push(observed),
            None => return Some(observed),
        }
        None
    }

    /// The list is complete.
    pub(super) fn end_list(&self) {
        let list = self.lock().list.take();
        if let Some(list) = list {
            // Nobody may wait any more.
            list.answer.send(list.found).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is a single step, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Tells its start, if it is starting.
    fn report(&self, report: Report) {
        if let Phase::Starting(start) = &self.phase {
            // A start that no longer listens was given up.
            start.send(report).ok();
        }
    }

    /// The instance is another gateway's: its place stays.
    pub(super) fn leave(self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }

    /// The instance is gone: gives back what it had, and says who is to be told, and the verdict.
    pub(super) fn finish(self) -> (Phase, Option<StartFailure>) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        self.place.clear();
        (self.phase, self.verdict)
    }
}
