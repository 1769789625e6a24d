//! A function whose pool is in another gateway, or about to go there.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};

use stoker_core::{
    Event, InstanceId, InstanceState, RejectCause, StartFailure, Timestamp, WaiterId,
};
use tokio::sync::oneshot;

use super::effects::Todo;
use super::{Entered, Function, State, Wait};
use crate::driver::{Observed, Started};
use crate::handover::{FunctionEstate, Granted, Heir, Inherited};
use crate::metering::{handed_over, last_stamp};
use crate::{Instance, Lease, Notice};

/// Who decides about the instances.
#[derive(Default)]
pub(super) enum Rule {
    /// The pool beside this.
    #[default]
    Here,
    /// Nobody for the moment: events are written down.
    Frozen(Vec<Event>),
    /// The pool of the heir.
    There(Arc<Heir>),
    /// A pool of an heir that is gone.
    Nowhere,
}

impl Rule {
    /// Gives the event back if it is for the pool beside this.
    pub(super) fn divert(&mut self, number: u32, event: Event) -> Option<Event> {
        match self {
            Rule::Here => return Some(event),
            Rule::Frozen(events) => events.push(event),
            Rule::There(heir) => heir.tell(number, event),
            Rule::Nowhere => {}
        }
        None
    }
}

impl<C: Send + 'static> Function<C> {
    /// Writes events down from now on; what the pool has. None if it is retired or not here.
    pub(crate) fn freeze(&self) -> Option<FunctionEstate> {
        let mut state = self.lock();
        let serves = !state.pool.view(self.shared.clock.now()).retired;
        if !serves || !matches!(state.rule, Rule::Here) {
            return None;
        }
        state.rule = Rule::Frozen(Vec::new());
        state.spans.pass(self.shared.clock.now());
        state.spans.publish(&self.meter);
        for instance in state.instances.values() {
            instance.give_frost(true);
        }
        Some(FunctionEstate {
            number: self.number,
            name: Arc::clone(&self.launch.function),
            revision: Arc::clone(&self.launch.revision),
            legacy: state.pool.legacy(),
        })
    }

    /// The pool decides again, and learns what was written down.
    pub(crate) fn thaw(&self) {
        let mut state = self.lock();
        let Rule::Frozen(events) = std::mem::take(&mut state.rule) else {
            return;
        };
        let now = self.shared.clock.now();
        // An heir that failed may have counted for a moment.
        if state.spans.has_any() {
            let stamp = last_stamp(&self.shared.ledger, &self.launch);
            state.spans.skip_until(stamp);
        }
        let mut todo = Vec::new();
        for instance in state.instances.values() {
            instance.give_frost(false);
            if instance.is_frozen() {
                // That may not have been done by then.
                todo.push(Todo::Freeze(Arc::clone(instance)));
            }
        }
        for event in events.into_iter().chain([Event::Tick]) {
            let effects = state.step(event, now, &self.meter);
            todo.extend(self.resolve(&mut state, effects));
        }
        drop(state);
        self.carry_out(todo);
    }

    /// The heir decides from now on, and learns what was written down.
    pub(crate) fn depart(&self, heir: &Arc<Heir>) {
        let mut state = self.lock();
        let rule = std::mem::replace(&mut state.rule, Rule::There(Arc::clone(heir)));
        state.spans.leave();
        // An idle connection of ours would keep a slot of the heir's from being served.
        for instance in state.instances.values() {
            instance.set_lent();
        }
        if let Rule::Frozen(events) = rule {
            for event in events {
                heir.tell(self.number, event);
            }
        }
    }

    /// The heir is gone: nobody answers those who wait.
    pub(crate) fn lose_heir(&self) {
        let mut state = self.lock();
        state.rule = Rule::Nowhere;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for sender in waiting.into_values() {
            drop(sender.send(Err(RejectCause::ShuttingDown)));
        }
    }

    /// An instance is being started here for a pool elsewhere.
    pub(crate) fn is_starting(&self) -> bool {
        let state = self.lock();
        let mut instances = state.instances.values();
        instances.any(|instance| !instance.has_started())
    }

    /// A place in the queue of a pool that is elsewhere.
    pub(super) fn enter_elsewhere(
        &self,
        mut state: MutexGuard<'_, State<C>>,
        waiter: WaiterId,
        deadline: Timestamp,
    ) -> Entered<C> {
        if matches!(state.rule, Rule::Nowhere) {
            return Entered::Answered(Err(RejectCause::ShuttingDown));
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.insert(waiter, sender);
        let event = Event::Acquire { waiter, deadline };
        // It is not for the pool beside this, or we would not be here.
        drop(state.rule.divert(self.number, event));
        drop(state);
        Entered::Waiting(Wait {
            function: self.strong(),
            waiter,
            receiver,
            answered: false,
        })
    }

    /// The heir answers a waiter.
    pub(crate) fn answered(&self, waiter: WaiterId, answer: Result<Granted, RejectCause>) {
        let mut state = self.lock();
        let sender = state.waiting.remove(&waiter);
        let answer = answer.map(|granted| {
            let id = granted.instance;
            let known = state.instances.get(&id).filter(|it| it.has_started());
            let instance = known.cloned().unwrap_or_else(|| {
                let instance = Instance::new(id, self.shared.clock.now());
                instance.set_started(Started {
                    endpoint: granted.endpoint,
                    pid: None,
                    timings: Default::default(),
                    kind: None,
                });
                instance.set_lent();
                Arc::new(instance)
            });
            (instance, granted.cold, granted.at, granted.thawed)
        });
        drop(state);
        // A lease that nobody takes gives itself back, which locks.
        let answer = answer.map(|(instance, cold, at, thawed)| {
            Lease::new(self.strong(), instance, cold, at).thawed(thawed)
        });
        if let Some(sender) = sender {
            drop(sender.send(answer));
        }
    }

    /// Goes on with what another gateway's pool of this revision had. `living` are those of its
    /// instances that the driver has taken over.
    pub(crate) fn inherit(
        &self,
        mut estate: FunctionEstate,
        living: &HashMap<InstanceId, Observed>,
    ) -> Inherited<C> {
        let mut inherited = Inherited::default();
        let now = self.shared.clock.now();
        let mut state = self.lock();
        let legacy = &mut estate.legacy;
        legacy.instances.retain_mut(|it| {
            let observed = living.get(&it.instance);
            if observed.is_some() && it.state == InstanceState::Starting {
                it.state = InstanceState::Ready;
                it.warm_since = Some(now);
            }
            observed.is_some() || it.state == InstanceState::Starting
        });
        for it in &legacy.instances {
            let instance = Arc::new(Instance::new(it.instance, it.created));
            if let Some(observed) = living.get(&it.instance) {
                instance.set_started(Started {
                    endpoint: observed.endpoint.clone(),
                    pid: observed.pid,
                    timings: Default::default(),
                    kind: None,
                });
            }
            if it.state == InstanceState::Stopping {
                instance.set_stopping();
            }
            if it.frozen.is_some() {
                instance.inherit_frozen();
                self.freeze_soon(Arc::clone(&instance));
            }
            // Whoever has them says at their end since when.
            let lease = || Lease::new(self.strong(), Arc::clone(&instance), false, now);
            let leases = (0..it.in_use).map(|_| lease()).collect();
            inherited.leases.push((it.instance, leases));
            state.instances.insert(it.instance, instance);
            state.recorder.inherited(it.instance, it.created);
        }
        for (waiter, _) in &mut legacy.waiters {
            let there = *waiter;
            state.last_waiter += 1;
            *waiter = WaiterId(state.last_waiter);
            let (sender, receiver) = oneshot::channel();
            state.waiting.insert(*waiter, sender);
            let wait = Wait {
                function: self.strong(),
                waiter: *waiter,
                receiver,
                answered: false,
            };
            inherited.waits.push((there, wait));
        }
        let event = Event::Inherited(Box::new(estate.legacy));
        let effects = state.step(event, now, &self.meter);
        let handed = self.shared.clock.at(handed_over(&self.shared.ledger));
        state.spans.credit(now.since(handed));
        self.conclude(state, effects);
        for observed in living.values() {
            let (id, pid) = (observed.id, observed.pid);
            if observed.function == self.launch.function
                && observed.revision == self.launch.revision
            {
                self.notice(Notice::Adopted { id, pid });
            }
        }
        inherited
    }

    /// The instances that a former gateway starts for this pool.
    pub(crate) fn starting_there(&self) -> Vec<InstanceId> {
        let state = self.lock();
        let foreign = state.instances.values().filter(|instance| {
            // Ids of our own have our number.
            !instance.has_started() && instance.id().pool() != self.number
        });
        foreign.map(|instance| instance.id()).collect()
    }

    /// A start that a former gateway had begun has failed, or is not heard of any more.
    pub(crate) fn start_failed_there(&self, id: InstanceId, failure: StartFailure) {
        let instance = self.lock().instances.get(&id).cloned();
        if let Some(instance) = instance.filter(|instance| !instance.has_started()) {
            self.shared.driver.forget(id);
            self.start_failed(&instance, failure);
        }
    }

    /// A former gateway has left an instance that this function knows, or whose revision is this.
    pub(crate) fn receive(&self, observed: &Observed) {
        let instance = self.lock().instances.get(&observed.id).cloned();
        match instance {
            Some(instance) if instance.has_started() => {}
            Some(instance) => {
                let started = Started {
                    endpoint: observed.endpoint.clone(),
                    pid: observed.pid,
                    timings: Default::default(),
                    kind: None,
                };
                self.started(&instance, started);
            }
            None => {
                self.claim(observed);
                self.adopt(observed);
            }
        }
    }

    pub(crate) fn clock(&self) -> crate::Clock {
        self.shared.clock
    }
}
