//! How many programs the machine is asked to start: at the same time, per second, and with the
//! memory that it has. One gate for all functions, in front of the driver.
//!
//! Starts that may begin pass at once. The others wait in a line per function, and the lines take
//! turns, so that a function that needs a thousand instances holds up no other that needs one.
//! There are never more waiting than instances that the pools let start.

mod bucket;
mod footprint;
mod held;
mod look;
mod memory;
mod places;
mod queue;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stoker_core::InstanceId;
use tokio::sync::{Notify, oneshot};

use bucket::Bucket;
use look::Look;
use memory::Memory;
use places::Places;
use queue::Queue;

pub(crate) use footprint::Footprint;
pub use held::{HeldBy, HeldStarts};
pub(crate) use memory::Shortage;
pub use settings::StartSettings;

/// Between two looks at the memory while starts wait for it, for the kernel tells nobody when
/// there is more of it.
const MEMORY_LOOK: Duration = Duration::from_millis(50);

/// Lets starts begin.
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Starts that wait.
    waiting: AtomicU32,
    /// Rung when there is something to look at that no other event brings.
    news: Notify,
}

struct State {
    settings: StartSettings,
    bucket: Bucket,
    memory: Memory,
    queue: Queue<Ticket>,
    places: Places,
}

/// A start that waits.
struct Ticket {
    instance: InstanceId,
    need_bytes: u64,
    admit: oneshot::Sender<Permit>,
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

type Admitted = Vec<(oneshot::Sender<Permit>, Permit)>;

impl Gate {
    fn new(memory: Memory) -> Arc<Self> {
        let settings = StartSettings::default();
        Arc::new(Gate {
            state: Mutex::new(State {
                bucket: Bucket::new(&settings, Instant::now()),
                settings,
                memory,
                queue: Queue::default(),
                places: Places::default(),
            }),
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
        if state.settings != settings {
            state.bucket.set(&settings, Instant::now());
            state.settings = settings;
        }
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
        let by = match state.queue.held_before(function) {
            Some(by) => by,
            None => match state.verdict(function, need_bytes, since) {
                None => {
                    state.begin((function, instance), need_bytes, since);
                    return Entry::Passed(self.permit(instance));
                }
                Some(by) => by,
            },
        };
        let (admit, receiver) = oneshot::channel();
        let ticket = Ticket {
            instance,
            need_bytes,
            admit,
        };
        state.queue.push(function, ticket, by);
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
        let (admitted, look) = self.admit(&mut state, Instant::now());
        drop(state);
        // Without the lock: a permit that nobody takes is given back, which locks.
        for (sender, permit) in admitted {
            drop(sender.send(permit));
        }
        look
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
        let state = self.lock();
        state.queue.last(function).map(|ticket| ticket.instance)
    }

    /// A start need not begin any more.
    pub(crate) fn withdraw(&self, function: u32, instance: InstanceId) {
        let mut state = self.lock();
        let withdrawn = state
            .queue
            .remove(function, |ticket| ticket.instance == instance);
        if withdrawn.is_some() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The starts of this function that wait.
    pub(crate) fn held(&self, function: u32) -> Option<HeldStarts> {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let state = self.lock();
        let (count, by) = state.queue.line(function)?;
        Some(HeldStarts { count, by })
    }

    /// What the function's starts lack, if they wait for memory.
    pub(crate) fn shortage(&self, function: u32) -> Option<Shortage> {
        let mut state = self.lock();
        let (_, by) = state.queue.line(function)?;
        let need = state.queue.first(function)?.need_bytes;
        let reserve = state.settings.memory_reserve_bytes;
        match by {
            HeldBy::Memory => state.memory.check(reserve, need, Instant::now()).err(),
            HeldBy::AtOnce | HeldBy::Rate => None,
        }
    }

    /// Takes everybody out of the queue who may begin; blocked lines keep their places.
    fn admit(self: &Arc<Self>, state: &mut State, now: Instant) -> (Admitted, Look) {
        let (mut admitted, mut look) = (Vec::new(), Look::default());
        let mut place = 0;
        state.queue.set_common(None);
        while let Some((function, ticket)) = state.queue.at(place) {
            let (need, instance) = (ticket.need_bytes, ticket.instance);
            match state.verdict(function, need, now) {
                None => {
                    state.begin((function, instance), need, now);
                    let ticket = state.queue.take(place);
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    admitted.push((ticket.admit, self.permit(instance)));
                    continue;
                }
                Some(HeldBy::Rate) => {
                    state.queue.set_common(Some(HeldBy::Rate));
                    look.by(state.bucket.next(now));
                    break;
                }
                Some(HeldBy::AtOnce) => {
                    state.queue.note(function, HeldBy::AtOnce);
                    look.by(state.next_yield(now));
                    if state.is_full() {
                        state.queue.set_common(Some(HeldBy::AtOnce));
                        break;
                    }
                }
                Some(HeldBy::Memory) => {
                    state.queue.note(function, HeldBy::Memory);
                    look.by(now + MEMORY_LOOK);
                    look.short = look.short.or(Some(function));
                }
            }
            place += 1;
        }
        (admitted, look)
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
    /// What is in the way of a start.
    fn verdict(&mut self, function: u32, need_bytes: u64, now: Instant) -> Option<HeldBy> {
        self.places.yield_overdue(self.settings.yield_after, now);
        if !self.places.has_room(function, self.settings.at_once) {
            return Some(HeldBy::AtOnce);
        }
        if !self.bucket.has_one(now) {
            return Some(HeldBy::Rate);
        }
        let reserve = self.settings.memory_reserve_bytes;
        let room = self.memory.check(reserve, need_bytes, now);
        room.is_err().then_some(HeldBy::Memory)
    }

    fn begin(&mut self, (function, instance): (u32, InstanceId), need_bytes: u64, now: Instant) {
        self.bucket.take();
        self.memory.promise(need_bytes, now);
        self.places.begin(function, instance, now);
    }

    /// When the next one is to yield its place.
    fn next_yield(&self, now: Instant) -> Instant {
        self.places.oldest().unwrap_or(now) + self.settings.yield_after
    }

    fn is_full(&self) -> bool {
        self.places.total() >= self.settings.at_once
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
        self.gate.lock().places.end(self.instance);
        if self.gate.waiting.load(Ordering::Relaxed) > 0 && self.gate.look().at.is_some() {
            self.gate.news.notify_one();
        }
    }
}
