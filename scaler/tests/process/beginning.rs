//! Starts that nobody waits for: requests are sent before the program runs.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use stoker_core::FailureKind;
use stoker_scaler::driver::{
    Driver, Endpoint, FailedStart, LaunchSpec, SocketKind, StartEnd, StartTimings, Started, Stop,
};
use tokio::sync::oneshot;

use crate::support::*;

/// Descriptor 3.
const INHERIT: &str = "import socket; s = socket.socket(fileno=3)\n";

type Ended = oneshot::Receiver<Result<Started, FailedStart>>;

/// Begins a start as instance `1-count`.
fn begin(bench: &Bench, count: u32, spec: LaunchSpec) -> Option<(Endpoint, Ended)> {
    let (tell, told) = oneshot::channel();
    let end = StartEnd::new(move |result| drop(tell.send(result)));
    let begun = bench.driver.begin(id(count), &Arc::new(spec), end);
    begun.ok().map(|endpoint| (endpoint, told))
}

/// How a start ended.
async fn end(told: Ended) -> Result<Started, FailedStart> {
    let told = tokio::time::timeout(PATIENCE, told).await;
    told.expect("it ends").expect("it is told")
}

fn path(endpoint: &Endpoint) -> &Path {
    let Endpoint::Unix(path) = endpoint else {
        panic!("a path")
    };
    path
}

#[tokio::test]
async fn what_is_sent_before_the_program_runs_is_answered() {
    let bench = Bench::new();
    let program = python(SocketKind::Inherit, &format!("{INHERIT}{SERVE}"));
    let (endpoint, told) = begin(&bench, 1, program).expect("it can be begun");
    let mut stream = UnixStream::connect(path(&endpoint)).expect("it listens");
    stream.write_all(b"hi\n").expect("it waits in the socket");
    let started = end(told).await.expect("it runs");
    assert_eq!(started.endpoint, endpoint);
    assert!(started.pid.is_some_and(runs));
    let timings = started.timings;
    assert!(timings.called.is_some());
    for (name, part) in StartTimings::PHASES.into_iter().zip(timings.phases()) {
        // Decision and gate are not the driver's, and there is nothing to wait for.
        let expected = !matches!(name, "decide" | "gate" | "listen");
        assert_eq!(!part.is_zero(), expected, "{name}: {timings:?}");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "hello");
    bench.driver.stop(id(1), Stop::Terminate);
    assert_eq!(&*bench.exit().await.failure.detail, "was killed by SIGTERM");
    assert!(!path(&endpoint).exists());
    bench.finish().await;
}

#[tokio::test]
async fn nobody_reads_what_was_sent_if_nothing_is_executed() {
    let bench = Bench::new();
    let missing = spec(SocketKind::Inherit, &["/nowhere"]);
    let (endpoint, told) = begin(&bench, 1, missing).expect("it can be begun");
    // It may have failed already, and then there is nothing to connect to.
    let stream = UnixStream::connect(path(&endpoint)).ok();
    let failed = end(told).await.expect_err("it cannot run");
    assert!(failed.unread);
    assert_eq!(failed.failure.kind, FailureKind::NotExecutable);
    assert_eq!(
        &*failed.failure.detail,
        "cannot execute \"/nowhere\": no such file or directory"
    );
    if let Some(mut stream) = stream {
        let broken = stream.read(&mut [0]).expect_err("nobody accepted");
        assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
    }
    assert!(!path(&endpoint).exists());
    // The id is free again, and so is everything else.
    let program = python(SocketKind::Inherit, &format!("{INHERIT}{SERVE}"));
    let started = bench.start(1, program).await.expect("it runs");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.finish().await;
}

#[tokio::test]
async fn one_that_is_stopped_at_once_ends() {
    let bench = Bench::new();
    let (_, told) = begin(&bench, 1, spec(SocketKind::Inherit, &["sleep", "1000"])).unwrap();
    bench.driver.stop(id(1), Stop::Terminate);
    end(told).await.expect("it ran for a moment");
    assert_eq!(&*bench.exit().await.failure.detail, "was killed by SIGTERM");
    bench.finish().await;
}

#[tokio::test]
async fn one_that_binds_for_itself_has_to_be_waited_for() {
    let bench = Bench::new();
    for kind in [SocketKind::Port, SocketKind::Unix] {
        assert!(begin(&bench, 1, spec(kind, &["sleep", "1000"])).is_none());
    }
    // Nothing of it is left.
    let program = python(SocketKind::Port, &format!("{ON_PORT}{SERVE}"));
    let started = bench.start(1, program).await.expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.finish().await;
}

#[tokio::test]
async fn without_a_spawner_it_has_to_be_waited_for() {
    let bench = Bench::new();
    bench.driver.shutdown().await.expect("it ends");
    assert!(begin(&bench, 1, spec(SocketKind::Inherit, &["sleep", "1000"])).is_none());
    let run = bench.settings.state_dir.join("run");
    let left = std::fs::read_dir(run).map_or(0, Iterator::count);
    assert_eq!(left, 0, "its socket is gone");
    bench.finish().await;
}
