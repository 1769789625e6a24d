//! How many programs the machine is asked to start: at the same time, per second, and with the
//! memory that it has. One gate for all functions, in front of the driver.
//!
//! Which of them may begin is decided by [`stoker_core::Gate`]; here are its clock, the memory of
//! the machine, and those who wait.

mod footprint;
mod look;
mod memory;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use stoker_core::{HeldBy, HeldStarts, InstanceId, NewStart, Timestamp};
use tokio::sync::{Notify, oneshot};

use crate::Clock;
use look::Look;
use memory::Memory;

pub(crate) use footprint::Footprint;
pub(crate) use memory::Shortage;
pub use settings::StartSettings;

/// Lets starts begin.
pub(crate) struct Gate {
    state: Mutex<State>,
    clock: Clock,
    /// Starts that wait.
    waiting: AtomicU32,
    /// Rung when there is something to look at that no other event brings.
    news: Notify,
}

struct State {
    settings: StartSettings,
    gate: stoker_core::Gate,
    memory: Memory,
    /// Where those who wait are told.
    senders: HashMap<InstanceId, oneshot::Sender<Permit>>,
}

/// A start is under way until this is dropped.
pub(crate) struct Permit {
    gate: Arc<Gate>,
    instance: InstanceId,
}

/// The gate's answer.
pub(crate) enum Entry {
    Passed(Permit),
    Waiting(Queued),
}

/// A place in the queue, left when this is dropped.
pub(crate) struct Queued {
    gate: Arc<Gate>,
    function: u32,
    instance: InstanceId,
    receiver: oneshot::Receiver<Permit>,
    pub(crate) by: HeldBy,
    pub(crate) since: Instant,
}

impl Gate {
    fn new(memory: Memory) -> Arc<Self> {
        let (clock, settings) = (Clock::start(), StartSettings::default());
        Arc::new(Gate {
            state: Mutex::new(State {
                gate: stoker_core::Gate::new(settings.limits(), clock.now()),
                settings,
                memory,
                senders: HashMap::new(),
            }),
            clock,
            waiting: AtomicU32::new(0),
            news: Notify::new(),
        })
    }

    /// The gate of this machine.
    pub(crate) fn of_machine() -> Arc<Self> {
        Gate::new(Memory::of_machine())
    }

    /// Changes the settings; what is under way stays.
    pub(crate) fn configure(&self, settings: StartSettings) {
        let mut state = self.lock();
        state.gate.configure(settings.limits(), self.clock.now());
        state.settings = settings;
        drop(state);
        self.news.notify_one();
    }

    /// See [`StartSettings::evict_idle`].
    pub(crate) fn evicts_idle(&self) -> bool {
        self.lock().settings.evict_idle
    }

    /// Whether anybody wants to know how much memory instances take.
    pub(crate) fn watches_memory(&self) -> bool {
        self.lock().settings.memory_reserve_bytes > 0
    }

    /// Lets a start begin that is expected to take so much memory, or gives it a place.
    pub(crate) fn enter(
        self: &Arc<Self>,
        function: u32,
        instance: InstanceId,
        need_bytes: u64,
    ) -> Entry {
        let since = Instant::now();
        let mut state = self.lock();
        let start = NewStart {
            function,
            instance,
            need_bytes,
        };
        let Some(by) = state.enter(start, self.clock.at(since), since) else {
            return Entry::Passed(self.permit(instance));
        };
        let (admit, receiver) = oneshot::channel();
        state.senders.insert(instance, admit);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        drop(state);
        self.news.notify_one();
        Entry::Waiting(Queued {
            gate: Arc::clone(self),
            function,
            instance,
            receiver,
            by,
            since,
        })
    }

    /// Lets those begin that may by now.
    pub(crate) fn look(self: &Arc<Self>) -> Look {
        let mut state = self.lock();
        let now = Instant::now();
        let look = state.look(self.clock.at(now), now);
        let admitted: Vec<_> = look
            .admitted
            .into_iter()
            .filter_map(|id| Some((state.senders.remove(&id)?, self.permit(id))))
            .collect();
        let count = admitted.len() as u32;
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        drop(state);
        // Without the lock: a permit that nobody takes is given back, which locks.
        for (sender, permit) in admitted {
            drop(sender.send(permit));
        }
        Look {
            at: look.at.map(|at| self.clock.instant(at)),
            short: look.short,
        }
    }

    /// Something happened that may have made room.
    pub(crate) fn ring(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.news.notify_one();
        }
    }

    /// Waits until there is something to look at, at most until `at`.
    pub(crate) async fn wait(&self, at: Option<Instant>) {
        match at {
            None => self.news.notified().await,
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = self.news.notified() => {}
            },
        }
    }

    /// The start of this function that would begin last.
    pub(crate) fn youngest(&self, function: u32) -> Option<InstanceId> {
        self.lock().gate.youngest(function)
    }

    /// A start need not begin any more.
    pub(crate) fn withdraw(&self, function: u32, instance: InstanceId) {
        let mut state = self.lock();
        if state.gate.withdraw(function, instance) {
            state.senders.remove(&instance);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The starts of this function that wait.
    pub(crate) fn held(&self, function: u32) -> Option<HeldStarts> {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.lock().gate.held(function)
    }

    /// What the function's starts lack, if they wait for memory.
    pub(crate) fn shortage(&self, function: u32) -> Option<Shortage> {
        let mut state = self.lock();
        let by = state.gate.held(function)?.by;
        let need = state.gate.next(function)?.need_bytes;
        let reserve = state.settings.memory_reserve_bytes;
        match by {
            HeldBy::Memory => state.memory.check(reserve, need, Instant::now()).err(),
            HeldBy::AtOnce | HeldBy::Rate => None,
        }
    }

    fn permit(self: &Arc<Self>, instance: InstanceId) -> Permit {
        Permit {
            gate: Arc::clone(self),
            instance,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, start: NewStart, now: Timestamp, instant: Instant) -> Option<HeldBy> {
        let reserve = self.settings.memory_reserve_bytes;
        let memory = &mut self.memory;
        self.gate
            .enter(start, now, |need| memory.take(reserve, need, instant))
    }

    fn look(&mut self, now: Timestamp, instant: Instant) -> stoker_core::Look {
        let reserve = self.settings.memory_reserve_bytes;
        let memory = &mut self.memory;
        self.gate
            .look(now, |need| memory.take(reserve, need, instant))
    }
}

impl Queued {
    /// Ready when the start may begin.
    pub(crate) async fn admitted(&mut self) -> Option<Permit> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.gate.withdraw(self.function, self.instance);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.lock().gate.end(self.instance);
        if self.gate.waiting.load(Ordering::Relaxed) > 0 && self.gate.look().at.is_some() {
            self.gate.news.notify_one();
        }
    }
}
