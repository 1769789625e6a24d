//! A pool allocates nothing while its function is idle, whatever its policy, however often it is
//! looked at; nor does a warm request.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use stoker_core::{
    Effect, Effects, Event, FailureKind, FloorStep, Outcome, Policy, Pool, ScaleSpec, StartFailure,
    Timestamp, WaiterId,
};

#[path = "common/spec.rs"]
mod common;

/// Counts what the thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; counting neither allocates nor
// unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends counts no more.
        COUNT.try_with(|count| count.set(count.get() + 1)).ok();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer is from `alloc`, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(act: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    act();
    COUNT.with(Cell::get) - before
}

/// A pool with an instance that is kept, and its clock.
struct Kept {
    pool: Pool,
    now: Timestamp,
    wake_at: Timestamp,
    waiters: u64,
    granted: Option<Event>,
    /// What its pool has asked for.
    allocations: u64,
    start_time: Duration,
    /// Ticks at which nothing came to be, and what the pool has asked for in them.
    quiet: (u64, u64),
}

impl Kept {
    fn new(spec: ScaleSpec) -> Self {
        let now = Timestamp::from_nanos(1_000_000_000);
        let mut kept = Kept {
            pool: Pool::new(spec, 1, now),
            now,
            wake_at: Timestamp::MAX,
            waiters: 0,
            granted: None,
            allocations: 0,
            start_time: Duration::ZERO,
            quiet: (0, 0),
        };
        let step = FloorStep {
            at: now,
            min_scale: 1,
        };
        kept.apply(Event::Schedule(vec![step]));
        kept
    }

    fn apply(&mut self, event: Event) {
        let mut effects = Effects::default();
        let is_tick = matches!(event, Event::Tick);
        let mut spent = allocations(|| effects = self.pool.apply(event, self.now));
        if cfg!(debug_assertions) {
            // Then a pool this small is checked after each event.
            spent -= allocations(|| self.pool.check().expect("the invariants hold"));
        }
        self.allocations += spent;
        if is_tick && effects.iter().all(|it| matches!(it, Effect::WakeAt(_))) {
            self.quiet = (self.quiet.0 + 1, self.quiet.1 + spent);
        }
        let mut next = Vec::new();
        self.carry_out(&effects, &mut next);
        for event in next {
            if matches!(event, Event::Ready { .. }) {
                self.now = self.now + self.start_time;
            }
            self.apply(event);
        }
    }

    fn carry_out(&mut self, effects: &Effects, next: &mut Vec<Event>) {
        for effect in effects.iter() {
            match *effect {
                Effect::WakeAt(time) => self.wake_at = time,
                Effect::Start { instance } => next.push(Event::Ready { instance }),
                Effect::Stop { instance } => {
                    let failure = StartFailure {
                        kind: FailureKind::Exited,
                        detail: "it was stopped".into(),
                    };
                    next.push(Event::Exited { instance, failure });
                }
                Effect::Grant { instance, .. } => {
                    self.granted = Some(Event::Release {
                        instance,
                        outcome: Outcome::Answered,
                        since: self.now,
                    });
                }
                _ => {}
            }
        }
    }

    /// A request of ten milliseconds.
    fn serve(&mut self) {
        self.waiters += 1;
        self.apply(Event::Acquire {
            waiter: WaiterId(self.waiters),
            deadline: self.now + Duration::from_secs(60),
        });
        self.now = self.now + Duration::from_millis(10);
        let release = self.granted.take().expect("an instance is kept");
        self.apply(release);
    }

    /// Every tick of this time, and as many that come too early.
    fn rest(&mut self, time: Duration) {
        let end = self.now + time;
        while self.wake_at <= end {
            self.now = self.now.max(self.wake_at);
            self.wake_at = Timestamp::MAX;
            self.apply(Event::Tick);
            self.apply(Event::Tick);
        }
        self.now = end;
        self.apply(Event::Tick);
    }
}

#[test]
fn an_idle_function_costs_no_allocation_per_tick() {
    for policy in Policy::ALL {
        let mut kept = Kept::new(ScaleSpec {
            policy,
            ..common::spec()
        });
        // Until all is learned that there is to learn.
        for _ in 0..20 {
            kept.serve();
            kept.rest(Duration::from_secs(30));
        }
        let before = kept.allocations;
        for _ in 0..100 {
            kept.rest(Duration::from_secs(30));
        }
        assert_eq!(kept.allocations, before, "{}", policy.name());
    }
}

/// With a price for late requests `goal` looks again and again at what is idle.
#[test]
fn looks_of_goal_cost_no_allocation_when_requests_were_late() {
    let mut kept = Kept::new(ScaleSpec {
        policy: Policy::Goal,
        ..common::spec()
    });
    kept.apply(Event::Schedule(Vec::new()));
    kept.start_time = Duration::from_secs(1);
    for number in 0..200 {
        kept.serve();
        // At times that are regular for a while, and then are not.
        let apart = [60, 60, 60, 60, 60, 60, 7, 300][number % 8];
        kept.rest(Duration::from_secs(apart));
    }
    let (looks, allocated) = kept.quiet;
    assert!(looks > 2_000, "{looks}");
    assert_eq!(allocated, 0, "of {looks} looks");
}

#[test]
fn a_warm_request_costs_no_allocation() {
    for policy in Policy::ALL {
        let mut kept = Kept::new(ScaleSpec {
            policy,
            ..common::spec()
        });
        for _ in 0..1_000 {
            kept.serve();
        }
        let before = kept.allocations;
        for _ in 0..1_000 {
            kept.serve();
        }
        assert_eq!(kept.allocations, before, "{}", policy.name());
    }
}
