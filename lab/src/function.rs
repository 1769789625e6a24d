//! One function in the lab: its pool and what it stands for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stoker_config::ScheduleSpec;
use stoker_core::{InstanceId, Pool, ScaleSpec, Timestamp};
use stoker_traces::random::Random;

use crate::Times;
use crate::chance::{self, Purpose};

/// Recorded start times that wait for a start; with more, the oldest go.
const FRESH_STARTS: usize = 1024;
/// Recorded start times that were used and stand for later ones.
const USED_STARTS: usize = 256;

/// One call of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it comes, since the beginning of the replay; no earlier than the one before it.
    pub at: Timestamp,
    /// Which function: what [`Engine::add`](crate::Engine::add) said.
    pub function: u32,
    /// How long the function works on it.
    pub service: Duration,
    /// How long the start took that this call caused, if that was recorded.
    pub start: Option<Duration>,
}

/// What is settled about a function before it is called.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its scaling.
    pub spec: Arc<ScaleSpec>,
    /// How long a call waits for a slot before it is refused.
    pub patience: Duration,
    /// How long an instance takes until it serves, where no start was recorded.
    pub start: Arc<Times>,
    /// Processor time of a start.
    pub start_cpu: Duration,
    /// Memory of an instance.
    pub memory_bytes: u64,
    /// Minimum numbers of instances by the time of day.
    pub schedule: ScheduleSpec,
}

impl Setup {
    /// With the manifest's default of `timeouts.queue`, starts of 20 ms whose processor time is not
    /// counted, and 128 MiB.
    pub fn new(spec: Arc<ScaleSpec>) -> Self {
        Setup {
            spec,
            patience: Duration::from_secs(30),
            start: Arc::default(),
            start_cpu: Duration::ZERO,
            memory_bytes: 128 << 20,
            schedule: ScheduleSpec::default(),
        }
    }
}

/// A function and what it has.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: Arc<str>,
    pub(crate) setup: Setup,
    /// Made when it is called first.
    pub(crate) pool: Option<Pool>,
    /// Leases of each instance, if an instance may have several.
    uses: BTreeMap<InstanceId, u32>,
    recorded: Recorded,
    key: u64,
    pub(crate) count: Counts,
    pub(crate) alive: u32,
    alive_since: Timestamp,
    /// Instances times time, as far as it was added up.
    alive_time: u128,
    last_turn: Turn,
}

/// What happened to a function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) arrivals: u64,
    pub(crate) served: u64,
    pub(crate) delayed: u64,
    pub(crate) cold: u64,
    pub(crate) refused: u64,
    pub(crate) starts: u64,
    pub(crate) reversals: u64,
    /// Sum of the logarithms of the slowdowns of its calls.
    pub(crate) log_slowdown: f64,
}

/// Which way the number of instances went last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    None,
    Up,
    Down,
}

/// Start times that were recorded, each of which stands for one start as long as there are any.
#[derive(Debug, Default)]
struct Recorded {
    fresh: VecDeque<Duration>,
    used: Vec<Duration>,
    taken: usize,
}

impl Recorded {
    fn add(&mut self, start: Duration) {
        if self.fresh.len() == FRESH_STARTS {
            self.fresh.pop_front();
        }
        self.fresh.push_back(start);
    }

    /// The oldest one that was not used; else any that was.
    fn take(&mut self, draw: &mut Random) -> Option<Duration> {
        if let Some(start) = self.fresh.pop_front() {
            match self.used.get_mut(self.taken % USED_STARTS) {
                Some(place) => *place = start,
                None => self.used.push(start),
            }
            self.taken += 1;
            return Some(start);
        }
        let count = self.used.len();
        (count > 0).then(|| self.used[draw.below(count)])
    }
}

impl Function {
    pub(crate) fn new(name: &str, setup: Setup, seed: u64) -> Self {
        Function {
            name: name.into(),
            key: chance::key(seed, name),
            setup,
            pool: None,
            uses: BTreeMap::new(),
            recorded: Recorded::default(),
            count: Counts::default(),
            alive: 0,
            alive_since: Timestamp::ZERO,
            alive_time: 0,
            last_turn: Turn::None,
        }
    }

    /// Takes note of what a call tells.
    pub(crate) fn note(&mut self, arrival: &Arrival) {
        self.count.arrivals += 1;
        if let Some(start) = arrival.start {
            self.recorded.add(start);
        }
    }

    /// An instance is started; how long that takes.
    pub(crate) fn start(&mut self, now: Timestamp) -> Duration {
        let mut draw = chance::draw(self.key, Purpose::Start, self.count.starts);
        self.count.starts += 1;
        self.count_alive(now);
        self.alive += 1;
        self.turn(Turn::Up);
        let recorded = self.recorded.take(&mut draw);
        recorded.unwrap_or_else(|| self.setup.start.sample(&mut draw))
    }

    /// An instance is told to end.
    pub(crate) fn stop(&mut self) {
        self.turn(Turn::Down);
    }

    /// An instance is gone.
    pub(crate) fn exit(&mut self, now: Timestamp) {
        self.count_alive(now);
        self.alive = self.alive.saturating_sub(1);
    }

    /// One more lease on an instance; true if it had none.
    pub(crate) fn lease(&mut self, instance: InstanceId) -> bool {
        if self.setup.spec.concurrency <= 1 {
            return true;
        }
        let uses = self.uses.entry(instance).or_default();
        *uses += 1;
        *uses == 1
    }

    /// One lease less; true if it has none now.
    pub(crate) fn release(&mut self, instance: InstanceId) -> bool {
        if self.setup.spec.concurrency <= 1 {
            return true;
        }
        let Some(uses) = self.uses.get_mut(&instance) else {
            return false;
        };
        *uses -= 1;
        let idle = *uses == 0;
        if idle {
            self.uses.remove(&instance);
        }
        idle
    }

    /// Instances times time up to `now`, in nanoseconds.
    pub(crate) fn alive_time(&mut self, now: Timestamp) -> u128 {
        self.count_alive(now);
        self.alive_time
    }

    fn count_alive(&mut self, now: Timestamp) {
        let span = now.since(self.alive_since).as_nanos();
        self.alive_time += u128::from(self.alive) * span;
        self.alive_since = now;
    }

    fn turn(&mut self, turn: Turn) {
        let reversed = self.last_turn != Turn::None && self.last_turn != turn;
        self.count.reversals += u64::from(reversed);
        self.last_turn = turn;
    }
}
