//! What the policies cost: one decision, and a tick of ten thousand functions.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use stoker_core::{
    Effect, Event, InstanceId, Load, Observations, Outcome, Policy, PolicyState, Pool, ScaleSpec,
    Timestamp, WaiterId, decide,
};

#[path = "../scaler/core/tests/common/spec.rs"]
mod common;

/// Functions in a tick.
const FUNCTIONS: usize = 10_000;

fn spec(policy: Policy) -> ScaleSpec {
    ScaleSpec {
        policy,
        concurrency: 10,
        target: 10.0,
        ..common::spec()
    }
}

/// A pool with an instance, after some requests, and the time that it is there.
fn used(policy: Policy) -> (Pool, Timestamp) {
    let mut now = Timestamp::from_nanos(1_000_000_000);
    let mut pool = Pool::new(spec(policy), 1, now);
    pool.apply(Event::Tick, now);
    let first = InstanceId::new(1, 1);
    for number in 0..20 {
        let waiter = WaiterId(number);
        let deadline = now + Duration::from_secs(60);
        let effects = pool.apply(Event::Acquire { waiter, deadline }, now);
        if effects.iter().any(|it| matches!(it, Effect::Start { .. })) {
            pool.apply(Event::Ready { instance: first }, now);
        }
        let since = now;
        now = now + Duration::from_millis(20);
        let release = Event::Release {
            instance: first,
            outcome: Outcome::Answered,
            since,
        };
        pool.apply(release, now);
        now = now + Duration::from_secs(3);
        pool.apply(Event::Tick, now);
    }
    (pool, now)
}

fn deciding(criterion: &mut Criterion) {
    let observations = Observations {
        load: Some(Load {
            stable: 37.5,
            panic: 80.0,
        }),
        ready: 4,
        starting: 1,
        in_flight: 60,
        queued: 20,
        last_active: Timestamp::from_nanos(1),
        scheduled: 0,
    };
    let now = Timestamp::from_nanos(1_000_000_000);
    for policy in Policy::ALL {
        let spec = spec(policy);
        let mut state = PolicyState::new(&spec);
        criterion.bench_function(&format!("decide, {}", policy.name()), |bencher| {
            bencher.iter(|| {
                let prior = std::mem::take(&mut state);
                let decision = decide(&spec, prior, black_box(&observations), now);
                state = decision.next;
                decision.desired
            });
        });
    }
}

fn ticking(criterion: &mut Criterion) {
    for policy in Policy::ALL {
        let (mut pools, mut times): (Vec<_>, Vec<_>) = (0..FUNCTIONS).map(|_| used(policy)).unzip();
        let name = format!("tick of {FUNCTIONS} functions, {}", policy.name());
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| {
                for (pool, time) in pools.iter_mut().zip(&mut times) {
                    *time = *time + Duration::from_secs(2);
                    black_box(pool.apply(Event::Tick, *time));
                }
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_secs(1));
    targets = deciding, ticking
}
criterion_main!(benches);
