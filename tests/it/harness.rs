//! What all tests need: the real binary with real functions, a raw client, and eyes on processes.

pub(crate) mod client;
pub(crate) mod frames;
mod gateway;
pub(crate) mod otlp;
pub(crate) mod process;
pub(crate) mod program;
mod record;
mod response;
mod site;
mod tls;
pub(crate) mod upstream;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use client::Client;
pub(crate) use gateway::Gateway;
pub(crate) use program::{Program, python};
pub(crate) use record::Record;
pub(crate) use response::Response;
pub(crate) use site::{Function, Site};
pub(crate) use tls::{Authority, run};
pub(crate) use upstream::Upstream;

/// How long anything may take that must happen at all. Nothing is as slow as that; a test that
/// needs all of it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for what the kernel has no event for, and fails with `what` if it does not come.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `work` in as many threads at once and returns what each of them returned, in order.
pub(crate) fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let spawn = |index| {
            let builder = thread::Builder::new().stack_size(256 << 10);
            builder
                .spawn_scoped(scope, move || work(index))
                .expect("a thread can be started")
        };
        let threads: Vec<_> = (0..count).map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect()
    })
}

/// The answers to `count` requests that are sent at the same moment, each on its own connection.
pub(crate) fn at_once(gateway: &Gateway, count: usize, path: &str) -> Vec<Response> {
    let barrier = Barrier::new(count);
    in_parallel(count, |_| {
        let mut client = gateway.connect();
        barrier.wait();
        client.get(path).expect("there is an answer").good()
    })
}

/// The callers of `count` requests whose order is known, for each has its place before the next one
/// is sent. Their bodies follow in reverse: the order of those must not matter.
pub(crate) fn in_line(gateway: &Gateway, count: usize, path: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client
            .enqueue(path, b"x")
            .expect("there is room in the queue");
    }
    for client in clients.iter_mut().rev() {
        client.send("x").expect("the gateway takes the body");
    }
    clients
}
