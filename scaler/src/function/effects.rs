//! Carrying out what the pool says.

use std::sync::Arc;

use stoker_core::{Effect, Event, InstanceId, RejectCause, Timestamp};
use tokio::sync::oneshot;

use super::{Answer, Function, State};
use crate::driver::{SocketKind, Stop};
use crate::{Instance, Lease, Notice, Reclaim, StartCause};

/// One thing to do once the function's lock is free.
pub(super) enum Todo<C: Send + 'static> {
    Grant(
        oneshot::Sender<Answer<C>>,
        Arc<Instance<C>>,
        bool,
        Timestamp,
    ),
    Reject(oneshot::Sender<Answer<C>>, RejectCause),
    /// True if it may get requests before it is known to run.
    Start(Arc<Instance<C>>, bool),
    Freeze(Arc<Instance<C>>),
    Thaw(Arc<Instance<C>>),
    Reclaim(InstanceId),
    Stop(Arc<Instance<C>>, Stop),
    Decided(Box<stoker_core::Decision>),
}

impl<C: Send + 'static> Function<C> {
    /// Looks up, under the lock, what the effects speak of.
    pub(super) fn resolve(
        &self,
        state: &mut State<C>,
        effects: impl IntoIterator<Item = Effect>,
    ) -> Vec<Todo<C>> {
        let mut todo = Vec::new();
        for effect in effects {
            match effect {
                Effect::Grant {
                    waiter,
                    instance,
                    cold,
                } => {
                    let sender = state.waiting.remove(&waiter);
                    let instance = state.granted(instance);
                    if let (Some(sender), Some(instance)) = (sender, instance) {
                        let granted = state.pool.now();
                        todo.push(Todo::Grant(sender, instance, cold, granted));
                    }
                }
                Effect::Reject { waiter, cause } => {
                    if let Some(sender) = state.waiting.remove(&waiter) {
                        todo.push(Todo::Reject(sender, cause));
                    }
                }
                Effect::Start { instance } => todo.push(self.resolve_start(state, instance)),
                Effect::Freeze { instance } => {
                    if let Some(instance) = state.instances.get(&instance) {
                        instance.set_frozen(true);
                        todo.push(Todo::Freeze(Arc::clone(instance)));
                    }
                }
                Effect::Thaw { instance } => {
                    if let Some(instance) = state.instances.get(&instance) {
                        instance.set_frozen(false);
                        todo.push(Todo::Thaw(Arc::clone(instance)));
                    }
                }
                Effect::Reclaim { instance } => todo.push(Todo::Reclaim(instance)),
                Effect::Drain { instance } => {
                    if let Some(instance) = state.instances.get(&instance) {
                        instance.set_draining();
                    }
                }
                Effect::Stop { instance } => {
                    let instance = state.instances.get(&instance).cloned();
                    todo.extend(instance.map(|instance| Todo::Stop(instance, Stop::Terminate)));
                }
                Effect::Kill { instance } => {
                    let instance = state.instances.get(&instance).cloned();
                    todo.extend(instance.map(|instance| Todo::Stop(instance, Stop::Kill)));
                }
                Effect::WakeAt(at) => {
                    state.armed = at;
                    if at != Timestamp::MAX {
                        self.shared.timer.arm(self.number, at);
                    }
                }
                Effect::Decided(decision) => todo.push(Todo::Decided(decision)),
                // Under the lock, so that the last word is the last one that the driver hears.
                Effect::Prepare(decision) => {
                    self.shared.driver.prepare(&self.launch, decision.spares);
                }
            }
        }
        todo
    }

    /// Makes an instance known that is to be started.
    fn resolve_start(&self, state: &mut State<C>, id: InstanceId) -> Todo<C> {
        let cause = match state.waiting.is_empty() {
            true => StartCause::Policy,
            false => StartCause::Request,
        };
        let now = self.shared.clock.now();
        let instance = Arc::new(Instance::asked_for(id, now, cause));
        state.instances.insert(id, Arc::clone(&instance));
        let early = self.launch.socket == SocketKind::Inherit && state.pool.may_begin(state.begun);
        state.begun += u32::from(early);
        Todo::Start(instance, early)
    }

    /// Does it, without the lock: a lease that nobody takes gives itself back, which locks.
    pub(super) fn carry_out(&self, todo: Vec<Todo<C>>) {
        // The pool thaws an instance right before it grants on it.
        let mut thawed = None;
        for item in todo {
            match item {
                Todo::Grant(sender, instance, cold, granted) => {
                    let lease = Lease::new(self.strong(), instance, cold, granted);
                    let lease = lease.thawed(thawed.take());
                    drop(sender.send(Ok(lease)));
                }
                Todo::Reject(sender, cause) => drop(sender.send(Err(cause))),
                Todo::Start(instance, early) => self.start(instance, early),
                Todo::Freeze(instance) => self.freeze_soon(instance),
                Todo::Thaw(instance) => thawed = self.settle_frost(&instance),
                Todo::Reclaim(id) => {
                    if self.shared.reclaim() != Reclaim::Off {
                        self.shared.driver.reclaim(id);
                    }
                }
                Todo::Stop(instance, how) => {
                    self.measure_at_end(&instance);
                    instance.set_stopping();
                    self.shared.driver.stop(instance.id(), how);
                }
                Todo::Decided(decision) => self.notice(Notice::Decided(&decision)),
            }
        }
    }

    /// An instance ended by itself or by our wish.
    pub(crate) fn exited(&self, exit: crate::driver::Exit) {
        let Some(instance) = self.lock().instances.get(&exit.id).cloned() else {
            return;
        };
        let wanted = instance.is_stopping();
        let lifetime = self.shared.clock.now().since(instance.created());
        self.notice(Notice::Exited {
            id: exit.id,
            failure: &exit.failure,
            wanted,
            lifetime,
        });
        self.note_spent(&exit);
        let failure = exit.failure.clone();
        self.remove(
            Event::Exited {
                instance: exit.id,
                failure,
            },
            exit.id,
        );
        // After the pool: whoever hears of it may ask for another instance at once.
        instance.set_gone(exit.failure);
    }

    /// Forgets an instance in the same step in which the pool does, so that none is granted that
    /// cannot be found.
    pub(super) fn remove(&self, event: Event, id: stoker_core::InstanceId) {
        self.apply_if(event, |state| {
            state.instances.remove(&id);
            true
        });
    }

    pub(super) fn notice(&self, notice: Notice<'_>) {
        (self.shared.notices)(&self.launch, notice);
    }
}
