//! The end of the gateway, wanted and unwanted.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex};
use std::thread;

use rustix::process::Signal;

use crate::harness::process::{Handle, Role};
use crate::harness::{Client, Function, Gateway, PATIENCE, Site, wait_until};

/// Counts answers until the gateway is gone.
#[derive(Default)]
struct Answers {
    count: Mutex<usize>,
    more: Condvar,
}

impl Answers {
    fn add(&self) {
        *self.count.lock().expect("nobody panics with it") += 1;
        self.more.notify_all();
    }

    fn wait_for(&self, count: usize) {
        let fewer = |have: &mut usize| *have < count;
        let guard = self.count.lock().expect("nobody panics with it");
        let (have, _) = self
            .more
            .wait_timeout_while(guard, PATIENCE, fewer)
            .expect("nobody panics with it");
        assert!(*have >= count, "there was no load");
    }
}

/// Kills the gateway while eight callers call, after so many answers.
fn kill_under_load(gateway: &mut Gateway) {
    let answers = Answers::default();
    let address = gateway.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(address).expect("the gateway accepts");
                while let Ok(answer) = client.get("/function/f/work?ms=3") {
                    answer.good();
                    answers.add();
                }
            });
        }
        answers.wait_for(200);
        gateway.kill();
    });
}

#[test]
fn workers_outlive_the_gateway_and_serve_the_next_one_warm() {
    for listen in ["inherit", "port"] {
        let function = Function::fixture(listen).scaling(2, 3, "");
        let mut gateway = Site::new("").function("f", &function).start();
        kill_under_load(&mut gateway);
        let before: BTreeSet<u32> = gateway.workers().into_iter().collect();
        assert!(!before.is_empty(), "{listen}: the instances live on");
        gateway.restart();
        let first = gateway.get("/function/f/work").good();
        assert_eq!(
            first.header("stoker-start"),
            Some("warm"),
            "{listen}: {first}"
        );
        let pid = u32::try_from(first.number("pid")).expect("a process's id");
        assert!(
            before.contains(&pid),
            "{listen}: {pid} is not among {before:?}"
        );
        let after: BTreeSet<u32> = gateway.workers().into_iter().collect();
        assert_eq!(before, after, "{listen}: the processes stay the same");
        gateway.signal(Signal::TERM);
        assert!(gateway.wait().success(), "{listen}");
        assert_eq!(gateway.processes(), [], "{listen}: nothing is left");
    }
}

#[test]
fn without_adoption_nothing_outlives_the_gateway() {
    let function = Function::fixture("inherit").scaling(2, 3, "");
    let site = Site::new("[adoption]\nenabled = false").function("f", &function);
    let mut gateway = site.start();
    gateway.get("/function/f/work").good();
    let handles: Vec<(Role, Handle)> = gateway
        .processes()
        .into_iter()
        .filter(|process| process.role != Role::Gateway)
        .map(|process| (process.role, Handle::of(process.pid)))
        .collect();
    let count = |wanted: Role| handles.iter().filter(|(role, _)| *role == wanted).count();
    assert_eq!((count(Role::Spawner), count(Role::Worker)), (1, 1));
    gateway.kill();
    for (role, handle) in handles {
        assert!(handle.wait(PATIENCE), "the {role:?} outlived the gateway");
    }
    assert_eq!(gateway.processes(), [], "nothing is left");
}

/// What waits is in flight as well as what runs.
#[test]
fn sigterm_lets_requests_in_flight_finish() {
    let function = Function::fixture("inherit").scaling(1, 3, "");
    let mut gateway = Site::new("[timeouts]\nbody = \"10m\"")
        .function("f", &function)
        .start();
    let mut running: Vec<Client> = (0..3).map(|_| gateway.connect()).collect();
    for client in &mut running {
        client
            .request("POST /function/f/echo", "Content-Length: 6\r\n", b"abc")
            .expect("can be sent");
        client.receive_head().expect("the answer begins").good();
    }
    let mut waiting = gateway.connect();
    waiting
        .enqueue("/function/f/work?ms=10", b"x")
        .expect("there is room in the queue");

    gateway.signal(Signal::TERM);
    let address = gateway.address();
    wait_until("new connections are refused", || {
        Client::connect(address).is_err()
    });
    // Because it takes no more, not because it is gone.
    assert!(gateway.is_alive());
    waiting.send("x").expect("the gateway takes the body");
    for client in &mut running {
        client.send("def").expect("the gateway takes the body");
        let body = client.receive_bytes(6).expect("the request is finished");
        assert_eq!(body, b"abcdef");
    }
    waiting.receive().expect("the request is finished").good();
    assert!(gateway.wait().success(), "it ends well");
    assert_eq!(gateway.processes(), [], "nothing is left");
}
