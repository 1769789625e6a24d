//! Callers that mean harm by how they send rather than by what: floods, stalls, hoards. The gateway
//! ends what must end, gives slots back, holds little, and others are answered as before.

mod floods;
mod hoards;
mod stalls;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Function, Gateway, Record, Site};

/// Slots of the function under attack.
const SLOTS: usize = 4;
/// How much the gateway may grow by in an attack from one connection or a few, in bytes. A stream's
/// window and send buffer are 64 KiB each, and there are at most 100 of them on a connection.
const GROWTH: u64 = 32 << 20;

/// A gateway with these lines in its file, the function `f` to attack, which tells `record`, and the
/// function `other` for others.
fn gateway(lines: &str, record: &Record) -> Gateway {
    let attacked = Function::fixture("inherit")
        .env("FIXTURE_RECORD", record.path())
        .scaling(SLOTS as u32, 1, "")
        .with("[timeouts]\nqueue = \"120s\"");
    let other = Function::fixture("inherit").scaling(4, 1, "");
    let gateway = Site::new(lines)
        .function("f", &attacked)
        .function("other", &other)
        .start();
    gateway.get("/function/f/work").good();
    gateway.get("/function/other/work").good();
    gateway
}

/// Runs an attack while somebody else calls another function all the time: all of those answers
/// must be right, and the gateway must not grow by more than `growth` bytes.
fn under_attack<T>(gateway: &Gateway, growth: u64, attack: impl FnOnce() -> T) -> T {
    let quiet = calls(gateway, |count| count >= 100);
    let before = gateway.memory().resident;
    let over = AtomicBool::new(false);
    let (result, busy) = thread::scope(|scope| {
        let bystander =
            scope.spawn(|| calls(gateway, |count| count > 0 && over.load(Ordering::Relaxed)));
        // Also if the attack panics the bystander must end.
        let end = End(&over);
        let result = attack();
        drop(end);
        (result, bystander.join().expect("others are answered"))
    });
    let grown = gateway.memory().peak.saturating_sub(before);
    println!(
        "others: p99 {:?} of {} before, {:?} of {} meanwhile; {} KiB more than the {} KiB before",
        p99(&quiet),
        quiet.len(),
        p99(&busy),
        busy.len(),
        grown >> 10,
        before >> 10
    );
    assert!(grown < growth, "the gateway grew by {grown} bytes");
    result
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls the other function until `enough`, and returns how long each call took.
fn calls(gateway: &Gateway, enough: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut client = gateway.connect();
    let mut times = Vec::new();
    while !enough(times.len()) {
        let begun = Instant::now();
        let answer = client.get("/function/other/work").expect("it answers");
        answer.good();
        times.push(begun.elapsed());
        // Others are no flood themselves.
        thread::sleep(Duration::from_micros(500));
    }
    times
}

fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[(times.len() - 1) * 99 / 100]
}

/// Takes every slot of the function at once, with requests that give none back by themselves: so
/// none is lost.
fn all_slots_are_back(gateway: &Gateway, record: &Record) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("back-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let ask = |_| {
        let mut client = gateway.connect();
        let line = format!("GET /function/f/{name}/stall");
        client.request(&line, "", b"").expect("can be sent");
        client
    };
    let callers: Vec<Client> = (0..SLOTS).map(ask).collect();
    record.wait_for(&format!("GET /{name}/"), SLOTS);
    drop(callers);
    gateway.get("/function/f/work").good();
}
