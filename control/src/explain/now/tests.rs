use std::sync::Arc;

use stoker_config::Changes;
use stoker_core::{Effect, Effects, Event, Outcome, Pool, WaiterId};
use stoker_scaler::FunctionView;
use stoker_scaler::record::Told;

use super::*;

const ORIGIN: Timestamp = Timestamp::from_nanos(1_000_000_000);

fn at(millis: u64) -> Timestamp {
    ORIGIN + Duration::from_millis(millis)
}

struct World {
    spec: Arc<ScaleSpec>,
    pool: Pool,
    waiter: u64,
    explained: Vec<(InstanceId, LifeView)>,
    told: Option<Arc<Told>>,
}

impl World {
    fn new(settings: &str) -> World {
        let changes: Changes = settings.parse().unwrap();
        let spec = changes.apply(None).unwrap().scaling;
        let mut world = World {
            pool: Pool::new(Arc::clone(&spec), 1, ORIGIN),
            spec,
            waiter: 0,
            explained: Vec::new(),
            told: None,
        };
        world.apply(Event::Tick, 0);
        world
    }

    fn apply(&mut self, event: Event, millis: u64) -> Effects {
        let effects = self.pool.apply(event, at(millis));
        for effect in effects.iter() {
            match effect {
                Effect::Decided(decision) => {
                    let decision = (**decision).clone();
                    let at = at(millis);
                    self.told = Some(Arc::new(Told { at, decision }));
                }
                Effect::Start { instance } => {
                    let life = LifeView {
                        cause: Some(StartCause::Request),
                        decision: None,
                        up: None,
                        ending: None,
                    };
                    self.explained.push((*instance, life));
                }
                Effect::Drain { instance } | Effect::Stop { instance } => {
                    let ending = Some((at(millis), Ending::Operator));
                    let mut lives = self.explained.iter_mut();
                    let life = lives.find(|(id, _)| id == instance);
                    life.unwrap().1.ending = ending;
                }
                _ => {}
            }
        }
        // What starts in one step starts for what was decided in it.
        for (_, life) in &mut self.explained {
            let told = self.told.clone();
            life.decision = life.decision.take().or(told);
        }
        effects
    }

    fn arrive(&mut self, millis: u64) {
        self.waiter += 1;
        let event = Event::Acquire {
            waiter: WaiterId(self.waiter),
            deadline: at(millis + 30_000),
        };
        self.apply(event, millis);
    }

    fn ready(&mut self, count: u32, millis: u64) {
        let instance = InstanceId::new(1, count);
        self.apply(Event::Ready { instance }, millis);
    }

    fn end(&mut self, count: u32, since: u64, millis: u64) {
        let event = Event::Release {
            instance: InstanceId::new(1, count),
            outcome: Outcome::Answered,
            since: at(since),
        };
        self.apply(event, millis);
    }

    fn explain(&self, millis: u64) -> Explanation {
        let explained = Explained {
            view: FunctionView {
                pool: self.pool.view(at(millis)),
                instances: Vec::new(),
                held: None,
            },
            decision: self.pool.decision(at(millis)),
            told: self.told.clone(),
            lives: self.explained.clone(),
        };
        now("hello", &explained, &self.spec, at(millis))
    }
}

fn each(explanation: &Explanation) -> Vec<String> {
    let each = explanation.instances.iter();
    each.map(|it| format!("{} {} {}", it.id, it.state, it.sentence))
        .collect()
}

#[test]
fn a_function_that_was_never_called() {
    let told = World::new("on-arrival").explain(5);
    assert_eq!(
        told.sentences[0],
        "hello has 0 instances, 0 requests in flight and 0 waiting."
    );
    assert!(told.instances.is_empty());
}

#[test]
fn busy_idle_and_starting_instances_and_the_bound_that_won() {
    let mut world = World::new("on-arrival,max-scale=3,idle-timeout=60s");
    for _ in 0..4 {
        world.arrive(0);
    }
    world.ready(1, 100);
    world.ready(2, 200);
    let told = world.explain(3_100);
    assert_eq!(
        told.decision.as_ref().map(|it| (it.desired, it.unclamped)),
        Some((3, 4))
    );
    let text = told.sentences.join("\n");
    assert!(
        text.contains("hello has 3 instances, 2 requests in flight and 2 waiting."),
        "{text}"
    );
    assert!(
        text.contains("Without max_scale it would be 4 instances."),
        "{text}"
    );
    assert_eq!(
        each(&told),
        [
            "1-1 ready serves 1 of 1 request; it was started 3.1s ago because requests waited, when \
             1 instance was wanted.",
            "1-2 ready serves 1 of 1 request; it was started 3.1s ago because requests waited, when \
             2 instances were wanted.",
            "1-3 starting is starting for 3.1s; it was started 3.1s ago because requests waited, when \
             3 instances were wanted.",
        ]
    );
}

#[test]
fn an_idle_instance_says_when_it_goes() {
    let mut world = World::new("on-arrival,idle-timeout=60s");
    world.arrive(0);
    world.ready(1, 100);
    world.end(1, 100, 2_000);
    let told = world.explain(14_000);
    assert_eq!(
        each(&told),
        [
            "1-1 ready is idle for 12s and goes in 48s, after 1m00s of that; it was started 14s ago \
             because requests waited, when 1 instance was wanted."
        ]
    );
}

#[test]
fn an_idle_instance_that_is_wanted_stays() {
    let mut world = World::new("on-arrival,min-scale=1");
    world.ready(1, 100);
    let told = world.explain(90_100);
    let each = each(&told);
    assert!(
        each[0].contains("is idle for 1m30s and stays, because it is among those that are wanted"),
        "{each:?}"
    );
}

#[test]
fn an_instance_that_drains_says_why() {
    let mut world = World::new("on-arrival");
    world.arrive(0);
    world.ready(1, 100);
    world.apply(Event::Scale { desired: Some(0) }, 1_000);
    let told = world.explain(2_500);
    let text = told.sentences.join("\n");
    assert!(
        text.contains("An operator holds it at 0 instances."),
        "{text}"
    );
    let each = each(&told);
    assert!(
        each[0].starts_with(
            "1-1 draining drains for 1.5s with 1 request, because an operator wants fewer"
        ),
        "{each:?}"
    );
}
