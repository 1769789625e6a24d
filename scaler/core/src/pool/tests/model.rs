//! Random events against a reference that is too simple to be wrong.

mod reference;

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::testing::any_spec;
use crate::{
    Effect, Event, FailureKind, FloorStep, Inherited, InstanceId, InstanceState, InstanceView,
    Occupancy, Outcome, Pool, PoolView, ScaleSpec, Standing, Timestamp, WaiterId,
};

use super::failure;
use reference::Reference;

/// Something that may happen; an index picks among those it can happen to.
#[derive(Clone, Debug)]
enum Step {
    Acquire {
        patience: u64,
    },
    Cancel(Index),
    Release(Index, Outcome),
    Ready(Index),
    StartFailed(Index, FailureKind),
    Exited(Index),
    Unhealthy(Index),
    Adopted(u32),
    Scale(Option<u32>),
    Evict,
    Forgo(Index),
    Reclaim,
    Pressure(u32),
    FreezeRefused,
    /// A lower bound after so many milliseconds each.
    Schedule(Vec<(u64, u32)>),
    Reconfigure(Box<ScaleSpec>),
    Retire,
    ShutDown,
    EarlyTick,
    /// Another gateway takes over, which takes so many milliseconds.
    HandOver(u64),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(FailureKind::Exited),
        Just(FailureKind::NeverListened),
        Just(FailureKind::Resources)
    ];
    let outcome = prop_oneof![
        2 => Just(Outcome::Answered),
        1 => Just(Outcome::Unknown),
        3 => Just(Outcome::Failed)
    ];
    prop_oneof![
        30 => (1_u64..20_000).prop_map(|patience| Step::Acquire { patience }),
        6 => any::<Index>().prop_map(Step::Cancel),
        25 => (any::<Index>(), outcome).prop_map(|(at, outcome)| Step::Release(at, outcome)),
        15 => any::<Index>().prop_map(Step::Ready),
        4 => (any::<Index>(), kind).prop_map(|(at, kind)| Step::StartFailed(at, kind)),
        8 => any::<Index>().prop_map(Step::Exited),
        2 => any::<Index>().prop_map(Step::Unhealthy),
        1 => (1_u32..100).prop_map(Step::Adopted),
        2 => prop::option::of(0_u32..5).prop_map(Step::Scale),
        1 => Just(Step::Evict),
        4 => any::<Index>().prop_map(Step::Forgo),
        3 => Just(Step::Reclaim),
        1 => Just(Step::FreezeRefused),
        2 => (0_u32..3).prop_map(Step::Pressure),
        1 => prop::collection::vec((0_u64..30_000, 0_u32..5), 0..4).prop_map(Step::Schedule),
        1 => any_spec().prop_map(|spec| Step::Reconfigure(Box::new(spec))),
        1 => Just(Step::Retire),
        1 => Just(Step::ShutDown),
        2 => Just(Step::EarlyTick),
        2 => (0_u64..500).prop_map(Step::HandOver),
        12 => (0_u64..4_000).prop_map(Step::Wait),
        2 => (0_u64..60_000).prop_map(Step::Wait),
    ]
}

/// A pool, the reference beside it, and the clock.
struct Trial {
    pool: Pool,
    reference: Reference,
    now: Timestamp,
    wake_at: Timestamp,
    next_waiter: u64,
    /// Leases that are out, oldest first.
    grants: Vec<(InstanceId, Timestamp)>,
    /// Pools so far, of which each has its own ids.
    pools: u32,
}

impl Trial {
    fn new(spec: ScaleSpec) -> Self {
        let now = Timestamp::from_nanos(5_500_000_000);
        let mut trial = Trial {
            pool: Pool::new(spec.clone(), 1, now),
            reference: Reference::new(spec),
            now,
            wake_at: Timestamp::MAX,
            next_waiter: 0,
            grants: Vec::new(),
            pools: 1,
        };
        trial.apply(Event::Tick);
        trial
    }

    fn apply(&mut self, event: Event) {
        let effects = self.pool.apply(event.clone(), self.now);
        for effect in effects.iter() {
            match effect {
                Effect::WakeAt(time) => {
                    assert!(*time > self.now, "a timer in the past");
                    self.wake_at = *time;
                }
                Effect::Grant { instance, .. } => self.grants.push((*instance, self.now)),
                _ => {}
            }
        }
        let view = self.pool.view(self.now);
        self.reference.follow(&event, &effects, &view, self.now);
        assert_eq!(self.pool.occupancy(), counted(&view));
        if let Err(violation) = self.pool.check() {
            panic!("{violation} after {event:?}: {:?}", self.pool);
        }
    }

    /// What is given up for want of room is one instance at most, that nobody needs.
    fn give_up(&mut self, event: Event) {
        let serving = |view: &PoolView| {
            let serves = |it: &&InstanceView| match it.state {
                InstanceState::Starting => true,
                InstanceState::Ready => it.standing == Standing::Good,
                InstanceState::Draining | InstanceState::Stopping => false,
            };
            view.instances.iter().filter(serves).count() as u32
        };
        let before = self.pool.view(self.now);
        self.apply(event);
        let after = self.pool.view(self.now);
        let (had, has) = (serving(&before), serving(&after));
        // What was due is done first, which may be anything.
        if has < had && self.reference.waiting() == before.waiting as usize {
            let floor = self.reference.spec().min_scale;
            let held = before.scale_override.unwrap_or(floor);
            assert!(
                had > held.min(floor) || before.retired,
                "fewer than min_scale"
            );
            assert!(has > 0 || after.waiting == 0, "somebody waits for it");
        }
    }

    /// A new pool goes on with what this one has: to the reference nothing happens.
    fn hand_over(&mut self, millis: u64) {
        if self.pool.view(self.now).retired {
            return;
        }
        let legacy = self.pool.legacy();
        self.pools += 1;
        self.pool = Pool::new(self.reference.spec().clone(), self.pools, self.now);
        self.wake_at = Timestamp::MAX;
        // Nobody decides meanwhile.
        self.now = self.now + Duration::from_millis(millis);
        self.apply(Event::Inherited(Box::new(legacy.clone())));
        let inherited = self.pool.legacy();
        assert_eq!(inherited.learned, legacy.learned);
        let pairs = inherited.instances.iter().filter_map(|after| {
            let mut all = legacy.instances.iter();
            let before = all.find(|before| before.instance == after.instance)?;
            Some((before, after))
        });
        for (before, after) in pairs {
            self.compare_standing(before, after);
        }
    }

    /// A takeover in itself changes no standing and ends no slow start.
    fn compare_standing(&self, before: &Inherited, after: &Inherited) {
        let counts = |it: &Inherited| (it.record.failures, it.record.ejections);
        assert_eq!(counts(before), counts(after));
        if (before.state, after.state) != (InstanceState::Ready, InstanceState::Ready) {
            return;
        }
        match (before.standing, after.standing) {
            (Standing::Aside { until }, Standing::Trial) => assert!(until <= self.now),
            // Others may have gone, of which it has to take the place.
            (before, Standing::Good) => assert!(
                before == Standing::Good || after.record.good_since == self.now,
                "it came back for nothing"
            ),
            (before, after) => assert_eq!(before, after),
        }
        let spec = self.reference.spec();
        let is_new = |since: &Timestamp| *since + spec.slow_start > self.now;
        // One slot is all or none.
        let warm_since = before
            .warm_since
            .filter(|since| is_new(since) && spec.concurrency > 1);
        assert_eq!(after.warm_since, warm_since);
    }

    fn wait(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while self.wake_at <= end {
            self.now = self.wake_at;
            self.wake_at = Timestamp::MAX;
            self.apply(Event::Tick);
        }
        self.now = end;
    }

    fn step(&mut self, step: Step) {
        let event = match step {
            Step::Wait(millis) => return self.wait(millis),
            Step::EarlyTick => Event::Tick,
            Step::HandOver(millis) => return self.hand_over(millis),
            Step::Acquire { patience } => {
                self.next_waiter += 1;
                let deadline = self.now + Duration::from_millis(patience);
                Event::Acquire {
                    waiter: WaiterId(self.next_waiter),
                    deadline,
                }
            }
            Step::Cancel(at) => match self.reference.waiting() {
                // A caller that was answered already may leave at the same time.
                0 => Event::Cancel {
                    waiter: WaiterId(self.next_waiter),
                },
                count => Event::Cancel {
                    waiter: self.reference.waiter(at.index(count)),
                },
            },
            Step::Adopted(count) => Event::Adopted {
                instance: InstanceId::new(9999, count),
            },
            Step::Scale(desired) => Event::Scale { desired },
            Step::Evict => Event::Evict,
            Step::Reclaim => return self.give_up(Event::Reclaim),
            Step::Forgo(_) => match self.instance_event(step) {
                Some(event) => return self.give_up(event),
                None => return,
            },
            Step::FreezeRefused => Event::FreezeRefused,
            Step::Pressure(release) => Event::Pressure { release },
            Step::Schedule(steps) => {
                let step = |(millis, min_scale)| FloorStep {
                    at: self.now + Duration::from_millis(millis),
                    min_scale,
                };
                Event::Schedule(steps.into_iter().map(step).collect())
            }
            Step::Reconfigure(spec) => Event::Reconfigure(spec),
            Step::Retire => Event::Retire,
            Step::ShutDown => Event::ShutDown,
            other => match self.instance_event(other) {
                Some(event) => event,
                None => return,
            },
        };
        self.apply(event);
    }

    /// The event for an instance that it can happen to.
    fn instance_event(&mut self, step: Step) -> Option<Event> {
        let pick = |at: Index, wanted: &dyn Fn(InstanceState, u32) -> bool| {
            let found = self.reference.instances(wanted);
            (!found.is_empty()).then(|| found[at.index(found.len())])
        };
        let starting = |state, _| state == InstanceState::Starting;
        Some(match step {
            Step::Release(at, outcome) => {
                let instance = pick(at, &|_, in_use| in_use > 0)?;
                self.release(instance, outcome)
            }
            Step::Ready(at) => Event::Ready {
                instance: pick(at, &starting)?,
            },
            Step::Forgo(at) => Event::Forgo {
                instance: pick(at, &starting)?,
            },
            Step::StartFailed(at, kind) => Event::StartFailed {
                instance: pick(at, &starting)?,
                failure: failure(kind),
            },
            Step::Exited(at) => {
                let instance = pick(at, &|state, _| state != InstanceState::Starting)?;
                Event::Exited {
                    instance,
                    failure: failure(FailureKind::Exited),
                }
            }
            Step::Unhealthy(at) => Event::Unhealthy {
                instance: pick(at, &|_, _| true)?,
            },
            _ => return None,
        })
    }

    /// The end of the oldest lease on an instance.
    fn release(&mut self, instance: InstanceId, outcome: Outcome) -> Event {
        let place = self.grants.iter().position(|(other, _)| *other == instance);
        let since = place.map_or(self.now, |place| self.grants.remove(place).1);
        Event::Release {
            instance,
            outcome,
            since,
        }
    }

    /// With a shell that does its part, everybody is answered and everything ends.
    fn finish(mut self) {
        self.apply(Event::Retire);
        for _ in 0..200 {
            if self.pool.is_finished() {
                return assert_eq!(self.reference.waiting(), 0);
            }
            for instance in self
                .reference
                .instances(&|state, _| state == InstanceState::Starting)
            {
                self.apply(Event::Ready { instance });
            }
            for instance in self.reference.instances(&|_, in_use| in_use > 0) {
                let event = self.release(instance, Outcome::Answered);
                self.apply(event);
            }
            for instance in self
                .reference
                .instances(&|state, _| state == InstanceState::Stopping)
            {
                let failure = failure(FailureKind::Exited);
                self.apply(Event::Exited { instance, failure });
            }
            self.wait(500);
        }
        panic!("the pool does not come to its end: {:?}", self.pool);
    }
}

/// What the view comes to.
fn counted(view: &PoolView) -> Occupancy {
    let there = view.instances.iter();
    let there = there.filter(|it| it.state != InstanceState::Stopping);
    Occupancy {
        instances: there.count() as u32,
        waiting: view.waiting,
        in_flight: view.in_flight,
    }
}

proptest! {
    #[test]
    fn any_events_leave_the_pool_in_order(
        spec in any_spec(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut trial = Trial::new(spec);
        for step in steps {
            trial.step(step);
        }
        trial.finish();
    }
}
