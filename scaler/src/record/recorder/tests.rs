use std::time::Duration;

use stoker_core::sim::Scenario;
use stoker_core::{Admission, Policy, Pool, RejectCause, ScaleSpec};

use super::*;
use crate::Clock;
use crate::record::RecordSettings;

/// A pool and its recorder, at times in milliseconds.
struct World {
    pool: Pool,
    recorder: Recorder,
    store: Arc<Store>,
    waiter: u64,
}

impl World {
    fn new(change: impl FnOnce(&mut ScaleSpec)) -> World {
        let mut spec = plain();
        change(&mut spec);
        let store = Store::new(Clock::start());
        World {
            pool: Pool::new(spec, 1, Timestamp::ZERO),
            recorder: Recorder::new(Arc::clone(&store), &"f".into(), &"r".into()),
            store,
            waiter: 0,
        }
    }

    fn apply(&mut self, event: Event, millis: u64) -> Vec<Effect> {
        let now = at(millis);
        let seen = Seen::of(&event);
        let effects = self.pool.apply(event, now);
        self.recorder.note(seen, &effects, self.pool.now());
        effects.into_iter().collect()
    }

    fn arrive(&mut self, millis: u64, patience: u64) {
        self.waiter += 1;
        let waiter = WaiterId(self.waiter);
        let deadline = at(millis + patience);
        self.apply(Event::Acquire { waiter, deadline }, millis);
    }

    fn ready(&mut self, millis: u64) {
        let instance = InstanceId::new(1, 1);
        self.apply(Event::Ready { instance }, millis);
    }

    fn up(&mut self, millis: u64) {
        self.recorder.up(InstanceId::new(1, 1), at(millis));
    }

    fn end(&mut self, granted: u64, millis: u64) {
        let event = Event::Release {
            instance: InstanceId::new(1, 1),
            outcome: Outcome::Answered,
            since: at(granted),
        };
        self.apply(event, millis);
    }

    /// What was recorded, but for decisions.
    fn entries(&self) -> Vec<What> {
        let open = self.recorder.open();
        let entries = open.iter().flat_map(|chunk| chunk.entries());
        let entries = entries.map(|entry| entry.what);
        entries
            .filter(|what| !matches!(what, What::Decided(_)))
            .collect()
    }
}

/// On arrival, one request per instance, everything else out of the way.
fn plain() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::OnArrival,
        concurrency: 1,
        min_scale: 0,
        max_scale: 4,
        initial_scale: 0,
        activation_scale: 1,
        idle_timeout: Duration::from_secs(60),
        scale_down_delay: Duration::ZERO,
        max_starting: 4,
        max_waiters: 1000,
        admission: Admission::Off,
        freeze: Default::default(),
        slow_start: Duration::ZERO,
        drain_timeout: Duration::from_secs(30),
        spares: None,
        // What is left does not matter here.
        ..Scenario::random(1).spec
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_millis(millis)
}

fn request(waited: u64, service: u64, first: bool) -> What {
    What::Request(Request {
        waited: Duration::from_millis(waited),
        service: Duration::from_millis(service),
        outcome: Outcome::Answered,
        first,
    })
}

fn started(took: u64) -> What {
    What::Started {
        instance: InstanceId::new(1, 1),
        took: Duration::from_millis(took),
        cause: StartCause::Request,
    }
}

#[test]
fn a_cold_request_a_warm_one_and_one_that_waits_for_a_slot() {
    let mut world = World::new(|spec| spec.max_scale = 1);
    world.arrive(10, 30_000);
    world.up(110);
    world.ready(110);
    world.arrive(120, 30_000);
    world.end(110, 160);
    world.end(160, 200);
    world.arrive(300, 30_000);
    world.end(300, 305);
    assert_eq!(
        world.entries(),
        [
            started(100),
            request(100, 50, true),
            request(40, 40, false),
            request(0, 5, false),
        ]
    );
}

#[test]
fn a_request_that_was_sent_ahead_waits_until_its_instance_is_up() {
    let mut world = World::new(|spec| spec.max_scale = 1);
    world.arrive(10, 30_000);
    // It is reachable at once, and seen to run later.
    world.ready(10);
    world.up(35);
    world.end(10, 60);
    world.arrive(70, 30_000);
    world.end(70, 75);
    assert_eq!(
        world.entries(),
        [started(25), request(25, 25, true), request(0, 5, false)]
    );
}

/// An idle instance is stopped without a drain, and by the policy all the same.
#[test]
fn what_was_idle_for_long_enough_ends_for_the_policy() {
    let mut world = World::new(|spec| spec.idle_timeout = Duration::from_millis(100));
    world.arrive(0, 30_000);
    world.ready(10);
    world.up(10);
    world.end(10, 20);
    world.apply(Event::Tick, 200);
    let instance = InstanceId::new(1, 1);
    let why = Ending::Policy;
    assert_eq!(
        world.entries(),
        [
            started(10),
            request(10, 10, true),
            What::Ending { instance, why }
        ]
    );
}

#[test]
fn refusals_and_ends_have_their_reasons() {
    let mut world = World::new(|spec| spec.max_scale = 1);
    world.arrive(0, 30_000);
    world.ready(10);
    world.up(10);
    world.arrive(20, 50);
    world.arrive(25, 30_000);
    world.apply(
        Event::Cancel {
            waiter: WaiterId(3),
        },
        40,
    );
    world.apply(Event::Tick, 70);
    let instance = InstanceId::new(1, 1);
    world.apply(Event::Scale { desired: Some(0) }, 80);
    world.end(10, 90);
    let failure = stoker_core::StartFailure {
        kind: stoker_core::FailureKind::Exited,
        detail: "it ended".into(),
    };
    world.apply(Event::Exited { instance, failure }, 100);
    let refused = |waited, cause| What::Refused {
        waited: Duration::from_millis(waited),
        cause,
    };
    assert_eq!(
        world.entries(),
        [
            started(10),
            refused(15, Refusal::Cancelled),
            refused(50, Refusal::Expired),
            What::Ending {
                instance,
                why: Ending::Operator
            },
            request(10, 80, true),
            What::Ended {
                instance,
                lived: Duration::from_millis(100)
            },
        ]
    );
    assert_eq!(Refusal::from(&RejectCause::QueueFull), Refusal::QueueFull);
}

#[test]
fn memory_is_bounded_whatever_the_number_of_functions_and_requests() {
    let store = Store::new(Clock::start());
    let bound = 64 << 10;
    store.configure(RecordSettings {
        memory_bytes: bound,
        keep: Duration::from_secs(365 * 24 * 3600),
        ..RecordSettings::default()
    });
    let mut recorders: Vec<_> = (0..40)
        .map(|number| {
            let name = format!("f{number}").into();
            Recorder::new(Arc::clone(&store), &name, &"r".into())
        })
        .collect();
    let now = Clock::start().now();
    for round in 0..2_000_u64 {
        for (number, recorder) in recorders.iter_mut().enumerate() {
            let later = now + Duration::from_millis(round);
            let seen = Seen::Ended {
                instance: InstanceId::new(number as u32, 1),
                outcome: Outcome::Answered,
                granted: now + Duration::from_millis(round.saturating_sub(3)),
            };
            recorder.note(seen, &Effects::default(), later);
        }
        let (bytes, ..) = store.size();
        // What is open may exceed its half by one small chunk each.
        assert!(
            bytes <= bound + recorders.len() * 1024,
            "{bytes} in round {round}"
        );
    }
    let (_, chunks, lost) = store.size();
    assert!(chunks > 0 && lost == 0);
    let newest = store.chunks(Some("f39"), 0);
    let last = newest.last().and_then(|chunk| chunk.entries().last());
    assert!(last.is_some());
    drop(recorders);
    let (bytes, ..) = store.size();
    assert!(bytes <= bound, "{bytes}");
}

#[test]
fn what_is_not_wished_is_not_recorded() {
    let mut world = World::new(|_| {});
    world.store.configure(RecordSettings {
        enabled: false,
        ..RecordSettings::default()
    });
    world.arrive(10, 30_000);
    world.ready(110);
    world.end(110, 160);
    assert!(world.recorder.open().is_none());
    // What led to the instances is known all the same.
    let life = world.recorder.life(InstanceId::new(1, 1)).expect("a life");
    assert_eq!(life.cause, Some(StartCause::Request));
    assert_eq!(
        life.decision.as_ref().map(|told| told.decision.desired),
        Some(1)
    );
}

#[test]
fn a_function_that_nobody_calls_takes_nothing() {
    let mut world = World::new(|_| {});
    world.apply(Event::Tick, 1);
    assert!(world.recorder.open().is_none());
    assert!(world.recorder.decision().is_none());
    world.arrive(2, 1_000);
    assert!(world.recorder.open().is_some());
    assert!(world.recorder.decision().is_some());
}
