//! Instances that are made of processes that were there before, by the real runners.

#[path = "preload/cells.rs"]
mod cells;
#[path = "preload/failing.rs"]
mod failing;
#[path = "preload/groups.rs"]
mod groups;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
            websocket_bytes: 0,
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
