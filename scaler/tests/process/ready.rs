//! Programs become ready, each in its way.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, Endpoint, SocketKind, Stop};

use crate::support::*;

#[tokio::test]
async fn by_port() {
    let bench = Bench::new();
    let started = bench
        .start(1, python(SocketKind::Port, &format!("{ON_PORT}{SERVE}")))
        .await;
    let started = started.expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.driver.stop(id(1), Stop::Terminate);
    let exit = bench.exit().await;
    assert_eq!(
        (exit.id, &*exit.failure.detail),
        (id(1), "was killed by SIGTERM")
    );
    bench.finish().await;
}

#[tokio::test]
async fn by_unix_socket() {
    let bench = Bench::new();
    let bind = "import os, socket; s = socket.socket(socket.AF_UNIX)\n\
                s.bind(os.environ['STOKER_SOCKET']); s.listen(9)";
    let started = bench
        .start(1, python(SocketKind::Unix, &format!("{bind}{SERVE}")))
        .await;
    let started = started.expect("it listens");
    let Endpoint::Unix(path) = &started.endpoint else {
        panic!("a path")
    };
    assert_eq!(ask(&started.endpoint), "hello");
    bench.driver.stop(id(1), Stop::Kill);
    bench.exit().await;
    assert!(
        !path.parent().expect("a directory").exists(),
        "its directory goes with it"
    );
    bench.finish().await;
}

/// Where a program that binds `address` is reached.
async fn reached(family: &str, address: &str) -> (Endpoint, u16) {
    let bench = Bench::new();
    let program = format!(
        "import os, socket; s = socket.socket(socket.{family})\n\
         s.bind(('{address}', int(os.environ['PORT']))); s.listen(9)\n{SERVE}"
    );
    let started = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    let port = *bench.process.ports.start();
    bench.finish().await;
    (started.endpoint, port)
}

#[tokio::test]
async fn on_every_address_of_the_loopback() {
    let (endpoint, port) = reached("AF_INET", "0.0.0.0").await;
    assert_eq!(endpoint, Endpoint::Tcp((Ipv4Addr::LOCALHOST, port).into()));
    let (endpoint, port) = reached("AF_INET6", "::").await;
    assert_eq!(endpoint, Endpoint::Tcp((Ipv4Addr::LOCALHOST, port).into()));
    let (endpoint, port) = reached("AF_INET6", "::1").await;
    assert_eq!(endpoint, Endpoint::Tcp((Ipv6Addr::LOCALHOST, port).into()));
}

#[tokio::test]
async fn in_a_descendant_and_in_a_thread() {
    let bench = Bench::new();
    let program = format!("{ON_PORT}{SERVE}");
    let mut forked = shell(SocketKind::Port, "python3 -S -E -c \"$PROGRAM\" & wait");
    forked.environment = vec![("PROGRAM".to_owned(), program)];
    let started = bench.start(1, forked).await.expect("its child listens");
    assert_eq!(ask(&started.endpoint), "hello");

    let threaded = "
import os, socket, threading
s = socket.socket()
s.bind(('127.0.0.1', int(os.environ['PORT'])))
t = threading.Thread(target=lambda: s.listen(9))
t.start()
t.join()
";
    let started = bench
        .start(2, python(SocketKind::Port, &format!("{threaded}{SERVE}")))
        .await;
    assert_eq!(ask(&started.expect("its thread listens").endpoint), "hello");
    bench.finish().await;
}

#[tokio::test]
async fn not_by_another_port_first() {
    let bench = Bench::new();
    let admin = "import socket; a = socket.socket(); a.bind(('127.0.0.1', 0)); a.listen(1)\n";
    let program = format!("{admin}{ON_PORT}{SERVE}");
    let started = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    let port = *bench.process.ports.start();
    assert_eq!(
        started.endpoint,
        Endpoint::Tcp((Ipv4Addr::LOCALHOST, port).into())
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_refused_listen_is_the_programs_affair() {
    let bench = Bench::new();
    let program = "
import os, socket
try:
    os.close(0); socket.socket(fileno=os.pipe()[0], family=2, type=1).listen(1)
except OSError as error:
    print(error.errno, flush=True)
";
    bench
        .start(
            1,
            python(SocketKind::Port, &format!("{program}{ON_PORT}{SERVE}")),
        )
        .await
        .unwrap();
    assert_eq!(bench.outputs.line(1), "88", "ENOTSOCK");
    bench.finish().await;
}

#[tokio::test]
async fn by_probing_where_nothing_is_observed() {
    let mut process = ports(3);
    process.observe = false;
    let bench = Bench::with(settings(), process);
    let program = "import os\nprint(open('/proc/self/status').read().split('Seccomp:')[1][1])\n";
    let program = format!("{program}{ON_PORT}{SERVE}");
    let started = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    assert_eq!(bench.outputs.line(1), "0", "no filter");
    assert!(started.timings.listen > Duration::ZERO);
    bench.finish().await;
}

#[tokio::test]
async fn never() {
    let bench = Bench::new();
    let program = spec(SocketKind::Port, &["sleep", "1000"]);
    let (failure, limit) = bench.late(program, "did not listen").await;
    assert_eq!(failure.kind, FailureKind::NeverListened);
    let end = format!(" within {limit:?}");
    let port = failure
        .detail
        .strip_prefix("did not listen on port ")
        .and_then(|rest| rest.strip_suffix(&end));
    let port = port.expect("it says where and when").parse().unwrap();
    assert!(bench.process.ports.contains(&port), "{port}");
    bench.finish().await;
}

#[tokio::test]
async fn on_the_wrong_port() {
    let bench = Bench::new();
    let wrong = *bench.process.ports.end();
    let program = ON_PORT.replace("int(os.environ['PORT'])", &wrong.to_string());
    let program = python(SocketKind::Port, &format!("{program}{SERVE}"));
    let expected = format!("listened on port {wrong} instead of $PORT ");
    let (failure, _) = bench.late(program, &expected).await;
    assert_eq!(failure.kind, FailureKind::NeverListened);
    let port = failure.detail[expected.len()..].parse().unwrap();
    assert!(
        bench.process.ports.contains(&port) && port != wrong,
        "{port}"
    );
    bench.finish().await;
}

#[tokio::test]
async fn ends_before() {
    let bench = Bench::new();
    let port = *bench.process.ports.start();
    let failure = bench.refusal(1, shell(SocketKind::Port, "exit 3")).await;
    assert_eq!(failure.kind, FailureKind::Exited);
    let expected = format!("exited with status 3 before it listened on port {port}");
    assert_eq!(*failure.detail, *expected);
    let failure = bench
        .refusal(2, shell(SocketKind::Port, "kill -SEGV $$"))
        .await;
    let expected = format!(
        "was killed by SIGSEGV before it listened on port {}",
        port + 1
    );
    assert_eq!(*failure.detail, *expected);
    bench.finish().await;
}

#[tokio::test]
async fn stopped_before() {
    let bench = Bench::new();
    let spec = Arc::new(shell(SocketKind::Port, "echo up; sleep 100"));
    let start = bench.driver.start(id(1), &spec);
    let stop = async {
        bench.outputs.wait_for(1).await;
        bench.driver.stop(id(1), Stop::Terminate);
    };
    let (failure, ()) = tokio::join!(start, stop);
    let failure = failure.expect_err("it was stopped");
    assert_eq!(failure.kind, FailureKind::Exited);
    assert_eq!(&*failure.detail, "was stopped while it started");
    bench.finish().await;
}

#[tokio::test]
async fn stopped_before_but_unwilling() {
    let bench = Bench::new();
    let unwilling = "trap '' TERM; echo up; while :; do sleep 1000; done";
    for (count, limit) in (1..).zip(LIMITS) {
        let mut spec = shell(SocketKind::Port, unwilling);
        spec.start_timeout = limit;
        let spec = Arc::new(spec);
        let start = bench.driver.start(id(count), &spec);
        let stop = async {
            bench.outputs.wait_for(count).await;
            let up = bench.outputs.line(count) == "up";
            bench.driver.stop(id(count), Stop::Terminate);
            up
        };
        let (failure, up) = tokio::join!(start, stop);
        let failure = failure.expect_err("it does not listen");
        if &*failure.detail == "was stopped while it started" && up {
            bench.finish().await;
            return;
        }
        // Its time was up before it was.
        assert_eq!(failure.kind, FailureKind::NeverListened, "{failure:?}");
    }
    panic!("it never says in time that it is up");
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let bench = Bench::with(settings(), ports(1));
    let spec = Arc::new(shell(SocketKind::Port, "echo $$; exec sleep 100"));
    tokio::select! {
        _ = bench.driver.start(id(1), &spec) => panic!("it cannot start"),
        () = bench.outputs.wait_for(1) => {}
    }
    let pid = bench.outputs.line(1);
    // Dropped: it is killed, and its port, the only one, is free again.
    if let Ok(pid) = pid.parse() {
        gone(pid).await;
    }
    let program = format!("{ON_PORT}{SERVE}");
    // There is no event for the return of a port.
    let again = async {
        let mut count = 2;
        while let Err(failure) = bench.start(count, python(SocketKind::Port, &program)).await {
            assert_eq!(failure.kind, FailureKind::Resources, "{failure:?}");
            count += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("the port comes back");
    bench.finish().await;
}
