//! Everything at once, on many threads.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stoker_core::{Backoff, InstanceState, ScaleSpec};
use stoker_scaler::{AcquireError, InstanceStatus};

use crate::support::{Function, Lease, NEVER, World, acquire, launch, poll, spec, within};

const FUNCTIONS: usize = 3;
const CLIENTS: u64 = 16;
const REQUESTS: usize = 1000;

/// A small generator; `STOKER_SEED` repeats a run as far as threads allow.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn seed() -> u64 {
    let given = std::env::var("STOKER_SEED").ok();
    let seed = given.map(|seed| seed.parse().unwrap()).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("STOKER_SEED={seed}");
    seed
}

fn scaling(number: usize) -> ScaleSpec {
    ScaleSpec {
        concurrency: 1 + number as u32,
        max_scale: 3,
        max_starting: 2,
        max_waiters: 12,
        idle_timeout: Duration::from_millis(2),
        drain_timeout: Duration::from_millis(5),
        stop_grace: Duration::from_millis(5),
        backoff: Backoff {
            initial: Duration::from_millis(1),
            max: Duration::from_millis(4),
            reject_after: 3,
        },
        ..spec()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_random_events_lose_no_slot_and_leave_nobody_waiting() {
    let seed = seed();
    let world = World::new().await;
    world.driver.go_automatic();
    let mut failing = Random(seed | 1);
    world.driver.set_fails(move || failing.below(10) == 0);
    let functions: Vec<_> = (0..FUNCTIONS)
        .map(|n| {
            let launch = launch(&format!("f{n}"), "one");
            world.scaler.register(launch, scaling(n))
        })
        .collect();
    let world = Arc::new(world);
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|n| {
            let random = Random(seed.wrapping_mul(2 * n + 1) | 1);
            tokio::spawn(client(Arc::clone(&world), functions.clone(), random))
        })
        .collect();
    let mut granted = 0;
    for client in clients {
        granted += within(client).await.unwrap();
    }
    println!("{granted} requests were granted a slot");
    assert!(granted > 0);
    world.driver.set_fails(|| false);
    for (number, function) in functions.iter().enumerate() {
        check_calm(function);
        calm_down(&world, function).await;
        check_slots(function, scaling(number).concurrency).await;
    }

    within(world.scaler.shut_down()).await;
    assert_eq!(world.driver.alive(), 0);
    for function in functions {
        assert!(function.view().instances.is_empty());
        let weak = Arc::downgrade(&function);
        drop(function);
        // Whoever saw its last exit may hold it for a moment.
        within(async {
            while weak.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// Nothing is in use and nobody waits.
fn check_calm(function: &Function) {
    let view = function.view();
    assert_eq!((view.pool.in_flight, view.pool.waiting), (0, 0));
    assert!(view.pool.oldest_wait.is_none());
    assert!(view.instances.len() <= 3);
    for instance in &view.instances {
        assert_eq!(instance.view.in_use, 0, "{instance:?}");
        assert_ne!(instance.view.state, InstanceState::Draining);
    }
}

/// Waits for the starts and ends that are under way and for the end of the backoff.
async fn calm_down(world: &World, function: &Function) {
    function.scale(None);
    let lasts = |status: &InstanceStatus| {
        status.view.state == InstanceState::Ready && world.driver.is_alive(status.view.id)
    };
    within(async {
        while !function.view().instances.iter().all(lasts) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    if let Some(until) = function.view().pool.backoff_until {
        let until = world.scaler.clock().instant(until);
        tokio::time::sleep_until(until.into()).await;
    }
}

/// Every slot that there may be can be had.
async fn check_slots(function: &Arc<Function>, concurrency: u32) {
    let mut leases: Vec<Lease> = Vec::new();
    for _ in 0..3 * concurrency {
        let asking = acquire(function, Instant::now() + NEVER);
        leases.push(within(asking).await.unwrap());
    }
    let view = function.view();
    let used: u32 = view.instances.iter().map(|status| status.view.in_use).sum();
    assert_eq!((used, view.pool.in_flight), (3 * concurrency, used));
}

/// Makes requests in every way; answers how many got a slot.
async fn client(world: Arc<World>, functions: Vec<Arc<Function>>, mut random: Random) -> usize {
    let mut granted = 0;
    for _ in 0..REQUESTS {
        let function = &functions[random.below(FUNCTIONS as u64) as usize];
        let patience = Duration::from_micros(random.below(5000));
        let mut asking = acquire(function, Instant::now() + patience);
        if random.below(4) == 0 {
            // Leaves after a while, at whatever point that is.
            for _ in 0..random.below(4) {
                if poll(&mut asking).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            continue;
        }
        match asking.await {
            Ok(lease) => {
                granted += 1;
                visit(&world, function, lease, &mut random).await;
            }
            Err(AcquireError::ShuttingDown) => panic!("nobody shuts down"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
    granted
}

/// What a request does with its slot, and what others do meanwhile.
async fn visit(world: &World, function: &Function, mut lease: Lease, random: &mut Random) {
    let connection = lease.take_connection().unwrap_or_else(|| Arc::new(0));
    for _ in 0..random.below(8) {
        tokio::task::yield_now().await;
    }
    match random.below(40) {
        0 => lease.set_unhealthy(),
        1 => world.driver.exit(lease.instance().id(), "it crashed"),
        2 => function.evict(),
        3 => function.scale(Some(random.below(4) as u32)),
        4..8 => function.scale(None),
        8..28 => lease.answered(),
        28..36 => lease.failed(),
        _ => {}
    }
    lease.keep_connection(connection);
    if random.below(50) == 0 {
        let instance = Arc::clone(lease.instance());
        drop(lease);
        world.driver.exit(instance.id(), "it crashed");
    }
}
