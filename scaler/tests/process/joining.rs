//! Who may join a state directory, and what may live there.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use stoker_scaler::spawner::launch_or_join;

use crate::support::*;

/// A spawner that is none: answers a greeting, or does not, and waits until it is asked to end or
/// its gateway goes.
fn pretend(state_dir: &Path, answer: Option<&'static str>) -> std::thread::JoinHandle<String> {
    std::fs::create_dir_all(state_dir).unwrap();
    let path = state_dir.join("spawner.sock");
    let address = SocketAddrUnix::new(&path).unwrap();
    let listener: OwnedFd =
        rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    std::thread::spawn(move || {
        let gateway = rustix::net::accept(&listener).unwrap();
        let mut buffer = [0; 4096];
        rustix::io::readv(&gateway, &mut [IoSliceMut::new(&mut buffer)]).unwrap();
        if let Some(answer) = answer {
            rustix::io::writev(&gateway, &[IoSlice::new(answer.as_bytes())]).unwrap();
        }
        let length = rustix::io::readv(&gateway, &mut [IoSliceMut::new(&mut buffer)]).unwrap_or(0);
        std::fs::remove_file(path).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    })
}

#[tokio::test]
async fn a_spawner_of_another_release_is_replaced() {
    let settings = settings();
    let welcome = r#"{"Welcome":{"version":99,"pid":1,"workers":3}}"#;
    let former = pretend(&settings.state_dir, Some(welcome));
    let bench = Bench::with(settings, ports(1));
    assert_eq!(former.join().unwrap(), r#""Shutdown""#);
    bench.finish().await;
}

#[test]
fn a_spawner_that_does_not_answer_is_named() {
    let settings = settings();
    let former = pretend(&settings.state_dir, None);
    let error = launch_or_join(&settings).expect_err("nobody answers");
    let pid = std::process::id();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot join the spawner of a former gateway (pid {pid}): it did not answer within 5s"
        )
    );
    former.join().unwrap();
    std::fs::remove_dir_all(&settings.state_dir).unwrap();
}

#[tokio::test]
async fn a_second_gateway_is_refused_by_the_lock() {
    let bench = Bench::new();
    let error = launch_or_join(&bench.settings).expect_err("the directory is in use");
    assert_eq!(
        error.to_string(),
        format!(
            "the state directory {} is in use by another gateway (pid {})",
            bench.settings.state_dir.display(),
            std::process::id()
        )
    );
    // And by the spawner, should the lock be gone.
    std::fs::remove_file(bench.settings.state_dir.join("gateway.lock")).unwrap();
    let error = launch_or_join(&bench.settings).expect_err("the spawner has a gateway");
    let expected = format!("another gateway (pid {}) is connected", std::process::id());
    assert!(error.to_string().ends_with(&expected), "{error}");
    bench.finish().await;
}

#[test]
fn long_state_directories_are_refused() {
    let mut settings = settings();
    settings.state_dir = settings.state_dir.join("x".repeat(70));
    let error = launch_or_join(&settings).expect_err("sockets would not fit");
    assert!(
        error.to_string().contains("longer than 70 bytes"),
        "{error}"
    );
    std::fs::remove_dir_all(settings.state_dir.parent().unwrap()).unwrap();
}

#[test]
fn a_missing_executable_is_named() {
    let mut settings = settings();
    settings.executable = "/no/such/stoker".into();
    let error = launch_or_join(&settings).expect_err("nothing to launch");
    assert!(
        error.to_string().contains("cannot execute /no/such/stoker"),
        "{error}"
    );
    std::fs::remove_dir_all(settings.state_dir).unwrap();
}
