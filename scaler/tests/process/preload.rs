//! Instances that are made of processes that were there before, by the real runners.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stoker_core::FailureKind;
use stoker_scaler::driver::{
    Driver, Endpoint, Language, LaunchSpec, Prepared, RuntimeLaunch, SocketKind, StartKind,
    Started, Stop,
};

use crate::support::*;

/// Tells about itself.
const PYTHON: &str = "
import json, os, random, sys
LOADED_BY = os.getpid()

def handler(request):
    return {
        'pid': os.getpid(), 'loaded_by': LOADED_BY, 'random': random.random(),
        'instance': os.environ.get('STOKER_INSTANCE'), 'uid': os.getuid(),
        'group': os.getpgid(0), 'parent': os.getppid(), 'directory': os.getcwd(),
        'ours': sorted(k for k in os.environ if k in (
            'STOKER_HANDLER', 'STOKER_CONTROL', 'STOKER_SPAWNER_PID', 'LISTEN_PID')),
        'open': sorted(os.readlink('/proc/self/fd/' + fd).split(':')[0]
                       for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)),
        'mine': os.environ.get('MINE'),
    }
";

const NODE: &str = "
export default (request, response) => {
    response.end(JSON.stringify({
        pid: process.pid, instance: process.env.STOKER_INSTANCE, mine: process.env.MINE,
        directory: process.cwd(), channel: process.env.NODE_CHANNEL_FD,
    }));
};
";

/// A directory with a handler.
fn handler_of(name: &str, text: &str) -> PathBuf {
    let directory = state_dir();
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
    directory
}

fn launch(language: Language, directory: &Path, handler: &str) -> LaunchSpec {
    let interpreter = match language {
        Language::Python => "python3",
        Language::Node => "node",
    };
    LaunchSpec {
        runtime: Some(RuntimeLaunch {
            language,
            handler: handler.to_owned(),
            interface: "auto".to_owned(),
            concurrency: 1,
            preload: true,
            fallback: false,
        }),
        working_directory: directory.to_owned(),
        environment: vec![("MINE".to_owned(), "yes".to_owned())],
        ..spec(SocketKind::Inherit, &[interpreter])
    }
}

fn python_with(text: &str) -> LaunchSpec {
    launch(
        Language::Python,
        &handler_of("main.py", text),
        "main:handler",
    )
}

fn node_with(text: &str) -> LaunchSpec {
    launch(Language::Node, &handler_of("main.mjs", text), "main.mjs")
}

/// What the handler tells.
fn tell(started: &Started) -> serde_json::Value {
    let Endpoint::Unix(path) = &started.endpoint else {
        panic!("a path");
    };
    let mut stream = UnixStream::connect(path).expect("can connect");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("can write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("can read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let body = match head.to_lowercase().contains("transfer-encoding: chunked") {
        true => body.split("\r\n").nth(1).expect("a chunk"),
        false => body,
    };
    serde_json::from_str(body).expect("JSON")
}

impl Bench {
    fn prepare(&self, spec: &LaunchSpec, spares: Option<u32>) {
        self.driver.prepare(&Arc::new(spec.clone()), spares);
    }

    /// Waits until so many spares wait.
    async fn spares(&self, count: usize) -> Prepared {
        let kept = || self.driver.prepared();
        eventually(&format!("{count} spares"), || {
            kept().first().is_some_and(|it| it.spares.len() == count)
        })
        .await;
        kept().remove(0)
    }

    /// Waits until nothing is kept.
    async fn nothing_kept(&self) {
        eventually("nothing is kept", || self.driver.prepared().is_empty()).await;
    }
}

#[tokio::test]
async fn a_spare_becomes_an_instance_and_is_replaced() {
    let bench = Bench::new();
    let spec = python_with(PYTHON);
    bench.prepare(&spec, Some(1));
    let before = bench.spares(1).await;
    let (parent, loaded) = before.parent.expect("a parent");
    assert!(loaded);
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Spare));
    assert_eq!(started.pid, Some(before.spares[0]));
    let told = tell(&started);
    assert_eq!(told["pid"], before.spares[0]);
    assert_eq!(told["group"], before.spares[0]);
    assert_eq!(told["loaded_by"], parent);
    assert_eq!(told["parent"], bench.driver.spawner_pid().unwrap());
    assert_eq!(told["instance"], "1-1");
    assert_eq!(told["mine"], "yes");
    assert_eq!(told["directory"], spec.working_directory.to_str().unwrap());
    assert_eq!(told["ours"], serde_json::json!([]));
    eventually("it is replaced", || {
        let kept = bench.driver.prepared();
        kept[0].spares.len() == 1 && kept[0].spares != before.spares
    })
    .await;

    let second = bench.start(2, spec).await.expect("it starts");
    let other = tell(&second);
    assert_ne!(other["pid"], told["pid"]);
    assert_ne!(other["random"], told["random"], "generators are reseeded");
    bench.driver.stop(id(1), Stop::Terminate);
    let exit = bench.exit().await;
    assert_eq!(
        (exit.id, &*exit.failure.detail),
        (id(1), "exited with status 0")
    );
    gone(started.pid.unwrap()).await;
    assert!(runs(second.pid.unwrap()) && runs(parent));
    bench.finish().await;
    gone(parent).await;
}

#[tokio::test]
async fn without_a_spare_the_parent_forks_when_it_is_asked() {
    let bench = Bench::new();
    let spec = python_with(PYTHON);
    bench.prepare(&spec, Some(0));
    // The first one waits for the parent to be loaded, the others do not.
    for count in 1..=5 {
        let started = bench.start(count, spec.clone()).await.expect("it starts");
        assert_eq!(started.kind, Some(StartKind::Fork));
        assert_eq!(tell(&started)["instance"], format!("1-{count}"));
    }
    let kept = bench.spares(0).await;
    let parent = kept.parent.expect("a parent").0;
    bench.prepare(&spec, None);
    gone(parent).await;
    bench.nothing_kept().await;
    bench.finish().await;
}

#[tokio::test]
async fn many_starts_at_once_get_a_process_each() {
    let bench = Bench::new();
    let spec = Arc::new(python_with(PYTHON));
    bench.driver.prepare(&spec, Some(2));
    let starts = (1..=12).map(|count| bench.driver.start(id(count), &spec));
    let mut pids = Vec::new();
    for start in starts {
        pids.extend(start.await.expect("it starts").pid);
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 12);
    bench.finish().await;
    for pid in pids {
        gone(pid).await;
    }
}

#[tokio::test]
async fn what_was_started_without_preparation_is_started_too() {
    let bench = Bench::new();
    let started = bench
        .start(1, python_with(PYTHON))
        .await
        .expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Fork));
    let parent = tell(&started)["loaded_by"].as_u64().unwrap() as u32;
    gone(parent).await;
    assert!(runs(started.pid.unwrap()));
    bench.finish().await;
}

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
async fn preloading_can_be_switched_off() {
    let bench = Bench::new();
    for spec in [python_with(PYTHON), node_with(NODE)] {
        let mut spec = spec;
        spec.runtime.as_mut().unwrap().preload = false;
        let count = if spec.command[0] == "node" { 2 } else { 1 };
        let started = bench.start(count, spec).await.expect("it starts");
        assert_eq!(started.kind, Some(StartKind::Exec));
        let told = tell(&started);
        assert_eq!(told["instance"], format!("1-{count}"));
        assert_eq!(told["pid"], started.pid.unwrap());
    }
    assert!(bench.driver.prepared().is_empty());
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

#[tokio::test]
async fn functions_and_revisions_share_no_parent() {
    let bench = Bench::new();
    let one = python_with(PYTHON);
    let other = LaunchSpec {
        function: Arc::from("other"),
        ..one.clone()
    };
    let newer = LaunchSpec {
        revision: Arc::from("r2"),
        ..one.clone()
    };
    let mut loaders = Vec::new();
    for (count, spec) in [one, other, newer].into_iter().enumerate() {
        bench.prepare(&spec, Some(1));
        let started = bench
            .start(count as u32 + 1, spec)
            .await
            .expect("it starts");
        loaders.push(tell(&started)["loaded_by"].as_u64().unwrap());
    }
    loaders.sort_unstable();
    loaders.dedup();
    assert_eq!(loaders.len(), 3);
    assert_eq!(bench.driver.prepared().len(), 3);
    bench.finish().await;
}

#[tokio::test]
async fn prepared_processes_run_as_the_functions_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new();
    for (count, mut spec) in [(1, python_with(PYTHON)), (2, node_with(NODE))] {
        spec.user = Some("nobody".to_owned());
        spec.function = Arc::from(format!("f{count}"));
        bench.prepare(&spec, Some(1));
        let started = bench.start(count, spec).await.expect("it starts");
        let status = fs::read_to_string(format!("/proc/{}/status", started.pid.unwrap())).unwrap();
        assert!(
            status.contains("\nUid:\t65534\t65534\t65534\t65534\n"),
            "{status}"
        );
        assert_eq!(tell(&started)["pid"], started.pid.unwrap());
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_booted_cell_loads_the_handler() {
    let bench = Bench::new();
    let spec = node_with(NODE);
    bench.prepare(&spec, Some(1));
    let before = bench.spares(1).await;
    assert_eq!((before.language, before.parent), (Language::Node, None));
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Cell));
    assert_eq!(started.pid, Some(before.spares[0]));
    let told = tell(&started);
    assert_eq!(
        (&told["instance"], &told["mine"]),
        (&"1-1".into(), &"yes".into())
    );
    assert_eq!(told["directory"], spec.working_directory.to_str().unwrap());
    assert!(told["channel"].is_null());

    // Another function of the same user takes from the same cells.
    let mut other = node_with("export default () => { throw new Error('no'); }; nonsense(");
    other.function = Arc::from("other");
    bench.prepare(&other, Some(1));
    bench.spares(1).await;
    assert_eq!(bench.driver.prepared().len(), 1);
    let second = bench.start(2, other.clone()).await.expect("it is assigned");
    assert_eq!(second.kind, Some(StartKind::Cell));
    // Its handler cannot be loaded: it ends, and its words are in its own log.
    assert_eq!(bench.exit().await.id, id(2));
    bench.prepare(&spec, None);
    bench.prepare(&other, None);
    bench.nothing_kept().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_cell_boots_when_it_is_needed() {
    let bench = Bench::new();
    let started = bench.start(1, node_with(NODE)).await.expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Cell));
    assert_eq!(tell(&started)["pid"], started.pid.unwrap());
    let mut spec = node_with(NODE);
    spec.command = vec!["/does/not/exist".to_owned()];
    let failure = bench.refusal(2, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    let mut spec = node_with(NODE);
    spec.environment
        .push(("NODE_OPTIONS".to_owned(), "--no-such-option".to_owned()));
    let failure = bench.refusal(3, spec).await;
    assert!(
        failure
            .detail
            .contains("its interpreter exited with status 9"),
        "{}",
        failure.detail
    );
    assert!(
        failure.detail.contains("--no-such-option"),
        "{}",
        failure.detail
    );
    bench.finish().await;
}

#[tokio::test]
async fn the_next_gateway_finds_what_was_kept_and_what_was_made_of_it() {
    let mut settings = settings();
    settings.adoption = Some(PATIENCE);
    let bench = Bench::with(settings, ports(2));
    let spec = python_with(PYTHON);
    bench.prepare(&spec, Some(1));
    bench.spares(1).await;
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    let parent = tell(&started)["loaded_by"].clone();

    let bench = crate::adopting::next(bench).await;
    let observed = bench.driver.adopt().await;
    let found: Vec<_> = observed.iter().map(|it| (it.id, it.pid)).collect();
    assert_eq!(found, [(id(1), started.pid)], "parents are no instances");
    assert_eq!(tell(&started)["instance"], "1-1");
    bench.prepare(&spec, Some(1));
    let kept = bench.spares(1).await;
    assert_eq!(kept.parent.unwrap().0, parent.as_u64().unwrap() as u32);
    let second = bench.start(2, spec).await.expect("it starts");
    assert_eq!(second.kind, Some(StartKind::Spare));
    bench.driver.stop(id(1), Stop::Terminate);
    assert_eq!(bench.exit().await.id, id(1));
    bench.finish().await;
}

/// The control groups of a process that are Stoker's.
fn groups(pid: u32) -> Vec<String> {
    let list = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let names = list
        .lines()
        .filter_map(|line| line.split("/stoker-").nth(1));
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn an_instance_with_limits_has_its_control_group_before_it_is_assigned() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new();
    let mut spec = python_with(PYTHON);
    spec.resources.memory_bytes = Some(512 << 20);
    bench.prepare(&spec, Some(2));
    let before = bench.spares(2).await;
    if groups(before.spares[0]).is_empty() {
        // Not on a machine without rights for them.
        return bench.finish().await;
    }
    let parent = groups(before.parent.unwrap().0);
    let spares = before.spares.iter().map(|pid| groups(*pid));
    let mut all: Vec<_> = spares.chain([parent]).collect();
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    assert!(all.contains(&groups(started.pid.unwrap())));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 3, "{all:?}");
    bench.prepare(&spec, None);
    bench.nothing_kept().await;
    assert_eq!(tell(&started)["instance"], "1-1");
    bench.finish().await;
}

#[tokio::test]
async fn an_instance_that_was_forked_is_born_into_a_control_group_of_its_own() {
    // Of v2 it needs machine code of the runner's.
    if !cfg!(target_arch = "x86_64") || !crate::limiting::has_groups() {
        return;
    }
    let bench = Bench::new();
    let one = bench
        .start(1, python_with(PYTHON))
        .await
        .expect("it starts");
    let two = bench
        .start(2, python_with(PYTHON))
        .await
        .expect("it starts");
    let of = |started: &Started| groups(started.pid.unwrap());
    assert!(!of(&one).is_empty() && !of(&two).is_empty());
    assert_ne!(of(&one), of(&two));
    assert_eq!(tell(&one)["instance"], "1-1");
    bench.finish().await;
}

#[tokio::test]
async fn an_instance_that_was_forked_is_killed_for_its_memory() {
    let greedy = "
hoard = []
def handler(request):
    while True:
        hoard.append(bytearray(1 << 20))
";
    let bench = Bench::new();
    let mut spec = python_with(greedy);
    spec.resources.memory_bytes = Some(64 << 20);
    let started = match bench.start(1, spec).await {
        Ok(started) => started,
        // Not on a machine without rights for it.
        Err(failure) if failure.detail.contains("cannot limit memory") => {
            return bench.finish().await;
        }
        Err(failure) => panic!("{failure:?}"),
    };
    let Endpoint::Unix(path) = &started.endpoint else {
        panic!("a path");
    };
    let mut stream = UnixStream::connect(path).expect("can connect");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("can write");
    let exit = bench.exit().await;
    assert!(
        exit.failure
            .detail
            .contains("it used more than resources.memory"),
        "{}",
        exit.failure.detail
    );
    bench.finish().await;
}

/// Kills a process of this machine.
fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
