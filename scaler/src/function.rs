//! One revision of one function: its pool, its waiters and its instances behind one lock.

mod effects;
mod elsewhere;
mod explained;
mod frost;
mod hold;
mod start;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use stoker_core::{
    Effect, Effects, Event, FloorStep, InstanceId, Occupancy, Pool, PoolView, RejectCause,
    ScaleSpec, Timestamp, WaiterId,
};
use stoker_meter::Meter;
use tokio::sync::oneshot;

use crate::driver::LaunchSpec;
use crate::metering::Spans;
use crate::record::{Chunk, Recorder, Seen};
use crate::scaler::{Registry, Shared};
use crate::starts::Footprint;
use crate::{AcquireError, HeldStarts, Instance, InstanceStatus, Lease};
use elsewhere::Rule;
pub use explained::Explained;

/// One revision of one function.
pub struct Function<C: Send + 'static> {
    number: u32,
    launch: Arc<LaunchSpec>,
    pub(crate) shared: Arc<Shared<C>>,
    myself: Weak<Function<C>>,
    footprint: Footprint,
    pub(crate) meter: Meter,
    /// Starts that the gate holds.
    held: AtomicU32,
    state: Mutex<State<C>>,
}

/// What the function's one lock guards.
pub(crate) struct State<C: Send + 'static> {
    pool: Pool,
    recorder: Recorder,
    pub(crate) spans: Spans,
    instances: BTreeMap<InstanceId, Arc<Instance<C>>>,
    waiting: BTreeMap<WaiterId, oneshot::Sender<Answer<C>>>,
    last_waiter: u64,
    /// Instances that get requests and are not known to run.
    begun: u32,
    armed: Timestamp,
    rule: Rule,
}

impl<C: Send + 'static> State<C> {
    /// Has the pool take an event in, and records what follows.
    fn step(&mut self, event: Event, now: Timestamp, meter: &Meter) -> Effects {
        let seen = Seen::of(&event);
        let effects = self.pool.apply(event, now);
        let now = self.pool.now();
        self.recorder.note(seen, &effects, now);
        if self.spans.note(self.pool.census(), now) {
            self.spans.publish(meter);
        }
        effects
    }

    /// The pool beside this decides about the instances.
    pub(crate) fn decides(&self) -> bool {
        matches!(self.rule, Rule::Here)
    }

    /// The instance of a grant.
    fn granted(&self, id: InstanceId) -> Option<Arc<Instance<C>>> {
        let instance = self.instances.get(&id)?;
        instance.set_granted();
        Some(Arc::clone(instance))
    }
}

/// The registry, where it matters.
type Listing<'a, C> = Option<MutexGuard<'a, Registry<C>>>;

/// What a waiter gets.
pub(crate) type Answer<C> = Result<Lease<C>, RejectCause>;

impl<C: Send + 'static> Function<C> {
    pub(crate) fn new(
        shared: Arc<Shared<C>>,
        number: u32,
        launch: LaunchSpec,
        scaling: Arc<ScaleSpec>,
    ) -> Arc<Self> {
        let pool = Pool::new(scaling, number, shared.clock.now());
        let store = Arc::clone(&shared.record);
        let recorder = Recorder::new(store, &launch.function, &launch.label());
        let names = (&launch.function, &launch.revision);
        let meter = shared.ledger.meter(names, launch.number);
        let reserved = launch.resources.memory_bytes;
        let spans = Spans::new(reserved, shared.clock.origin_nanos());
        Arc::new_cyclic(|myself| Function {
            number,
            launch: Arc::new(launch),
            shared,
            myself: myself.clone(),
            footprint: Footprint::default(),
            meter,
            held: AtomicU32::new(0),
            state: Mutex::new(State {
                pool,
                recorder,
                spans,
                instances: BTreeMap::new(),
                waiting: BTreeMap::new(),
                last_waiter: 0,
                begun: 0,
                armed: Timestamp::MAX,
                rule: Rule::Here,
            }),
        })
    }

    /// The function's name.
    pub fn name(&self) -> &Arc<str> {
        &self.launch.function
    }

    /// How its instances are started.
    pub fn launch(&self) -> &Arc<LaunchSpec> {
        &self.launch
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// A slot, at once if one is free, otherwise after a wait in order until `deadline`.
    ///
    /// Dropping the future leaves the queue and costs nothing; an instance that is starting stays
    /// for the next request.
    pub async fn acquire(&self, deadline: Instant) -> Result<Lease<C>, AcquireError> {
        match self.enter(deadline) {
            Entered::Answered(answer) => answer.map_err(AcquireError::from),
            Entered::Waiting(mut wait) => wait.answer().await.map_err(AcquireError::from),
        }
    }

    /// How long a request that comes now would wait for a slot, as far as that is known here.
    pub fn expected_wait(&self) -> Option<Duration> {
        let state = self.lock();
        let here = matches!(state.rule, Rule::Here);
        here.then(|| state.pool.expected_wait(self.shared.clock.now()))
            .flatten()
    }

    /// Changes the scaling; instances stay.
    pub fn reconfigure(&self, scaling: ScaleSpec) {
        self.apply(Event::Reconfigure(Box::new(scaling)));
    }

    /// From each time of the wall clock on there are to be at least so many instances, `now` being
    /// the present. Replaces what was said before.
    pub fn schedule(&self, now: SystemTime, changes: impl Iterator<Item = (SystemTime, u32)>) {
        let present = self.shared.clock.now();
        let steps = changes.map(|(at, min_scale)| FloorStep {
            at: match at.duration_since(now) {
                Ok(later) => present + later,
                Err(earlier) => present - earlier.duration(),
            },
            min_scale,
        });
        self.apply(Event::Schedule(steps.collect()));
    }

    /// Holds the number of instances at `desired`, or hands it back to the policy.
    pub fn scale(&self, desired: Option<u32>) {
        self.apply(Event::Scale { desired });
    }

    /// Drains every instance, so that the next request is cold.
    pub fn evict(&self) {
        self.apply(Event::Evict);
    }

    /// Finishes what waits and runs, then stops every instance.
    pub fn retire(&self) {
        self.apply(Event::Retire);
    }

    /// Its state, for people and programs to look at.
    pub fn view(&self) -> FunctionView {
        let held = self.shared.gate.held(self.number);
        Self::look(&self.lock(), held, self.shared.clock.now())
    }

    /// How many instances and requests it has, in constant time.
    pub fn occupancy(&self) -> Occupancy {
        self.lock().pool.occupancy()
    }

    /// What it has recorded and not given to the store yet.
    pub(crate) fn open_chunk(&self) -> Option<Arc<Chunk>> {
        self.lock().recorder.open()
    }

    /// Gives that to the store.
    pub(crate) fn seal_record(&self) {
        self.lock().recorder.seal();
    }

    /// Processes are kept ready for its starts.
    pub(crate) fn has_spares(&self) -> bool {
        let runtime = self.launch.runtime.as_ref();
        runtime.is_some_and(|runtime| runtime.preload)
    }

    /// True when it is retired and nothing of it is left.
    pub(crate) fn is_finished(&self) -> bool {
        self.lock().pool.is_finished()
    }

    /// Applies one event and carries out what follows.
    pub(crate) fn apply(&self, event: Event) {
        self.apply_if(event, |_| true);
    }

    /// Applies one event if `prepare` says so, which sees the state under the same lock: whatever
    /// must change together with the pool changes there.
    fn apply_if(&self, event: Event, prepare: impl FnOnce(&mut State<C>) -> bool) {
        let now = self.shared.clock.now();
        let mut state = self.lock();
        if !prepare(&mut state) {
            return;
        }
        let Some(event) = state.rule.divert(self.number, event) else {
            return;
        };
        let effects = state.step(event, now, &self.meter);
        if effects.is_empty() && !state.pool.is_finished() {
            return;
        }
        self.conclude(state, effects);
    }

    /// What follows an event, whatever event that was.
    fn conclude(
        &self,
        mut state: MutexGuard<'_, State<C>>,
        effects: impl IntoIterator<Item = Effect>,
    ) {
        let todo = self.resolve(&mut state, effects);
        let finished = state.pool.is_finished();
        drop(state);
        self.carry_out(todo);
        if finished {
            self.shared.forget_if_finished(self);
        }
        self.forgo_surplus();
    }

    /// Applies the tick that was armed for `at`, unless another one has taken its place.
    pub(crate) fn tick(&self, at: Timestamp) {
        self.apply_if(Event::Tick, |state| {
            let current = state.armed == at;
            if current {
                state.armed = Timestamp::MAX;
            }
            current
        });
    }

    fn enter(&self, deadline: Instant) -> Entered<C> {
        let now = self.shared.clock.now();
        let Some((mut state, registry)) = self.lock_to_enter() else {
            return Entered::Answered(Err(RejectCause::ShuttingDown));
        };
        state.last_waiter += 1;
        let waiter = WaiterId(state.last_waiter);
        let deadline = self.shared.clock.at(deadline);
        if !matches!(state.rule, Rule::Here) {
            return self.enter_elsewhere(state, waiter, deadline);
        }
        let effects = state.step(Event::Acquire { waiter, deadline }, now, &self.meter);
        if let Some(mut registry) = registry
            && !state.pool.is_finished()
        {
            registry.remember(self.strong());
        }

        let mut granted = None;
        let thaws = usize::from(matches!(effects.iter().next(), Some(Effect::Thaw { .. })));
        if let Some(Effect::Grant {
            waiter: to,
            instance,
            cold,
        }) = effects.iter().nth(thaws)
            && *to == waiter
        {
            granted = state.granted(*instance).map(|instance| (instance, *cold));
        }
        if let Some((instance, cold)) = granted {
            // The warm path: one lock, nothing allocated, no channel.
            if thaws > 0 {
                instance.set_frozen(false);
            }
            self.conclude(state, effects.into_iter().skip(thaws + 1));
            let lease = Lease::new(self.strong(), instance, cold, now);
            return Entered::Answered(Ok(match thaws {
                0 => lease,
                _ => lease.frozen(),
            }));
        }

        let (sender, receiver) = oneshot::channel();
        state.waiting.insert(waiter, sender);
        self.conclude(state, effects);
        Entered::Waiting(Wait {
            function: self.strong(),
            waiter,
            receiver,
            answered: false,
        })
    }

    /// The lock, and before it that of the registry if that may have forgotten this function, for
    /// it must know what starts. None if nothing may start any more.
    fn lock_to_enter(&self) -> Option<(MutexGuard<'_, State<C>>, Listing<'_, C>)> {
        let state = self.lock();
        if !state.pool.is_finished() {
            return Some((state, None));
        }
        drop(state);
        let registry = self.shared.lock();
        (!registry.has_ended()).then(|| (self.lock(), Some(registry)))
    }

    fn strong(&self) -> Arc<Self> {
        self.myself.upgrade().expect("a function lives in its Arc")
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<C>> {
        // A panic in the core leaves a pool whose invariants are void, yet serving what can be
        // served beats failing every later request of the function.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Send + 'static> fmt::Debug for Function<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.launch.function)
            .field("number", &self.number)
            .finish()
    }
}

/// A function's state, for people and programs to look at.
#[derive(Clone, Debug)]
pub struct FunctionView {
    /// What the pool knows.
    pub pool: PoolView,
    /// By age, oldest first.
    pub instances: Vec<InstanceStatus>,
    /// Starting ones that do not begin yet, for the machine has no room.
    pub held: Option<HeldStarts>,
}

/// The first answer of the pool.
enum Entered<C: Send + 'static> {
    Answered(Answer<C>),
    Waiting(Wait<C>),
}

/// A place in the queue, left when this is dropped.
pub(crate) struct Wait<C: Send + 'static> {
    function: Arc<Function<C>>,
    waiter: WaiterId,
    receiver: oneshot::Receiver<Answer<C>>,
    answered: bool,
}

impl<C: Send + 'static> Wait<C> {
    pub(crate) async fn answer(&mut self) -> Answer<C> {
        let answer = (&mut self.receiver).await;
        self.answered = true;
        answer.unwrap_or(Err(RejectCause::ShuttingDown))
    }
}

impl<C: Send + 'static> Drop for Wait<C> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        // If the answer is on its way already, the lease in the channel gives itself back.
        let waiter = self.waiter;
        self.function.apply_if(Event::Cancel { waiter }, |state| {
            state.waiting.remove(&waiter).is_some()
        });
        self.function.forgo_surplus();
    }
}
