//! How many programs the machine is asked to start: at the same time, per second, and with the
//! memory that it has. One gate for all functions, in front of the driver.
//!
//! Starts that may begin pass at once. The others wait in a line per function, and the lines take
//! turns, so that a function that needs a thousand instances holds up no other that needs one.
//! There are never more waiting than instances that the pools let start.

mod bucket;
mod footprint;
mod memory;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stoker_core::InstanceId;
use tokio::sync::{Notify, oneshot};

use bucket::Bucket;
use memory::Memory;
use queue::Queue;

pub(crate) use footprint::Footprint;
pub(crate) use memory::Shortage;

/// One place in this many is for functions that have no start under way.
const SPARE_PARTS: u32 = 4;

/// Between two looks at the memory while starts wait for it, for the kernel tells nobody when
/// there is more of it.
const MEMORY_LOOK: Duration = Duration::from_millis(50);

/// What the machine may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSettings {
    /// Starts under way at the same time, at least 1. A fourth of it is for functions that have
    /// none under way.
    pub at_once: u32,
    /// Starts per second, at least 1.
    pub per_second: u32,
    /// Starts that may come at once after a pause, at least 1.
    pub burst: u32,
    /// Memory that no start may touch, in bytes; 0 to look at no memory at all.
    pub memory_reserve_bytes: u64,
    /// Idle instances of other functions are stopped for starts that wait for memory.
    pub evict_idle: bool,
    /// A start that takes longer than this is not counted as under way any more.
    pub yield_after: Duration,
}

impl Default for StartSettings {
    /// Nothing is held.
    fn default() -> Self {
        StartSettings {
            at_once: u32::MAX,
            per_second: u32::MAX,
            burst: u32::MAX,
            memory_reserve_bytes: 0,
            evict_idle: false,
            yield_after: Duration::from_secs(1),
        }
    }
}

/// What a start waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// The end of another start.
    AtOnce,
    /// The next one that there may be per second.
    Rate,
    /// Memory.
    Memory,
}

impl HeldBy {
    /// All of them.
    pub const ALL: [HeldBy; 3] = [HeldBy::AtOnce, HeldBy::Rate, HeldBy::Memory];

    /// In a word, as metrics and commands have it.
    pub fn name(self) -> &'static str {
        match self {
            HeldBy::AtOnce => "at-once",
            HeldBy::Rate => "rate",
            HeldBy::Memory => "memory",
        }
    }
}

/// Starts of one function that wait, for people and programs to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldStarts {
    /// How many.
    pub count: u32,
    /// What the first of them waits for.
    pub by: HeldBy,
}

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
    /// Starts under way, the oldest first.
    under_way: VecDeque<UnderWay>,
    /// How many of a function; none is zero.
    count: HashMap<u32, u32>,
}

/// A start under way.
struct UnderWay {
    function: u32,
    instance: InstanceId,
    since: Instant,
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

/// What is left to be done after the queue was looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// When to look again though nothing happened.
    pub(crate) at: Option<Instant>,
    /// The first function that waits for memory which others may be asked to leave.
    pub(crate) short: Option<u32>,
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
                under_way: VecDeque::new(),
                count: HashMap::new(),
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
        self.yield_places(now);
        let most = self.settings.at_once;
        let spare = most / SPARE_PARTS;
        let has_some = self.count.contains_key(&function);
        if self.is_full() || (has_some && self.total() >= most - spare) {
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
        *self.count.entry(function).or_default() += 1;
        self.under_way.push_back(UnderWay {
            function,
            instance,
            since: now,
        });
    }

    /// Nothing happens if its place was taken from it.
    fn end(&mut self, instance: InstanceId) {
        let place = self.under_way.iter().position(|it| it.instance == instance);
        if let Some(ended) = place.and_then(|place| self.under_way.remove(place)) {
            self.discount(ended.function);
        }
    }

    /// Takes their places from those that take long.
    fn yield_places(&mut self, now: Instant) {
        while let Some(oldest) = self.under_way.front()
            && oldest.since + self.settings.yield_after <= now
        {
            let function = oldest.function;
            self.under_way.pop_front();
            self.discount(function);
        }
    }

    /// When the next one is to yield its place.
    fn next_yield(&self, now: Instant) -> Instant {
        let oldest = self.under_way.front().map_or(now, |oldest| oldest.since);
        oldest + self.settings.yield_after
    }

    fn discount(&mut self, function: u32) {
        if let Some(count) = self.count.get_mut(&function) {
            *count -= 1;
            if *count == 0 {
                self.count.remove(&function);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.total() >= self.settings.at_once
    }

    fn total(&self) -> u32 {
        u32::try_from(self.under_way.len()).unwrap_or(u32::MAX)
    }
}

impl Look {
    /// No later than then.
    fn by(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |earlier| earlier.min(at)));
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
        self.gate.lock().end(self.instance);
        if self.gate.waiting.load(Ordering::Relaxed) > 0 && self.gate.look().at.is_some() {
            self.gate.news.notify_one();
        }
    }
}
