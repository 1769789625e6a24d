//! Instances do not get in each other's way, and end with everything they started.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, Endpoint, SocketKind, Stop};

use crate::support::*;

#[tokio::test]
async fn grandchildren_end_with_the_instance() {
    let bench = Bench::new();
    // One in the group, one that left it, one whose parent has ended, each with its pid.
    let program = "sleep 1000 & echo $!\n\
                   setsid sh -c 'echo $$; sleep 1000; true' &\n\
                   (setsid sh -c 'echo $$; exec sleep 1000' &)\n\
                   wait";
    bench
        .start(1, shell(SocketKind::Inherit, program))
        .await
        .unwrap();
    let text = bench
        .outputs
        .read(1, stoker_scaler::process::OutputStream::Stdout, |text| {
            text.matches('\n').count() == 3
        });
    let pids: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert!(pids.iter().all(|&pid| runs(pid)));
    bench.driver.stop(id(1), Stop::Terminate);
    bench.exit().await;
    for pid in pids {
        assert!(!runs(pid), "{pid} must be gone when the exit is told");
    }
    bench.finish().await;
}

#[tokio::test]
async fn the_end_of_one_spares_the_daemons_of_another() {
    let bench = Bench::new();
    let daemon = "(setsid sh -c 'echo $$; exec sleep 1000' &); sleep 1000";
    bench
        .start(1, shell(SocketKind::Inherit, daemon))
        .await
        .unwrap();
    bench
        .start(2, shell(SocketKind::Inherit, daemon))
        .await
        .unwrap();
    let (first, second) = (bench.outputs.line(1), bench.outputs.line(2));
    bench.driver.stop(id(1), Stop::Kill);
    bench.exit().await;
    assert!(!runs(first.parse().unwrap()));
    assert!(runs(second.parse().unwrap()));
    bench.finish().await;
    assert!(!runs(second.parse().unwrap()));
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed() {
    let bench = Bench::new();
    let stubborn = "trap '' TERM; echo up; while :; do sleep 1000; done";
    let started = bench
        .start(1, shell(SocketKind::Inherit, stubborn))
        .await
        .unwrap();
    assert_eq!(bench.outputs.line(1), "up");
    bench.driver.stop(id(1), Stop::Terminate);
    let quiet = tokio::time::timeout(Duration::from_millis(200), bench.driver.exited()).await;
    assert!(quiet.is_err() && runs(started.pid.unwrap()));
    bench.driver.stop(id(1), Stop::Kill);
    assert_eq!(&*bench.exit().await.failure.detail, "was killed by SIGKILL");
    bench.finish().await;
}

#[tokio::test]
async fn ports_run_out_and_come_back() {
    let bench = Bench::with(settings(), ports(2));
    let program = format!("{ON_PORT}{SERVE}");
    let mut used = HashSet::new();
    for count in 1..=2 {
        let started = bench
            .start(count, python(SocketKind::Port, &program))
            .await
            .unwrap();
        let Endpoint::Tcp(address) = started.endpoint else {
            panic!("a port")
        };
        used.insert(address.port());
    }
    assert_eq!(used.len(), 2);
    let failure = bench.refusal(3, python(SocketKind::Port, &program)).await;
    assert_eq!(failure.kind, FailureKind::Resources);
    let (first, last) = (bench.process.ports.start(), bench.process.ports.end());
    assert_eq!(
        *failure.detail,
        *format!("no port from {first} to {last} is free: instances have 2, other programs 0")
    );
    bench.driver.stop(id(1), Stop::Kill);
    bench.exit().await;
    bench
        .start(4, python(SocketKind::Port, &program))
        .await
        .expect("a port came back");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_start_at_once() {
    let bench = Arc::new(Bench::new());
    let starts: Vec<_> = (1..=200)
        .map(|count| {
            let bench = bench.clone();
            let spec = shell(SocketKind::Inherit, "read line; exec sleep 1000");
            tokio::spawn(async move { bench.start(count, spec).await })
        })
        .collect();
    let mut pids = HashSet::new();
    for start in starts {
        pids.insert(start.await.unwrap().expect("it runs").pid.unwrap());
    }
    assert_eq!(pids.len(), 200);
    for count in 1..=200 {
        bench.driver.stop(id(count), Stop::Kill);
    }
    let mut ended = HashSet::new();
    for _ in 0..200 {
        ended.insert(bench.exit().await.id);
    }
    assert_eq!(ended.len(), 200);
    let Ok(bench) = Arc::try_unwrap(bench) else {
        panic!("every start is done")
    };
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_bind_ports_at_once() {
    let bench = Arc::new(Bench::with(settings(), ports(50)));
    let starts: Vec<_> = (1..=50)
        .map(|count| {
            let bench = bench.clone();
            let mut spec = python(SocketKind::Port, &format!("{ON_PORT}{SERVE}"));
            spec.start_timeout = PATIENCE;
            tokio::spawn(async move { bench.start(count, spec).await })
        })
        .collect();
    for start in starts {
        let started = start.await.unwrap().expect("it listens");
        assert_eq!(ask(&started.endpoint), "hello");
    }
    let Ok(bench) = Arc::try_unwrap(bench) else {
        panic!("every start is done")
    };
    bench.finish().await;
}

#[tokio::test]
async fn an_id_is_used_once() {
    let bench = Bench::new();
    bench
        .start(1, spec(SocketKind::Port, &["true"]))
        .await
        .expect_err("it ends");
    bench
        .start(2, spec(SocketKind::Inherit, &["sleep", "100"]))
        .await
        .unwrap();
    let failure = bench
        .refusal(2, spec(SocketKind::Port, &["sleep", "100"]))
        .await;
    assert_eq!(&*failure.detail, "instance 1-2 was started already");
    bench.finish().await;
}

#[tokio::test]
async fn another_user_is_complete() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new();
    let mut other = shell(
        SocketKind::Inherit,
        "id -u; id -g; id -G; echo opened > /dev/stdout; echo > /etc/x",
    );
    other.user = Some("nobody".to_owned());
    bench.start(1, other).await.unwrap();
    bench.exit().await;
    let text = bench.outputs.all(1);
    assert!(text.starts_with("65534\n65534\n65534\nopened\n"), "{text}");
    assert!(!fs::exists("/etc/x").unwrap());
    // It can bind in its own directory.
    let bind = "import os, socket; s = socket.socket(socket.AF_UNIX)\n\
                s.bind(os.environ['STOKER_SOCKET']); s.listen(9)";
    let mut other = python(SocketKind::Unix, &format!("{bind}{SERVE}"));
    other.user = Some("nobody".to_owned());
    let started = bench.start(2, other).await.expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.finish().await;
}
