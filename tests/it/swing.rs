//! Load that swings while instances start and drain.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Function, Gateway, Site};

const LOW: usize = 5;
const HIGH: usize = 200;

/// How many callers are to call now; none of them when it is over.
struct Level {
    callers: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Level {
    fn set(&self, callers: Option<usize>) {
        *self.callers.lock().expect("nobody panics with it") = callers;
        self.changed.notify_all();
    }

    /// Waits until the caller with this number is to call; false when it is over.
    fn wait(&self, number: usize) -> bool {
        let guard = self.callers.lock().expect("nobody panics with it");
        let idle = |callers: &mut Option<usize>| callers.is_some_and(|callers| number >= callers);
        self.changed
            .wait_while(guard, idle)
            .expect("nobody panics with it")
            .is_some()
    }
}

/// What happened.
#[derive(Default)]
struct Tally {
    good: AtomicUsize,
    cold: AtomicUsize,
    failed: AtomicBool,
}

fn seconds() -> u64 {
    let text = std::env::var("STOKER_SWING_SECONDS").unwrap_or_else(|_| "20".into());
    text.parse().expect("STOKER_SWING_SECONDS is a number")
}

/// Calls while it is to, one request after the other on one connection.
fn call(gateway: &Gateway, number: usize, level: &Level, tally: &Tally) {
    let mut client = gateway.connect();
    let body = format!("the body of caller {number}");
    let mut turn = number;
    while level.wait(number) && !tally.failed.load(Ordering::Relaxed) {
        turn += 1;
        let answer = match turn % 3 {
            0 => client.get("/function/f/work?ms=5"),
            1 => client.post("/function/f/echo", body.as_bytes()),
            _ => client.get("/function/f/chunked?n=3&ms=1"),
        };
        let right = answer.as_ref().is_ok_and(|answer| {
            let expected = match turn % 3 {
                0 => answer.text().starts_with("{\"pid\":"),
                1 => answer.text() == body,
                _ => answer.text() == "chunk 0\nchunk 1\nchunk 2\n",
            };
            expected && answer.is_good()
        });
        if !right {
            tally.failed.store(true, Ordering::Relaxed);
            panic!("caller {number} got {answer:?}");
        }
        let cold = answer.is_ok_and(|answer| answer.header("stoker-start") == Some("cold"));
        tally.good.fetch_add(1, Ordering::Relaxed);
        tally.cold.fetch_add(usize::from(cold), Ordering::Relaxed);
    }
}

#[test]
fn no_answer_is_lost_while_load_swings() {
    let time = Duration::from_secs(seconds());
    let function = Function::fixture("port").scaling(2, 8, "idle-timeout = \"100ms\"");
    let gateway = Site::new("").function("f", &function).start();
    let level = Level {
        callers: Mutex::new(Some(LOW)),
        changed: Condvar::new(),
    };
    let tally = Tally::default();
    let begun = Instant::now();
    thread::scope(|scope| {
        for number in 0..HIGH {
            let (gateway, level, tally) = (&gateway, &level, &tally);
            let builder = thread::Builder::new().stack_size(256 << 10);
            let call = move || call(gateway, number, level, tally);
            builder
                .spawn_scoped(scope, call)
                .expect("a thread can be started");
        }
        // The load itself: from low to high, to nobody at all, and back.
        while begun.elapsed() < time && !tally.failed.load(Ordering::Relaxed) {
            for (callers, millis) in [(HIGH, 600), (LOW, 500), (0, 250), (LOW, 150)] {
                level.set(Some(callers));
                thread::sleep(Duration::from_millis(millis));
            }
        }
        level.set(None);
    });
    let (good, cold) = (tally.good.into_inner(), tally.cold.into_inner());
    println!(
        "{good} answers in {} s (STOKER_SWING_SECONDS), {cold} of them cold",
        time.as_secs()
    );
    let periods = time.as_millis() as usize / 1500;
    assert!(
        cold >= periods,
        "instances did not start and drain: {cold} cold in {periods} swings"
    );
}
