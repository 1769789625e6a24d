//! Whoever dies, nothing is orphaned and the rest goes on.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, SocketKind, Stop};
use stoker_scaler::spawner::collect_orphans;

use crate::support::*;

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

/// A worker and a daemon of it that left its group; prints the daemon's pid.
const WITH_DAEMON: &str = "(setsid sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000";

#[tokio::test]
async fn a_killed_spawner_is_replaced() {
    let bench = Bench::new();
    let started = bench
        .start(1, shell(SocketKind::Inherit, WITH_DAEMON))
        .await
        .unwrap();
    let daemon: u32 = bench.outputs.line(1).parse().unwrap();
    let spawner = bench.driver.spawner_pid().expect("there is one");
    kill(spawner);
    let exit = bench.exit().await;
    assert_eq!(
        (exit.id, exit.failure.kind),
        (id(1), FailureKind::Resources)
    );
    assert_eq!(
        *exit.failure.detail,
        *format!("its spawner (pid {spawner}) died and it was killed")
    );
    assert!(!runs(started.pid.unwrap()) && !runs(daemon), "no orphan");
    bench
        .start(2, python(SocketKind::Port, &format!("{ON_PORT}{SERVE}")))
        .await
        .unwrap();
    assert_ne!(bench.driver.spawner_pid(), Some(spawner));
    bench.finish().await;
}

#[tokio::test]
async fn a_start_under_way_fails_with_its_spawner() {
    let bench = Bench::new();
    let spec = std::sync::Arc::new(spec(SocketKind::Port, &["sleep", "100"]));
    let killer = async {
        bench.outputs.wait_for(1).await;
        kill(bench.driver.spawner_pid().unwrap());
    };
    let (failure, ()) = tokio::join!(bench.driver.start(id(1), &spec), killer);
    assert_eq!(
        failure.expect_err("it cannot start").kind,
        FailureKind::Resources
    );
    bench.finish().await;
}

#[tokio::test]
async fn without_adoption_everything_ends_with_the_gateway() {
    let bench = Bench::new();
    let started = bench
        .start(1, shell(SocketKind::Inherit, WITH_DAEMON))
        .await
        .unwrap();
    let daemon: u32 = bench.outputs.line(1).parse().unwrap();
    let spawner = bench.driver.spawner_pid().unwrap();
    let Bench {
        driver, settings, ..
    } = bench;
    drop(driver);
    gone(spawner).await;
    gone(started.pid.unwrap()).await;
    gone(daemon).await;
    assert!(!settings.state_dir.join("spawner.sock").exists());
    std::fs::remove_dir_all(settings.state_dir).unwrap();
}

#[tokio::test]
async fn shutdown_gives_grace() {
    let bench = Bench::with(settings(), ports(1));
    let polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done";
    bench
        .start(1, shell(SocketKind::Inherit, polite))
        .await
        .unwrap();
    assert_eq!(bench.outputs.line(1), "up");
    bench.driver.shutdown().await.expect("the spawner ends");
    assert_eq!(bench.outputs.all(1), "bye\n");
    let failure = bench.refusal(3, spec(SocketKind::Port, &["true"])).await;
    assert_eq!(failure.kind, FailureKind::Resources);
    assert_eq!(
        &*failure.detail,
        "cannot ask the spawner for it: the gateway is shutting down"
    );
    std::fs::remove_dir_all(&bench.settings.state_dir).unwrap();
}

#[tokio::test]
async fn shutdown_kills_after_the_grace() {
    let mut settings = settings();
    settings.grace = Duration::from_millis(300);
    let bench = Bench::with(settings, ports(1));
    let stubborn = "trap '' TERM; echo up; while :; do sleep 1000; done";
    let started = bench
        .start(1, shell(SocketKind::Inherit, stubborn))
        .await
        .unwrap();
    assert_eq!(bench.outputs.line(1), "up");
    bench.driver.shutdown().await.expect("the spawner ends");
    assert!(!runs(started.pid.unwrap()));
    std::fs::remove_dir_all(&bench.settings.state_dir).unwrap();
}

#[tokio::test]
async fn orphans_of_both_are_collected() {
    let settings = settings();
    std::fs::create_dir_all(&settings.state_dir).unwrap();
    let mut orphan = Command::new("sleep")
        .arg("1000")
        .env("STOKER_SCOPE", &settings.state_dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stranger = Command::new("sleep")
        .arg("1000")
        .env("STOKER_SCOPE", "/somewhere/else")
        .spawn()
        .unwrap();
    // The environment is that of the program only after exec, which `spawn` waits for.
    assert_eq!(collect_orphans(&settings.state_dir, None).unwrap(), 1);
    assert!(orphan.try_wait().unwrap().is_some());
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();

    let mut orphan = Command::new("sleep")
        .arg("1000")
        .env("STOKER_SCOPE", &settings.state_dir)
        .spawn()
        .unwrap();
    let bench = Bench::with(settings, ports(1));
    assert!(
        orphan.wait().is_ok(),
        "a fresh spawner begins with an empty house"
    );
    bench.finish().await;
}

/// The processes of a state directory.
fn of_scope(scope: &std::path::Path) -> Vec<String> {
    let wanted = format!("STOKER_SCOPE={}", scope.display());
    let entries = std::fs::read_dir("/proc").unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            std::fs::read(path.join("environ"))
                .is_ok_and(|e| e.split(|&byte| byte == 0).any(|v| v == wanted.as_bytes()))
        })
        .map(|path| path.display().to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spawners_that_die_again_and_again_leave_nothing() {
    let bench = std::sync::Arc::new(Bench::with(settings(), ports(60)));
    let scope = bench.settings.state_dir.clone();
    for round in 0..5 {
        let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
        let starts: Vec<_> = (1..=20)
            .map(|count| {
                let (bench, told) = (bench.clone(), told.clone());
                let spec = match count % 2 {
                    0 => shell(SocketKind::Inherit, WITH_DAEMON),
                    _ => python(SocketKind::Port, &format!("{ON_PORT}{SERVE}")),
                };
                tokio::spawn(async move {
                    let result = bench.start(round * 20 + count, spec).await;
                    // Only the first ones are waited for.
                    told.send(()).ok();
                    result
                })
            })
            .collect();
        // Among the starts, later in each round: before any has ended, after four, and so on.
        for _ in 0..4 * round {
            ended.recv().await.expect("there are twenty");
        }
        // That of the last round may have no successor yet.
        let there = || bench.driver.spawner_pid().is_some();
        eventually("there is a spawner", there).await;
        kill(bench.driver.spawner_pid().unwrap());
        let mut running = 0;
        for start in starts {
            match start.await.unwrap() {
                Ok(_) => running += 1,
                Err(failure) => assert_eq!(failure.kind, FailureKind::Resources, "{failure:?}"),
            }
        }
        // Those that the next spawner started are ended by hand.
        (1..=20).for_each(|count| bench.driver.stop(id(round * 20 + count), Stop::Kill));
        for _ in 0..running {
            bench.exit().await;
        }
        assert_eq!(of_scope(&scope), Vec::<String>::new(), "in round {round}");
    }
    let Ok(bench) = std::sync::Arc::try_unwrap(bench) else {
        panic!("every start is done")
    };
    bench.finish().await;
}

#[tokio::test]
async fn signals_for_the_gateway_do_not_end_the_spawner() {
    let bench = Bench::new();
    let spawner = Pid::from_raw(bench.driver.spawner_pid().unwrap().cast_signed()).unwrap();
    let session = rustix::process::getsid(Some(spawner)).unwrap();
    assert_eq!(
        session, spawner,
        "ctrl-C in the gateway's terminal does not reach it"
    );
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        rustix::process::kill_process(spawner, signal).unwrap();
    }
    bench
        .start(1, spec(SocketKind::Inherit, &["sleep", "100"]))
        .await
        .expect("it lives");
    assert_eq!(
        bench.driver.spawner_pid(),
        Some(spawner.as_raw_nonzero().get().unsigned_abs())
    );
    bench.finish().await;
}
