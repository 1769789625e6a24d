//! Instances outlive their gateway and serve the next.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stoker_scaler::driver::{Driver, Endpoint, SocketKind, Stop};
use stoker_scaler::process::ProcessSettings;
use stoker_scaler::spawner::{SpawnerSettings, launch_or_join};

use crate::support::*;

pub(crate) fn adopting() -> SpawnerSettings {
    let mut settings = settings();
    settings.adoption = Some(PATIENCE);
    settings
}

/// The next gateway over the same state.
pub(crate) async fn next(bench: Bench) -> Bench {
    let Bench {
        driver,
        settings,
        process,
        ..
    } = bench;
    driver.detach().await;
    // The spawner notices a moment later, and refuses until then. So does the lock: a process that
    // another test has just forked has it until it is executed.
    let joining = tokio::task::spawn_blocking({
        let settings = settings.clone();
        move || {
            let deadline = Instant::now() + PATIENCE;
            loop {
                match launch_or_join(&settings) {
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::AddrInUse | ErrorKind::ResourceBusy
                        ) && Instant::now() < deadline => {}
                    joined => return joined.expect("the spawner is joined"),
                }
            }
        }
    });
    Bench::over(joining.await.unwrap(), settings, process)
}

/// Repeats its first line whenever somebody connects.
const CHATTY: &str = "
import itertools
for n in itertools.count():
    c, _ = s.accept()
    # Whoever tries whether it listens says nothing.
    while not c.recv(100):
        c.close()
        c, _ = s.accept()
    print('served', n, flush=True)
    c.sendall(b'hello')
    c.close()
";

#[tokio::test]
async fn the_next_gateway_takes_over() {
    let bench = Bench::with(adopting(), ports(3));
    let program = format!("{ON_PORT}{CHATTY}");
    let port = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    let inherit = format!("import socket; s = socket.socket(fileno=3)\n{CHATTY}");
    let unix = bench
        .start(2, python(SocketKind::Inherit, &inherit))
        .await
        .expect("it runs");
    assert_eq!(ask(&port.endpoint), "hello");
    assert_eq!(bench.outputs.line(1), "served 0");
    let spawner = bench.driver.spawner_pid();

    let bench = next(bench).await;
    assert_eq!(bench.driver.spawner_pid(), spawner);
    let mut observed = bench.driver.adopt().await;
    observed.sort_by_key(|observed| observed.id);
    let found: Vec<_> = observed
        .iter()
        .map(|o| (o.id, &o.endpoint, o.pid))
        .collect();
    assert_eq!(
        found,
        [
            (id(1), &port.endpoint, port.pid),
            (id(2), &unix.endpoint, unix.pid)
        ]
    );
    assert_eq!(
        (&*observed[0].function, &*observed[0].revision),
        ("greet", "r1")
    );
    assert!(
        bench.driver.adopt().await.is_empty(),
        "each is reported once"
    );

    assert_eq!(
        (&*ask(&port.endpoint), &*ask(&unix.endpoint)),
        ("hello", "hello")
    );
    assert_eq!(
        (&*bench.outputs.line(1), &*bench.outputs.line(2)),
        ("served 1", "served 0")
    );
    // Its port is not given to another.
    let started = bench
        .start(3, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    assert_ne!(started.endpoint, port.endpoint);
    bench.driver.stop(id(2), Stop::Terminate);
    assert_eq!(bench.exit().await.id, id(2));
    let Endpoint::Unix(path) = &unix.endpoint else {
        panic!("a path")
    };
    assert!(!path.exists(), "the next gateway cleans up");
    bench.finish().await;
}

#[tokio::test]
async fn a_probed_instance_is_adopted_too() {
    let process = ProcessSettings {
        observe: false,
        ..ports(2)
    };
    let bench = Bench::with(adopting(), process);
    let program = format!("{ON_PORT}{SERVE}");
    let started = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    let bench = next(bench).await;
    let observed = bench.driver.adopt().await;
    assert_eq!(observed.len(), 1);
    assert_eq!(observed[0].endpoint, started.endpoint);
    bench.finish().await;
}

#[tokio::test]
async fn an_unfinished_start_is_not_adopted() {
    let bench = Bench::with(adopting(), ports(2));
    let spec = Arc::new(shell(SocketKind::Port, "echo $$; exec sleep 1000"));
    {
        let mut start = bench.driver.start(id(1), &spec);
        tokio::select! {
            _ = &mut start => panic!("it cannot start"),
            () = bench.outputs.wait_for(1) => {}
        }
        // As if the gateway were killed: the start is not given up, it just never goes on.
        std::mem::forget(start);
    }
    let pid = bench.outputs.line(1).parse().unwrap();
    let bench = next(bench).await;
    assert!(bench.driver.adopt().await.is_empty());
    gone(pid).await;
    bench.finish().await;
}

#[tokio::test]
async fn nobody_comes_in_time() {
    let mut settings = settings();
    settings.adoption = Some(Duration::from_millis(300));
    let bench = Bench::with(settings, ports(1));
    let started = bench
        .start(1, spec(SocketKind::Inherit, &["sleep", "100"]))
        .await
        .unwrap();
    let (pid, spawner) = (started.pid.unwrap(), bench.driver.spawner_pid().unwrap());
    let Bench {
        driver, settings, ..
    } = bench;
    driver.detach().await;
    gone(pid).await;
    gone(spawner).await;
    std::fs::remove_dir_all(settings.state_dir).unwrap();
}

#[tokio::test]
async fn a_spawner_without_instances_does_not_wait() {
    let bench = Bench::with(adopting(), ports(1));
    let spawner = bench.driver.spawner_pid().unwrap();
    let Bench {
        driver, settings, ..
    } = bench;
    driver.detach().await;
    gone(spawner).await;
    std::fs::remove_dir_all(settings.state_dir).unwrap();
}
