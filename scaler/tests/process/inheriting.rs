//! Programs that inherit their socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, Endpoint, LaunchSpec, SocketKind, Started, Stop};

use crate::support::*;

/// Descriptor 3.
const INHERIT: &str = "import socket; s = socket.socket(fileno=3)\n";

fn path(endpoint: &Endpoint) -> &std::path::Path {
    let Endpoint::Unix(path) = endpoint else {
        panic!("a path")
    };
    path
}

#[tokio::test]
async fn connections_wait_while_the_program_starts() {
    let bench = Bench::new();
    let check = "import os\n\
        assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']\n\
        assert os.environ['LISTEN_FDS'] == '1' and os.environ['LISTEN_FDNAMES'] == 'http'\n\
        assert 'PORT' not in os.environ and 'STOKER_SOCKET' not in os.environ\n\
        import time; time.sleep(0.1)\n";
    let program = format!("{check}{INHERIT}{SERVE}");
    let started = bench
        .start(1, python(SocketKind::Inherit, &program))
        .await
        .expect("it runs");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.driver.stop(id(1), Stop::Terminate);
    bench.exit().await;
    assert!(!path(&started.endpoint).exists());
    bench.finish().await;
}

#[tokio::test]
async fn listen_pid_is_right_behind_a_shell() {
    let bench = Bench::new();
    let program = "exec sh -c 'test $LISTEN_PID = $$ && echo right'";
    bench
        .start(1, shell(SocketKind::Inherit, program))
        .await
        .unwrap();
    bench.exit().await;
    assert_eq!(bench.outputs.all(1), "right\n");
    bench.finish().await;
}

#[tokio::test]
async fn one_that_never_accepts_is_killed() {
    let bench = Bench::new();
    let (started, limit) = executed(&bench, spec(SocketKind::Inherit, &["sleep", "1000"])).await;
    let mut client = UnixStream::connect(path(&started.endpoint)).expect("the kernel listens");
    let exit = bench.exit().await;
    assert_eq!(exit.failure.kind, FailureKind::NeverListened);
    assert_eq!(
        *exit.failure.detail,
        *format!("did not accept a connection on its inherited socket within {limit:?}")
    );
    // Whoever waited is told at once.
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = client.read_exact(&mut [0]);
    assert_ne!(
        answer.expect_err("nobody answers").kind(),
        std::io::ErrorKind::WouldBlock,
        "the connection is reset"
    );
    bench.finish().await;
}

#[tokio::test]
async fn one_that_nobody_connects_to_lives() {
    let bench = Bench::new();
    let (started, limit) = executed(&bench, spec(SocketKind::Inherit, &["sleep", "1000"])).await;
    let quiet = tokio::time::timeout(3 * limit, bench.driver.exited()).await;
    assert!(quiet.is_err(), "it must live: {quiet:?}");
    assert!(runs(started.pid.unwrap()));
    bench.finish().await;
}

#[tokio::test]
async fn one_that_is_busy_with_its_first_connection_lives() {
    let bench = Bench::new();
    let accept = "c, _ = s.accept()\nprint('accepted')\nc.recv(1)\nc.sendall(b'x')\n";
    let program = python(SocketKind::Inherit, &format!("{INHERIT}{accept}{SERVE}"));
    for (count, limit) in (1..).zip(LIMITS) {
        let mut spec = program.clone();
        spec.start_timeout = limit;
        let Ok(started) = bench.start(count, spec).await else {
            continue;
        };
        // Two at once, so that the queue is never seen empty.
        let mut first = UnixStream::connect(path(&started.endpoint)).unwrap();
        let second = UnixStream::connect(path(&started.endpoint)).unwrap();
        if bench.outputs.line(count) != "accepted" {
            // It was not in time, and killed.
            bench.exit().await;
            continue;
        }
        let quiet = tokio::time::timeout(3 * limit, bench.driver.exited()).await;
        assert!(quiet.is_err(), "it must live: {quiet:?}");
        first.write_all(b"1").unwrap();
        first.read_exact(&mut [0]).unwrap();
        drop(second);
        bench.finish().await;
        return;
    }
    panic!("it never accepts in time");
}

/// Starts a program that can be executed within its start timeout, the first of [`LIMITS`] that is
/// long enough for that.
async fn executed(bench: &Bench, program: LaunchSpec) -> (Started, Duration) {
    for (count, limit) in (1..).zip(LIMITS) {
        let mut spec = program.clone();
        spec.start_timeout = limit;
        if let Ok(started) = bench.start(count, spec).await {
            return (started, limit);
        }
    }
    panic!("it is never executed in time");
}
