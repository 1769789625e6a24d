//! The simulated shell: it carries out effects and makes the events that follow from them.

mod effects;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use crate::sim::{Defect, Random, Report, Scenario};
use crate::{Event, FailureKind, InstanceId, Outcome, Pool, StartFailure, Timestamp, WaiterId};

/// A pool that lives longer than this after its retirement does not end at all.
const END_LIMIT: Duration = Duration::from_secs(2 * 86_400);

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrive(usize),
    /// The caller leaves.
    Leave(WaiterId),
    /// The request is done, if it still runs.
    Finish(WaiterId),
    Ready(InstanceId),
    StartFailed(InstanceId, bool),
    Exit(InstanceId),
    Unhealthy(InstanceId),
    /// Ordered by the `WakeAt` of this number; a later one replaces it.
    Tick(u64),
    EarlyTick,
    Evict,
    /// There is room for a start that was held.
    Admit(InstanceId),
    Reclaim,
    Hold(Option<u32>),
    Pressure(u32),
    TakeOver,
    End,
}

/// A request that has a slot.
struct Lease {
    instance: InstanceId,
    since: Timestamp,
}

pub(super) struct World<'a> {
    scenario: &'a Scenario,
    seed: u64,
    random: Random,
    pool: Pool,
    /// Pools so far, of which each has its own ids.
    pools: u32,
    now: Timestamp,
    /// By time, equal times in the order in which they were planned.
    plan: BinaryHeap<Reverse<(Timestamp, u64, Happening)>>,
    planned: u64,
    wakes: u64,
    /// Service times, by the number of the waiter.
    service: Vec<Duration>,
    /// By number, which is by age.
    waiting: BTreeMap<WaiterId, Timestamp>,
    running: BTreeMap<WaiterId, Lease>,
    /// Instances alive, and since when.
    live: BTreeMap<InstanceId, Timestamp>,
    stopping: BTreeSet<InstanceId>,
    sick: BTreeSet<InstanceId>,
    /// Instances that get no CPU, and since when.
    frozen: BTreeMap<InstanceId, Timestamp>,
    /// The number that the pool wants, if it wants any kept.
    spares: Option<u32>,
    report: Report,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let mut world = World {
            scenario,
            seed,
            random: Random::new(seed ^ 0x5eed),
            pool: Pool::new(scenario.spec.clone(), 1, Timestamp::ZERO),
            pools: 1,
            now: Timestamp::ZERO,
            plan: BinaryHeap::new(),
            planned: 0,
            wakes: 0,
            service: Vec::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            live: BTreeMap::new(),
            stopping: BTreeSet::new(),
            sick: BTreeSet::new(),
            frozen: BTreeMap::new(),
            spares: None,
            report: Report::default(),
        };
        for (number, arrival) in scenario.arrivals.iter().enumerate() {
            world.plan_at(arrival.at, Happening::Arrive(number));
        }
        for &at in &scenario.faults.evictions {
            world.plan_at(at, Happening::Evict);
        }
        for &at in &scenario.faults.reclaims {
            world.plan_at(at, Happening::Reclaim);
        }
        for &(at, desired) in &scenario.faults.holds {
            world.plan_at(at, Happening::Hold(desired));
        }
        for &(at, release) in &scenario.faults.pressures {
            world.plan_at(at, Happening::Pressure(release));
        }
        for &at in &scenario.faults.takeovers {
            world.plan_at(at, Happening::TakeOver);
        }
        world.plan_at(scenario.retire_at, Happening::End);
        world
    }

    pub(super) fn run(mut self) -> Result<Report, Defect> {
        self.apply(Event::Tick)?;
        let limit = self.scenario.retire_at + END_LIMIT;
        while let Some(Reverse((time, _, happening))) = self.plan.pop() {
            self.now = time;
            if time > limit {
                return self.defect("the pool does not come to its end");
            }
            self.happen(happening)?;
            let arrivals_left = self.report.arrived < self.scenario.arrivals.len() as u64;
            if self.pool.is_finished() && !arrivals_left && self.running.is_empty() {
                self.report.end = self.now;
                return self.close();
            }
        }
        self.defect("nothing is left to happen, but the pool is not at its end")
    }

    fn close(self) -> Result<Report, Defect> {
        if !self.waiting.is_empty() || self.report.answered() != self.report.arrived {
            return self.defect("a request was not answered");
        }
        if !self.live.is_empty() {
            return self.defect("an instance was left behind");
        }
        Ok(self.report)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Defect> {
        match happening {
            Happening::Arrive(number) => self.arrive(number),
            Happening::Leave(waiter) => self.leave(waiter),
            Happening::Finish(waiter) => {
                let outcome = self.outcome(waiter);
                self.finish(waiter, outcome)
            }
            Happening::Ready(instance) => self.apply(Event::Ready { instance }),
            Happening::StartFailed(instance, silent) => {
                let kind = match silent {
                    true => FailureKind::NeverListened,
                    false => FailureKind::Exited,
                };
                self.gone(instance);
                self.apply(Event::StartFailed {
                    instance,
                    failure: failure(kind),
                })
            }
            Happening::Exit(instance) => {
                self.gone(instance);
                // Twice: the second one is late.
                self.apply(Event::Exited {
                    instance,
                    failure: failure(FailureKind::Exited),
                })?;
                self.apply(Event::Exited {
                    instance,
                    failure: failure(FailureKind::Exited),
                })
            }
            Happening::Unhealthy(instance) => self.apply(Event::Unhealthy { instance }),
            Happening::Tick(number) if number != self.wakes => Ok(()),
            Happening::Tick(_) | Happening::EarlyTick => self.apply(Event::Tick),
            Happening::Evict => self.apply(Event::Evict),
            Happening::Admit(instance) => self.admit(instance),
            Happening::Reclaim => self.apply(Event::Reclaim),
            Happening::Hold(desired) => self.apply(Event::Scale { desired }),
            Happening::Pressure(release) => {
                self.apply(Event::ForgoSpares)?;
                self.apply(Event::Pressure { release })
            }
            Happening::TakeOver => self.take_over(),
            Happening::End if self.scenario.shut_down => self.apply(Event::ShutDown),
            Happening::End => self.apply(Event::Retire),
        }
    }

    /// A new pool goes on with what there is, as long as the revision serves.
    fn take_over(&mut self) -> Result<(), Defect> {
        if self.pool.view(self.now).retired {
            return Ok(());
        }
        let legacy = self.pool.legacy();
        self.pools += 1;
        self.pool = Pool::new(self.scenario.spec.clone(), self.pools, self.now);
        // It begins with none.
        self.spares = None;
        // Ticks of the former one are void.
        self.wakes += 1;
        self.apply(Event::Inherited(Box::new(legacy)))
    }

    fn arrive(&mut self, number: usize) -> Result<(), Defect> {
        let arrival = self.scenario.arrivals[number];
        // Numbers follow the order of arrival, whatever the order in the list is.
        let waiter = WaiterId(self.report.arrived);
        self.report.arrived += 1;
        let deadline = self.now + arrival.patience;
        self.waiting.insert(waiter, self.now);
        self.service.push(arrival.service);
        if self.random.chance(self.scenario.faults.leave) {
            let later = self.random.within(arrival.patience);
            self.plan_in(later, Happening::Leave(waiter));
        }
        if self.random.chance(self.scenario.faults.early_tick) {
            let later = self.random.within(Duration::from_secs(1));
            self.plan_in(later, Happening::EarlyTick);
        }
        self.apply(Event::Acquire { waiter, deadline })
    }

    fn leave(&mut self, waiter: WaiterId) -> Result<(), Defect> {
        if self.waiting.remove(&waiter).is_some() {
            self.report.left += 1;
        }
        // Also for one that was served meanwhile: the caller cannot know.
        self.apply(Event::Cancel { waiter })?;
        self.finish(waiter, Outcome::Unknown)
    }

    fn finish(&mut self, waiter: WaiterId, outcome: Outcome) -> Result<(), Defect> {
        let Some(lease) = self.running.remove(&waiter) else {
            return Ok(());
        };
        self.report.busy_time += self.now.since(lease.since);
        self.apply(Event::Release {
            instance: lease.instance,
            outcome,
            since: lease.since,
        })
    }

    /// What a request that runs to its end finds.
    fn outcome(&mut self, waiter: WaiterId) -> Outcome {
        let instance = self.running.get(&waiter).map(|lease| lease.instance);
        let sick = instance.is_some_and(|instance| self.sick.contains(&instance));
        if sick && self.random.chance(self.scenario.faults.fail) {
            self.report.failed += 1;
            return Outcome::Failed;
        }
        Outcome::Answered
    }

    fn gone(&mut self, instance: InstanceId) {
        self.stopping.remove(&instance);
        self.end_frost(instance);
        if let Some(since) = self.live.remove(&instance) {
            self.report.instance_time += self.now.since(since);
        }
    }

    fn apply(&mut self, event: Event) -> Result<(), Defect> {
        self.report.events += 1;
        let effects = self.pool.apply(event, self.now);
        for effect in effects {
            self.report.hash(&effect, self.now);
            self.carry_out(effect)?;
        }
        // Debug builds check in `apply`.
        if !cfg!(debug_assertions)
            && let Err(violation) = self.pool.check()
        {
            return self.defect(violation.0);
        }
        Ok(())
    }

    /// A start that was held begins, unless it is not needed any more.
    fn admit(&mut self, instance: InstanceId) -> Result<(), Defect> {
        self.apply(Event::Forgo { instance })?;
        if self.stopping.contains(&instance) {
            self.plan_in(Duration::ZERO, Happening::StartFailed(instance, false));
        } else if self.live.contains_key(&instance) {
            self.begin(instance);
        }
        Ok(())
    }

    fn begin(&mut self, instance: InstanceId) {
        let faults = &self.scenario.faults;
        if self.random.chance(faults.sick) {
            self.sick.insert(instance);
        }
        let slow = self.random.chance(faults.slow_start);
        let time = self.scenario.start_time.sample(&mut self.random) * if slow { 10 } else { 1 };
        let happening = if self.random.chance(faults.failed_start) {
            Happening::StartFailed(instance, self.random.chance(faults.never_listened))
        } else {
            Happening::Ready(instance)
        };
        self.plan_in(time, happening);
    }

    fn plan_in(&mut self, later: Duration, happening: Happening) {
        self.plan_at(self.now + later, happening);
    }

    fn plan_at(&mut self, time: Timestamp, happening: Happening) {
        self.planned += 1;
        self.plan.push(Reverse((time, self.planned, happening)));
    }

    fn defect<T>(&self, what: &str) -> Result<T, Defect> {
        Err(Defect {
            seed: self.seed,
            at: self.now,
            what: what.into(),
        })
    }
}

fn failure(kind: FailureKind) -> StartFailure {
    StartFailure {
        kind,
        detail: "simulated".into(),
    }
}
