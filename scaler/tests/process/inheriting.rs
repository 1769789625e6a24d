//! Programs that inherit their socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, Endpoint, SocketKind, Stop};

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
    let mut spec = spec(SocketKind::Inherit, &["sleep", "100"]);
    spec.start_timeout = Duration::from_millis(300);
    let started = bench.start(1, spec).await.expect("it runs");
    let mut client = UnixStream::connect(path(&started.endpoint)).expect("the kernel listens");
    let exit = bench.exit().await;
    assert_eq!(exit.failure.kind, FailureKind::NeverListened);
    assert_eq!(
        &*exit.failure.detail,
        "did not accept a connection on its inherited socket within 300ms"
    );
    // Whoever waited is told at once.
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = client.read(&mut [0]);
    assert!(matches!(&answer, Ok(0) | Err(_)), "{answer:?}");
    assert_ne!(
        answer.err().map(|error| error.kind()),
        Some(std::io::ErrorKind::WouldBlock),
        "the connection is reset"
    );
    bench.finish().await;
}

#[tokio::test]
async fn one_that_nobody_connects_to_lives() {
    let bench = Bench::new();
    let mut spec = python(SocketKind::Inherit, &format!("{INHERIT}{SERVE}"));
    spec.start_timeout = Duration::from_millis(100);
    let started = bench.start(1, spec).await.expect("it runs");
    let quiet = tokio::time::timeout(Duration::from_millis(500), bench.driver.exited()).await;
    assert!(quiet.is_err(), "it must live: {quiet:?}");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.finish().await;
}

#[tokio::test]
async fn one_that_is_busy_with_its_first_connection_lives() {
    let bench = Bench::new();
    let program = format!("{INHERIT}c, _ = s.accept()\nc.recv(1)\nc.sendall(b'x')\n{SERVE}");
    let mut spec = python(SocketKind::Inherit, &program);
    spec.start_timeout = Duration::from_millis(300);
    let started = bench.start(1, spec).await.expect("it runs");
    // Two at once, so that the queue is never seen empty.
    let mut first = UnixStream::connect(path(&started.endpoint)).unwrap();
    let second = UnixStream::connect(path(&started.endpoint)).unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(1000), bench.driver.exited()).await;
    assert!(quiet.is_err(), "it must live: {quiet:?}");
    first.write_all(b"1").unwrap();
    first.read_exact(&mut [0]).unwrap();
    drop(second);
    bench.finish().await;
}
