//! The instances of one revision and the requests that wait for them.

mod check;
mod estimate;
mod events;
mod failures;
mod fleet;
mod freeze;
mod health;
mod legacy;
mod lifecycle;
mod memory;
mod plan;
mod room;
mod schedule;
mod spares;
mod waiters;

pub use check::Violation;
pub use estimate::{Learned, Moments};
pub use freeze::Frozen;
pub use health::{Record, Standing};
pub use legacy::{Inherited, Legacy};
pub use schedule::FloorStep;

use std::sync::Arc;
use std::time::Duration;

use crate::window::Window;
use crate::{
    Decision, Effect, Effects, Event, InstanceId, Mode, Policy, PolicyState, ScaleSpec,
    StartFailure, Timestamp,
};

use check::Ceilings;
use events::Follow;
use failures::Failures;
use fleet::Fleet;
use schedule::Schedule;
use spares::Spares;
use waiters::Waiters;

/// The state machine of one revision's instances, slots and waiters.
///
/// It lives between events only: whoever holds it applies what happened, carries out the effects
/// in order, and applies [`Event::Tick`] at the time of the last [`Effect::WakeAt`]. A tick that
/// comes too early or twice does no harm. Time never runs backwards in here: an earlier time is
/// taken as the latest one.
#[derive(Debug)]
pub struct Pool {
    spec: Arc<ScaleSpec>,
    /// Upper half of the ids it gives out.
    number: u32,
    /// Instances it ever started.
    started: u32,
    /// Events it ever took; orders arrivals and readiness.
    events: u64,
    now: Timestamp,
    fleet: Fleet,
    waiters: Waiters,
    failures: Failures,
    learned: Learned,
    phase: Phase,
    /// Set by an operator.
    held: Option<u32>,
    /// Instances were evicted and nothing was asked for since.
    evicted: bool,
    /// `initial_scale` no longer matters.
    initial_given_up: bool,
    /// The policy's own last answer, without what it remembers.
    policy: Option<Decision>,
    /// What the policy remembers and has learned.
    state: PolicyState,
    schedule: Schedule,
    /// The number of instances that is in force.
    target: u32,
    /// Instances cannot be frozen, whatever the settings say.
    unfreezable: bool,
    /// Frozen instances that may go for want of memory, within this event.
    release: u32,
    /// What the shell was last told about it.
    announced: Option<(u32, Mode)>,
    /// The shell wants to be told.
    announces: bool,
    /// Complete up to the last change of the load.
    window: Window,
    /// Requests in flight and waiting, after the last event.
    level: u32,
    /// When that was last above zero.
    last_active: Timestamp,
    /// Nothing is due before this time; something may be due then.
    due: Timestamp,
    /// What the shell was last told about it.
    armed: Timestamp,
    ceilings: Ceilings,
    /// Of a function that has spares.
    spares: Option<Box<Spares>>,
}

/// How far the revision is in its own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Replaced by a newer revision.
    Retired,
    /// The gateway ends.
    ShuttingDown,
}

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Asked for, not yet taking requests.
    Starting,
    /// Takes requests.
    Ready,
    /// Takes no new ones, finishes the old.
    Draining,
    /// Was told to end.
    Stopping,
}

/// How many instances are in which condition: what time costs by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Asked for and not ready.
    pub starting: u32,
    /// With a request, or draining, or set aside.
    pub busy: u32,
    /// Ready without a request, or told to end.
    pub idle: u32,
    /// Ready, without a request and without CPU.
    pub frozen: u32,
}

/// Instances and requests, as far as counts tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Instances that start, are ready or drain: all but those that were told to end.
    pub instances: u32,
    /// Requests without a slot.
    pub waiting: u32,
    /// Slots in use.
    pub in_flight: u32,
}

/// One instance, for people and programs to look at.
#[derive(Clone, Debug)]
pub struct InstanceView {
    /// Its id.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// When it entered that state.
    pub since: Timestamp,
    /// When it was asked for or adopted.
    pub created: Timestamp,
    /// Leases alive.
    pub in_use: u32,
    /// Slots that may be given out, those in use included.
    pub slots: u32,
    /// Whether it is trusted, if it is ready.
    pub standing: Standing,
    /// Requests that it failed since it last answered one.
    pub failures: u32,
    /// Leases ended, of any outcome.
    pub served: u64,
    /// When its last lease ended, if it is idle.
    pub idle_since: Option<Timestamp>,
    /// Set while it is frozen.
    pub frozen: Option<Frozen>,
}

impl InstanceView {
    /// Its state in a word. A ready one is `frozen` while it gets no CPU, else `ready` if it is
    /// trusted, `aside` if it failed again and again, and `trial` while one request tries whether it
    /// works again.
    pub fn state_name(&self) -> &'static str {
        match (self.state, self.standing) {
            (InstanceState::Starting, _) => "starting",
            (InstanceState::Ready, _) if self.frozen.is_some() => "frozen",
            (InstanceState::Ready, Standing::Good) => "ready",
            (InstanceState::Ready, Standing::Aside { .. }) => "aside",
            (InstanceState::Ready, Standing::Trial) => "trial",
            (InstanceState::Draining, _) => "draining",
            (InstanceState::Stopping, _) => "stopping",
        }
    }
}

/// The whole pool, for people and programs to look at.
#[derive(Clone, Debug)]
pub struct PoolView {
    /// By age, oldest first.
    pub instances: Vec<InstanceView>,
    /// Requests waiting.
    pub waiting: u32,
    /// Leases alive.
    pub in_flight: u32,
    /// Age of the oldest waiter.
    pub oldest_wait: Option<Duration>,
    /// How long a request that comes now would wait for a slot; none while too little was
    /// measured to tell.
    pub expected_wait: Option<Duration>,
    /// Held by an operator.
    pub scale_override: Option<u32>,
    /// The last answer of the policy.
    pub last_decision: Option<Decision>,
    /// The last failed start since the last good one, and how many in a row.
    pub last_failure: Option<(StartFailure, u32)>,
    /// No start before this time.
    pub backoff_until: Option<Timestamp>,
    /// Retired or shutting down.
    pub retired: bool,
    /// Spares that are wanted for the next starts; none if nothing is kept ready.
    pub wanted_spares: Option<u32>,
}

impl Pool {
    /// An empty pool. Apply [`Event::Tick`] once to get its first effects (`initial_scale`,
    /// `min_scale`). `number` is the upper half of the ids it gives out.
    pub fn new(spec: impl Into<Arc<ScaleSpec>>, number: u32, now: Timestamp) -> Self {
        let spec = spec.into();
        Pool {
            number,
            started: 0,
            events: 0,
            now,
            fleet: Fleet::new(spec.concurrency.max(1), spec.slow_start),
            waiters: Waiters::default(),
            failures: Failures::default(),
            learned: Learned::default(),
            phase: Phase::Serving,
            held: None,
            evicted: false,
            initial_given_up: false,
            policy: None,
            state: PolicyState::new(&spec),
            schedule: Schedule::default(),
            target: 0,
            unfreezable: false,
            release: 0,
            announced: None,
            announces: true,
            window: Window::new(spec.stable_window, now),
            level: 0,
            last_active: now,
            due: Timestamp::MAX,
            armed: Timestamp::MAX,
            ceilings: Ceilings::of(&spec),
            spares: spec.spares.map(|_| Spares::new()),
            spec,
        }
    }

    /// From now on there is no [`Effect::Decided`], for a shell that does nothing with it: each is a
    /// copy of all that led to a decision.
    pub fn keep_decisions(&mut self) {
        self.announces = false;
    }

    /// Takes one event in and says what must be done.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Effects {
        let now = now.max(self.now);
        self.now = now;
        self.events += 1;
        if self.spec.policy == Policy::Kpa {
            // It may be asked about averages up to now.
            self.window.advance(self.level, now);
        }
        let mut effects = Effects::default();
        let tick = matches!(event, Event::Tick);
        if now >= self.due {
            // Before the event, lest it grants to one of them.
            self.expire_waiters(&mut effects);
            self.refresh(&mut effects);
        }
        let follow = self.handle(event, &mut effects);
        let due = now >= self.due;
        if due {
            self.reap(&mut effects);
        }
        if due || follow != Follow::Rest {
            self.settle(follow == Follow::Ask, &mut effects);
        }
        if let Follow::Admit(waiter) = follow {
            self.admit(waiter, &mut effects);
        }
        self.measure();
        self.arm(tick, due, &mut effects);
        self.ceilings.lower(&self.spec, &self.fleet, &self.waiters);
        #[cfg(debug_assertions)]
        self.check_sometimes();
        effects
    }

    /// A copy of the state.
    pub fn view(&self, now: Timestamp) -> PoolView {
        let mut instances: Vec<InstanceView> = self
            .fleet
            .iter()
            .map(|(id, instance)| InstanceView {
                id,
                state: instance.state,
                since: instance.since,
                created: instance.created,
                in_use: instance.in_use,
                slots: instance.slots,
                standing: instance.standing,
                failures: instance.record.failures,
                served: instance.served,
                idle_since: instance.idle_since,
                frozen: instance.frozen,
            })
            .collect();
        instances.sort_by_key(|instance| (instance.created, instance.id));
        PoolView {
            instances,
            waiting: self.waiters.len(),
            in_flight: self.fleet.count().leases,
            oldest_wait: self.waiters.oldest().map(|waiter| now.since(waiter.since)),
            expected_wait: self.expected_wait(now),
            scale_override: self.held,
            last_decision: self.governed(),
            last_failure: self
                .failures
                .last()
                .map(|(last, count)| (last.clone(), count)),
            backoff_until: self.failures.backoff_until(now),
            retired: self.phase != Phase::Serving,
            wanted_spares: self.wanted_spares(),
        }
    }

    /// What the policy says now, after what people and the pool's own end impose; none if it was
    /// never asked.
    pub fn decision(&self, now: Timestamp) -> Option<Decision> {
        self.present_decision(now)
    }

    /// How many instances are in which condition, in constant time.
    pub fn census(&self) -> Census {
        self.fleet.census()
    }

    /// How many instances and requests there are, in constant time.
    pub fn occupancy(&self) -> Occupancy {
        let count = self.fleet.count();
        Occupancy {
            instances: count.starting + count.ready + count.draining,
            waiting: self.waiters.len(),
            in_flight: count.leases,
        }
    }

    /// The time of the last event.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// True when it is retired and nothing is left in it.
    pub fn is_finished(&self) -> bool {
        self.phase != Phase::Serving && self.fleet.live() == 0 && self.waiters.is_empty()
    }

    /// Notes that something is due at `time`.
    fn want(&mut self, time: Timestamp) {
        self.due = self.due.min(time);
    }

    /// Requests in flight and waiting.
    fn load_now(&self) -> u32 {
        self.fleet.count().leases + self.waiters.len()
    }

    /// Keeps the load that holds from now on.
    fn measure(&mut self) {
        let level = self.load_now();
        if self.level > 0 || level > 0 {
            self.last_active = self.now;
        }
        if self.level == level {
            return;
        }
        self.window.advance(self.level, self.now);
        if let Some(learned) = &mut self.state.learned {
            learned.changed(level, self.now);
        }
        self.level = level;
    }

    /// Tells the shell when to tick, if that is earlier than it knows, or if it knows nothing for
    /// it just ticked. Times that were put off are found out at the tick, not here: so the warm
    /// path never moves the timer.
    fn arm(&mut self, tick: bool, was_due: bool, effects: &mut Effects) {
        if tick || was_due {
            self.due = self.next_due();
        }
        if tick || self.due < self.armed {
            self.armed = self.due;
            effects.push(Effect::WakeAt(self.due));
        }
    }
}

#[cfg(test)]
mod tests;
