//! What becomes of it when something fails: an import, a spare, a parent, the spawner.

use std::sync::Arc;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, StartKind, Stop};

use super::{PYTHON, python_with, tell};
use crate::support::*;

#[tokio::test]
async fn an_error_of_the_import_is_told_in_its_own_words() {
    let bench = Bench::new();
    let spec = python_with("import does_not_exist\n");
    let failure = bench.refusal(1, spec.clone()).await;
    assert_eq!(failure.kind, FailureKind::Exited);
    assert_eq!(
        &*failure.detail,
        "main:handler cannot be imported: ModuleNotFoundError: No module named 'does_not_exist'"
    );
    // Its traceback is in the function's log.
    let traceback = bench.outputs.of_parent().await;
    assert!(traceback.contains("Traceback"), "{traceback}");

    let failure = bench
        .refusal(
            2,
            python_with("import os, sys\nprint('no luck', file=sys.stderr)\nos._exit(7)\n"),
        )
        .await;
    assert_eq!(
        &*failure.detail,
        "the parent of main:handler exited with status 7 while it was loaded: no luck"
    );
    bench.finish().await;
}

#[tokio::test]
async fn threads_at_import_forbid_it_unless_the_manifest_falls_back() {
    const THREADS: &str = "
import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
def handler(request):
    return 'served'
";
    let bench = Bench::new();
    let mut spec = python_with(THREADS);
    let failure = bench.refusal(1, spec.clone()).await;
    let expected = "the module main starts threads when it is imported (Thread-1 (sleep)): a \
                    parent with threads cannot be forked; set preload.enabled = false";
    assert_eq!(&*failure.detail, expected);
    let runtime = spec.runtime.as_mut().unwrap();
    runtime.fallback = true;
    spec.revision = Arc::from("r2");
    bench.prepare(&spec, Some(1));
    for count in 2..=3 {
        let started = bench
            .start(count, spec.clone())
            .await
            .expect("it falls back");
        assert_eq!(started.kind, Some(StartKind::Exec));
    }
    eventually("the cause is shown", || {
        let kept = bench.driver.prepared();
        kept[0].failure.as_deref() == Some(expected)
    })
    .await;
    bench.finish().await;
}

#[tokio::test]
async fn spares_outlive_their_parent_and_it_is_replaced() {
    let bench = Bench::new();
    let spec = python_with(PYTHON);
    bench.prepare(&spec, Some(2));
    let before = bench.spares(2).await;
    let parent = before.parent.unwrap().0;
    kill(parent);
    gone(parent).await;
    for count in 1..=2 {
        let started = bench.start(count, spec.clone()).await.expect("it starts");
        assert_eq!(started.kind, Some(StartKind::Spare));
        assert_eq!(tell(&started)["loaded_by"], parent);
    }
    let third = bench.start(3, spec).await.expect("it starts");
    let loader = tell(&third)["loaded_by"].as_u64().unwrap();
    assert_ne!(loader, u64::from(parent));
    bench.spares(2).await;
    bench.finish().await;
}

#[tokio::test]
async fn a_dead_spare_is_passed_over() {
    let bench = Bench::new();
    let spec = python_with(PYTHON);
    bench.prepare(&spec, Some(2));
    let before = bench.spares(2).await;
    kill(before.spares[0]);
    gone(before.spares[0]).await;
    // Whether the spawner has reaped it or not.
    let started = bench.start(1, spec).await.expect("it starts");
    assert_eq!(started.pid, Some(before.spares[1]));
    bench.finish().await;
}

#[tokio::test]
async fn nothing_is_left_when_the_spawner_is_killed() {
    let bench = Bench::new();
    let spec = python_with(PYTHON);
    bench.prepare(&spec, Some(2));
    let before = bench.spares(2).await;
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    kill(bench.driver.spawner_pid().unwrap());
    assert_eq!(bench.exit().await.id, id(1));
    for pid in before.spares.iter().chain([&before.parent.unwrap().0]) {
        gone(*pid).await;
    }
    gone(started.pid.unwrap()).await;
    // The next spawner prepares again what is wanted.
    eventually("it is prepared again", || {
        let kept = bench.driver.prepared();
        kept.first()
            .is_some_and(|it| it.spares.len() == 2 && it.parent != before.parent)
    })
    .await;
    let started = bench.start(2, spec).await.expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Spare));
    bench.finish().await;
}

#[tokio::test]
async fn a_start_that_waits_can_be_stopped() {
    let bench = Bench::new();
    let spec = Arc::new(python_with("import time\ntime.sleep(1000)\n"));
    bench.driver.prepare(&spec, Some(1));
    let start = bench.driver.start(id(1), &spec);
    let stop = async {
        eventually("the parent is there", || {
            bench
                .driver
                .prepared()
                .first()
                .is_some_and(|it| it.parent.is_some())
        })
        .await;
        bench.driver.stop(id(1), Stop::Terminate);
    };
    let (started, ()) = tokio::join!(start, stop);
    let failure = started.expect_err("it was stopped");
    assert_eq!(&*failure.detail, "was stopped while it started");
    bench.finish().await;
}

/// Kills a process of this machine.
fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
