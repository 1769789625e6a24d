//! What led to each instance that there is, and to its end.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use stoker_core::{Decision, InstanceId, Timestamp};

use super::Ending;
use crate::StartCause;

/// So many instances that came up last are remembered for requests that were sent to them before.
const RECENT: usize = 64;

/// A decision as it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Without what the policy remembers.
    pub decision: Decision,
}

/// What led to an instance, and to its end.
#[derive(Clone, Debug)]
pub struct LifeView {
    /// Why it was started; none if it was adopted.
    pub cause: Option<StartCause>,
    /// The decision in force when it was.
    pub decision: Option<Arc<Told>>,
    /// When it was seen to run.
    pub up: Option<Timestamp>,
    /// Since when it gets no more requests, and why.
    pub ending: Option<(Timestamp, Ending)>,
}

#[derive(Debug)]
struct Life {
    /// When it was asked for or, if the gate of starts held it, when that let it begin: what there
    /// is only from then on.
    begun: Timestamp,
    view: LifeView,
    /// It gave no slot back yet.
    fresh: bool,
}

/// The instances that there are.
#[derive(Debug, Default)]
pub(super) struct Lives {
    lives: HashMap<InstanceId, Life>,
    /// The decision in force.
    told: Option<Arc<Told>>,
    /// Those that gave no slot back yet.
    fresh: usize,
    recent: VecDeque<(InstanceId, Timestamp)>,
    last_up: Timestamp,
}

impl Lives {
    pub(super) fn told(&mut self, decision: &Decision, now: Timestamp) {
        self.told = Some(Arc::new(Told {
            at: now,
            decision: Decision {
                next: Default::default(),
                ..decision.clone()
            },
        }));
    }

    /// The decision in force.
    pub(super) fn decision(&self) -> Option<&Arc<Told>> {
        self.told.as_ref()
    }

    pub(super) fn view(&self, id: InstanceId) -> Option<&LifeView> {
        self.lives.get(&id).map(|life| &life.view)
    }

    /// An instance is asked for, or (without a cause) taken over.
    pub(super) fn begin(&mut self, id: InstanceId, cause: Option<StartCause>, now: Timestamp) {
        let fresh = cause.is_some();
        let life = Life {
            begun: now,
            view: LifeView {
                cause,
                decision: self.told.clone().filter(|_| fresh),
                up: (!fresh).then_some(now),
                ending: None,
            },
            fresh,
        };
        self.fresh += usize::from(fresh);
        if let Some(former) = self.lives.insert(id, life) {
            self.fresh -= usize::from(former.fresh);
        }
    }

    /// The gate of starts let it begin, for which it had to wait.
    pub(super) fn admitted(&mut self, id: InstanceId, now: Timestamp) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.begun = now;
        }
    }

    /// It runs; when its start began and why, unless that is known already.
    pub(super) fn up(&mut self, id: InstanceId, now: Timestamp) -> Option<(Timestamp, StartCause)> {
        let life = self.lives.get_mut(&id)?;
        if life.view.up.is_some() {
            return None;
        }
        life.view.up = Some(now);
        self.last_up = self.last_up.max(now);
        self.recent.truncate(RECENT - 1);
        self.recent.push_front((id, now));
        Some((life.begun, life.view.cause.unwrap_or_default()))
    }

    /// When a request that got its slot at `granted` could be served: later, if its instance was
    /// not up by then.
    pub(super) fn served_from(&self, id: InstanceId, granted: Timestamp) -> Timestamp {
        if granted >= self.last_up {
            return granted;
        }
        let up = self.recent.iter().find(|(recent, _)| *recent == id);
        up.map_or(granted, |(_, up)| granted.max(*up))
    }

    /// True once for each instance that was started, when it gives a slot back.
    pub(super) fn is_first(&mut self, id: InstanceId) -> bool {
        if self.fresh == 0 {
            return false;
        }
        let first = self
            .lives
            .get_mut(&id)
            .is_some_and(|life| std::mem::take(&mut life.fresh));
        self.fresh -= usize::from(first);
        first
    }

    /// It gets no more requests; true if that is news.
    pub(super) fn ends(&mut self, id: InstanceId, why: Ending, now: Timestamp) -> bool {
        let Some(life) = self.lives.get_mut(&id) else {
            return false;
        };
        let news = life.view.ending.is_none();
        if news {
            life.view.ending = Some((now, why));
        }
        news
    }

    /// It gets requests again.
    pub(super) fn goes_on(&mut self, id: InstanceId) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.view.ending = None;
        }
    }

    /// It is gone; when it began, and whether its end was wished.
    pub(super) fn end(&mut self, id: InstanceId) -> Option<(Timestamp, bool)> {
        let life = self.lives.remove(&id)?;
        self.fresh -= usize::from(life.fresh);
        Some((life.begun, life.view.ending.is_some()))
    }
}
