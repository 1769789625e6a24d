//! One policy that is tried.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use stoker_core::{ScaleSpec, StartLimits, Timestamp};
use stoker_gateway::{Entry, Fare, ShadowStatus};
use stoker_lab::{Arrival, Engine, Setup, World};
use stoker_scaler::record::{Chunk, What};

/// The trial is so far behind, so that most requests have ended by then.
const BEHIND: Duration = Duration::from_secs(5);

/// One policy that is tried.
pub(super) struct Trial {
    setup: Setup,
    starts: StartLimits,
    live_spec: Arc<ScaleSpec>,
    engine: Engine,
    function: u32,
    /// When it began, microseconds since 1970; requests that came before are not its own.
    begun: u64,
    /// Entries up to this time were taken in, and of the chunks that were there so many.
    seen: u64,
    places: HashMap<u64, usize>,
    /// Requests that have ended and whose time has not come.
    ahead: BinaryHeap<Reverse<Call>>,
    live: Live,
}

/// By arrival.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    arrived: u64,
    service: Option<Duration>,
    start: Option<Duration>,
}

/// What the policy in force does.
struct Live {
    waits: Histogram<u64>,
    service: Duration,
    fare: Fare,
    /// When the instances were counted last.
    counted: u64,
}

impl Trial {
    /// Begins at a time, in microseconds since 1970.
    pub(super) fn new(
        (setup, starts): (Setup, &StartLimits),
        live: &Arc<ScaleSpec>,
        now: u64,
    ) -> Trial {
        let mut engine = Engine::new(World {
            tail: Duration::ZERO,
            begin: SystemTime::UNIX_EPOCH + Duration::from_micros(now),
            starts: Some(starts.clone()),
            ..World::default()
        });
        let function = engine.add("function", setup.clone());
        let waits = Histogram::new_with_bounds(1, 3_600_000_000, 3);
        Trial {
            setup,
            starts: starts.clone(),
            live_spec: Arc::clone(live),
            engine,
            function,
            begun: now,
            seen: now,
            places: HashMap::new(),
            ahead: BinaryHeap::new(),
            live: Live {
                waits: waits.expect("a histogram from 1 us to an hour with 3 digits can be made"),
                service: Duration::ZERO,
                fare: Fare::default(),
                counted: now,
            },
        }
    }

    /// Whether it tries what the function's manifest says, beside the settings in force.
    pub(super) fn is_of(&self, entry: &Entry, starts: &StartLimits) -> bool {
        let Setup {
            spec,
            patience,
            schedule,
            ..
        } = &self.setup;
        let now = &entry.spec;
        self.starts == *starts
            && now.shadow.as_ref() == Some(spec)
            && now.scaling == self.live_spec
            && now.timeouts.queue == *patience
            && now.schedule == *schedule
    }

    /// What was recorded before this is known here; microseconds since 1970.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes in what these chunks have that is new, and goes on to `now`. There are so many real
    /// instances.
    pub(super) fn step(&mut self, chunks: &[Arc<Chunk>], instances: u32, now: u64) {
        // A chunk that is not among these ended before what was seen, and does not come again.
        let known = std::mem::take(&mut self.places);
        for chunk in chunks {
            let known = known.get(&chunk.id()).copied().unwrap_or_default();
            self.take(chunk, known);
        }
        let passed = Duration::from_micros(now.saturating_sub(self.live.counted));
        self.live.counted = now;
        self.live.fare.instances = instances;
        self.live.fare.instance_seconds += f64::from(instances) * passed.as_secs_f64();

        let until = now.saturating_sub(BEHIND.as_micros() as u64);
        while let Some(Reverse(call)) = self.ahead.peek()
            && call.arrived <= until
        {
            let Some(Reverse(call)) = self.ahead.pop() else {
                break;
            };
            self.engine.feed(Arrival {
                at: self.virtual_time(call.arrived),
                function: self.function,
                service: call.service.unwrap_or(self.live.service),
                start: call.start,
            });
        }
        self.engine.play(self.virtual_time(until));
    }

    /// How both fare.
    pub(super) fn status(&mut self, now: u64) -> ShadowStatus {
        let progress = self.engine.progress();
        let mut live = self.live.fare;
        let wait = |share| Duration::from_micros(self.live.waits.value_at_quantile(share));
        if !self.live.waits.is_empty() {
            (live.wait_p50, live.wait_p99) = (wait(0.5), wait(0.99));
        }
        ShadowStatus {
            policy: self.setup.spec.policy.name().to_owned(),
            age: Duration::from_micros(now.saturating_sub(self.begun)),
            shadow: Fare {
                requests: progress.calls,
                delayed: progress.delayed,
                refused: progress.refused,
                wait_p50: progress.wait_p50,
                wait_p99: progress.wait_p99,
                wait_max: progress.wait_max,
                starts: progress.starts,
                instances: progress.instances,
                instance_seconds: progress.instance_seconds,
            },
            live,
        }
    }

    /// Takes in the entries of a chunk but for the first ones, which are known.
    fn take(&mut self, chunk: &Chunk, known: usize) {
        let mut count = 0;
        let mut starts = Vec::new();
        for entry in chunk.entries() {
            count += 1;
            if count <= known || entry.at < self.begun {
                continue;
            }
            self.seen = self.seen.max(entry.at);
            let before = |time: Duration| entry.at.saturating_sub(time.as_micros() as u64);
            let (arrived, service) = match entry.what {
                What::Request(request) => {
                    self.live.serve(request.waited, request.service);
                    (before(request.total()), Some(request.service))
                }
                What::Refused { waited, .. } => {
                    self.live.fare.refused += 1;
                    (before(waited), None)
                }
                What::Started { took, .. } => {
                    self.live.fare.starts += 1;
                    starts.push(took);
                    continue;
                }
                _ => continue,
            };
            self.live.fare.requests += 1;
            self.ahead.push(Reverse(Call {
                arrived: arrived.max(self.begun),
                service,
                // The lab uses what was measured for its own starts, in turn.
                start: starts.pop(),
            }));
        }
        self.places.insert(chunk.id(), count);
    }

    fn virtual_time(&self, at: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_micros(at.saturating_sub(self.begun))
    }
}

impl Live {
    fn serve(&mut self, waited: Duration, service: Duration) {
        self.service = service;
        self.fare.delayed += u64::from(!waited.is_zero());
        self.fare.wait_max = self.fare.wait_max.max(waited);
        self.waits.saturating_record(waited.as_micros() as u64);
    }
}

#[cfg(test)]
mod tests;
