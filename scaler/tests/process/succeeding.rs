//! One gateway takes over from another that lives, at the spawner's.

use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use stoker_core::{Inherited, InstanceState, Legacy, Record, Standing, Timestamp};
use stoker_scaler::driver::{Driver, SocketKind, StartEnd};
use stoker_scaler::handover::{Estate, FunctionEstate};
use stoker_scaler::process::ProcessSettings;
use stoker_scaler::spawner::join_as_heir;

use crate::adopting::{adopting, next};
use crate::support::*;

/// Starts that are on their way before the last word about the instance.
const STARTS: u32 = 20;

/// An estate of the first instance, which is ready.
fn estate() -> Estate {
    let instance = Inherited {
        instance: id(1),
        state: InstanceState::Ready,
        since: Timestamp::default(),
        created: Timestamp::default(),
        in_use: 0,
        served: 0,
        idle_since: None,
        frozen: None,
        proven: false,
        evicted: false,
        standing: Standing::default(),
        record: Record::default(),
        warm_since: None,
    };
    let legacy = Legacy {
        instances: vec![instance],
        ..Legacy::default()
    };
    let function = FunctionEstate {
        number: 1,
        name: Arc::from("greet"),
        revision: Arc::from("r1"),
        legacy,
    };
    Estate {
        functions: vec![function],
        lines: Vec::new(),
        next_number: 2,
    }
}

/// The heir of a gateway, which shares its spawner.
fn heir(bench: &Bench) -> Bench {
    let lock = bench.driver.share_lock().expect("it leads");
    let connection = join_as_heir(&bench.settings, lock).expect("it may join");
    Bench::over(connection, bench.settings.clone(), ports(1))
}

fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

/// Has an instance report that it listens while the spawner stands still, behind many starts; the
/// spawner's process, and the instance's.
async fn reported_behind_starts(bench: &Bench) -> (Pid, Option<u32>) {
    let gate = bench.settings.state_dir.join("gate");
    let wait = format!(
        "import os, socket, time\nprint('up')\n\
         while not os.path.exists('{}'): time.sleep(0.001)\n\
         s = socket.socket(socket.AF_UNIX); s.bind(os.environ['STOKER_SOCKET']); s.listen(9)\n",
        gate.display()
    );
    let first = Arc::new(python(SocketKind::Unix, &format!("{wait}time.sleep(1000)")));
    let mut start = bench.driver.start(id(1), &first);
    tokio::select! {
        _ = &mut start => panic!("the gate is closed"),
        () = bench.outputs.wait_for(1) => {}
    }
    assert_eq!(bench.outputs.line(1), "up");

    let spawner = bench.driver.spawner_pid().unwrap().cast_signed();
    let spawner = Pid::from_raw(spawner).unwrap();
    kill_process(spawner, Signal::STOP).unwrap();
    eventually("the spawner stops", || is_stopped(spawner)).await;
    let sleeper = Arc::new(spec(SocketKind::Inherit, &["sleep", "100"]));
    for count in 2..2 + STARTS {
        let begun = bench
            .driver
            .begin(id(count), &sleeper, StartEnd::new(|_| ()));
        begun.expect("there is a socket");
    }
    std::fs::write(gate, "").unwrap();
    (spawner, start.await.expect("it listens").pid)
}

/// Without the observer, for that is the spawner, which is to stand still.
fn probing() -> ProcessSettings {
    ProcessSettings {
        observe: false,
        ..ports(2)
    }
}

/// The spawner serves its links in turn, so the heir's word comes before that of the former gateway,
/// which waits behind starts. By that alone the instance would be one whose start was not finished.
#[tokio::test]
async fn what_the_former_gateway_said_before_is_heard_first() {
    let bench = Bench::with(adopting(), probing());
    let heir = heir(&bench);
    let (spawner, pid) = reported_behind_starts(&bench).await;
    let estate = estate();
    let go_on = async { kill_process(spawner, Signal::CONT).unwrap() };
    let (taken, ()) = tokio::join!(heir.driver.take(&estate), go_on);
    let taken: Vec<_> = taken.unwrap().iter().map(|it| (it.id, it.pid)).collect();
    assert_eq!(taken, [(id(1), pid)]);
    assert!(pid.is_some_and(runs), "it was not killed");
    heir.driver.detach().await;
    bench.finish().await;
}

/// The first answer that cannot be sent tells the spawner that its gateway is dead; what that gateway
/// had said before counts all the same.
#[tokio::test]
async fn the_last_words_of_a_gateway_that_was_killed_are_heard() {
    let bench = Bench::with(adopting(), probing());
    let (spawner, pid) = reported_behind_starts(&bench).await;
    // First of all the next one has the former one hang up.
    let go_on = async { kill_process(spawner, Signal::CONT).unwrap() };
    let (next, ()) = tokio::join!(next(bench), go_on);
    let adopted = next.driver.adopt().await;
    let first = adopted.iter().find(|observed| observed.id == id(1));
    assert_eq!(first.map(|observed| observed.pid), Some(pid));
    assert!(pid.is_some_and(runs), "it was not killed");
    next.finish().await;
}

/// A gateway that is killed after its last word leaves its instances to its heir twice: the spawner
/// hands them over, and the heir asks for them.
#[tokio::test]
async fn what_was_handed_over_already_is_found_when_it_is_asked_for() {
    let bench = Bench::with(adopting(), ports(1));
    let sleeper = spec(SocketKind::Inherit, &["sleep", "100"]);
    let started = bench.start(1, sleeper).await.expect("it is executed");
    let heir = heir(&bench);
    bench.driver.detach().await;
    let handed = heir.driver.observed().await;
    assert_eq!((handed.id, handed.pid), (id(1), started.pid));

    let taken = heir
        .driver
        .take(&estate())
        .await
        .expect("the spawner lives");
    let taken: Vec<_> = taken.iter().map(|it| (it.id, it.pid)).collect();
    assert_eq!(taken, [(id(1), started.pid)]);
    heir.finish().await;
}
