//! Instances that see only a part of the machine. Without root only what needs none is tested.

use std::fs;
use std::path::PathBuf;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, Isolation, LaunchSpec, Namespace, SocketKind, Stop};

use crate::support::*;

const ALL: [Namespace; 5] = [
    Namespace::Mount,
    Namespace::Pid,
    Namespace::Ipc,
    Namespace::Uts,
    Namespace::Net,
];

/// A python program that inherited its socket.
const INHERITED: &str = "
import ctypes, os, socket, sys
s = socket.socket(fileno=3)
libc = ctypes.CDLL(None, use_errno=True)
";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn apart(mut spec: LaunchSpec, namespaces: &[Namespace]) -> LaunchSpec {
    spec.isolation.namespaces = namespaces.to_vec();
    spec
}

#[tokio::test]
async fn it_is_process_one_of_a_host_of_its_own() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let program = "
pids = sorted(int(name) for name in os.listdir('/proc') if name.isdigit())
print(os.getpid(), os.environ['LISTEN_PID'], pids, socket.gethostname(), flush=True)";
    let program = format!("{INHERITED}{program}{SERVE}");
    let spec = apart(python(SocketKind::Inherit, &program), &ALL);
    let started = bench.start(1, spec).await.expect("it is executed");
    assert_eq!(ask(&started.endpoint), "hello");
    assert_eq!(bench.outputs.line(1), "1 1 [1] greet");
    // Signals without a handler do not reach a process 1, except from outside SIGKILL.
    bench.driver.stop(id(1), Stop::Terminate);
    assert_eq!(ask(&started.endpoint), "hello");
    bench.driver.stop(id(1), Stop::Kill);
    assert_eq!(&*bench.exit().await.failure.detail, "was killed by SIGKILL");
    bench.finish().await;
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_ne!(own.trim(), "greet");
}

#[tokio::test]
async fn sigterm_reaches_a_handler_and_daemons_end_with_process_one() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    // The daemon is known by the time it sleeps, for its pid is another one outside.
    let time = 100_000 + std::process::id();
    let program = format!(
        "(setsid env -i sleep {time} &); trap 'echo bye; exit 0' TERM; echo up; \
         while :; do sleep 0.01; done"
    );
    let sleeps = || {
        let entries = fs::read_dir("/proc").unwrap();
        let wanted = format!("sleep\0{time}\0");
        let mut lines = entries.map(|entry| fs::read(entry.unwrap().path().join("cmdline")));
        lines.any(|line| line.is_ok_and(|line| line == wanted.as_bytes()))
    };
    let spec = apart(shell(SocketKind::Inherit, &program), &[Namespace::Pid]);
    bench.start(1, spec).await.expect("it is executed");
    assert_eq!(bench.outputs.line(1), "up");
    eventually("the daemon sleeps", sleeps).await;
    bench.driver.stop(id(1), Stop::Terminate);
    assert_eq!(&*bench.exit().await.failure.detail, "exited with status 0");
    assert!(!sleeps(), "its daemon is gone when the exit is told");
    bench.finish().await;
}

#[tokio::test]
async fn its_network_is_a_loopback_that_is_up() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let program = "
l = socket.create_server(('127.0.0.1', 0))
socket.create_connection(l.getsockname()).close()
print([name for _, name in socket.if_nameindex()], flush=True)";
    let program = format!("{INHERITED}{program}{SERVE}");
    // The first one makes its own, the others may get one that was made ahead.
    for count in 1..=4 {
        let spec = apart(python(SocketKind::Inherit, &program), &[Namespace::Net]);
        let started = bench.start(count, spec).await.expect("it is executed");
        assert_eq!(ask(&started.endpoint), "hello");
        assert_eq!(bench.outputs.line(count), "['lo']");
    }
    // The spawner is where it was: what it starts otherwise is reached by port.
    let program = format!("{ON_PORT}{SERVE}");
    let started = bench.start(9, python(SocketKind::Port, &program)).await;
    assert_eq!(ask(&started.expect("it listens").endpoint), "hello");
    bench.finish().await;
}

#[tokio::test]
async fn calls_that_administer_are_refused_and_the_program_lives() {
    let bench = Bench::new();
    let program = "
import threading
def call(name, *args):
    ctypes.set_errno(0)
    getattr(libc, name)(*args)
    return ctypes.get_errno()
threading.Thread(target=print, args=('thread',)).start()
if os.fork() == 0: os._exit(0)
os.wait()
print(call('mount', b'x', b'/tmp', b'tmpfs', 0, None), call('ptrace', 0, 0, 0, 0),
      call('unshare', 0x10000000), call('sched_yield'), flush=True)";
    let program = format!("{program}{ON_PORT}{SERVE}");
    let program =
        format!("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nimport os{program}");
    let mut spec = python(SocketKind::Port, &program);
    spec.isolation.seccomp = true;
    // Beside the filter that observes `listen`.
    let started = bench.start(1, spec).await.expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    let text = bench
        .outputs
        .read(1, stoker_scaler::process::OutputStream::Stdout, |text| {
            text.matches('\n').count() == 2
        });
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1 1 1 0", "thread"]);
    bench.finish().await;
}

#[tokio::test]
async fn files_are_read_only_but_for_those_named() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let writable = PathBuf::from(format!("/var/tmp/stk-{}", std::process::id()));
    fs::create_dir_all(&writable).unwrap();
    let program = format!(
        "touch /var/stoker-test 2>&1 | grep -o 'Read-only file system'; \
         test -w /proc/sys/kernel/hostname || echo kept; \
         echo yes > {}/it; ls -A /tmp; echo private > /tmp/it; echo > /dev/null; \
         dd if=/dev/zero of=/tmp/large bs=64k count=4 2>&1 | grep -o 'No space left'; \
         cat {}/it /tmp/it; exec sleep 1000",
        writable.display(),
        writable.display()
    );
    let mut spec = apart(
        shell(SocketKind::Inherit, &program),
        &[Namespace::Mount, Namespace::Pid],
    );
    spec.isolation.read_only = true;
    spec.isolation.writable = vec![writable.clone()];
    spec.isolation.tmp_bytes = Some(128 << 10);
    bench.start(1, spec).await.expect("it is executed");
    let text = bench
        .outputs
        .read(1, stoker_scaler::process::OutputStream::Stdout, |text| {
            text.ends_with("private\n")
        });
    assert_eq!(
        text,
        "Read-only file system\nkept\nNo space left\nyes\nprivate\n"
    );
    assert!(writable.join("it").exists() && !PathBuf::from("/tmp/it").exists());
    bench.finish().await;
    fs::remove_dir_all(&writable).unwrap();
}

#[tokio::test]
async fn a_path_that_is_not_there_cannot_be_writable() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let mut spec = apart(shell(SocketKind::Inherit, "true"), &[Namespace::Mount]);
    spec.isolation.read_only = true;
    spec.isolation.writable = vec!["/var".into(), "/not/there".into()];
    let failure = bench.refusal(1, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    assert_eq!(
        &*failure.detail,
        "cannot keep \"/not/there\" writable: no such file or directory"
    );
    bench.finish().await;
}

#[tokio::test]
async fn root_in_a_user_namespace_is_root_nowhere_else() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let program = "
sys.stdout.write(open('/proc/self/uid_map').read())
# Its name stays the host's, for it has no namespace for that.
name = socket.gethostname().encode()
print(libc.sethostname(name, len(name)), os.strerror(ctypes.get_errno()))
print(os.getuid(), flush=True)";
    let program = format!("{INHERITED}{program}{SERVE}");
    let mut spec = apart(python(SocketKind::Inherit, &program), &ALL);
    spec.isolation.namespaces.push(Namespace::User);
    spec.isolation
        .namespaces
        .retain(|namespace| *namespace != Namespace::Uts);
    let started = match bench.start(1, spec).await {
        Ok(started) => started,
        // Some machines and most containers do not let anybody have them.
        Err(failure) => {
            let detail = &failure.detail;
            assert!(detail.starts_with("cannot make the namespaces"), "{detail}");
            eprintln!("not tested: {detail}");
            return bench.finish().await;
        }
    };
    assert_eq!(ask(&started.endpoint), "hello");
    let text = bench
        .outputs
        .read(1, stoker_scaler::process::OutputStream::Stdout, |text| {
            text.matches('\n').count() == 3
        });
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let map: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(map, ["0", "0", "1"]);
    assert_eq!(lines[1..], ["-1 Operation not permitted", "0"]);
    bench.finish().await;
}

#[tokio::test]
async fn another_user_and_a_user_namespace_exclude_each_other() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let mut spec = apart(shell(SocketKind::Inherit, "true"), &[Namespace::User]);
    spec.user = Some("nobody".to_owned());
    let failure = bench.refusal(1, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    assert!(
        failure
            .detail
            .starts_with("cannot become the user \"nobody\" in a user namespace"),
        "{}",
        failure.detail
    );
    bench.finish().await;
}

#[tokio::test]
async fn without_root_namespaces_take_one_of_users() {
    let Some(settings) = crate::unprivileged::as_nobody() else {
        return;
    };
    let bench = Bench::with(settings, ports(1));
    let waits = || shell(SocketKind::Inherit, "echo $$; exec sleep 1000");
    let failure = bench.refusal(1, apart(waits(), &ALL)).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    assert_eq!(
        &*failure.detail,
        "cannot make the namespaces mount, pid, ipc, uts, net: operation not permitted (without \
         root they take the namespace \"user\", too)"
    );
    let mut namespaces = ALL.to_vec();
    namespaces.push(Namespace::User);
    match bench.start(2, apart(waits(), &namespaces)).await {
        Ok(_) => assert_eq!(bench.outputs.line(2), "1"),
        Err(failure) => eprintln!("not tested: {}", failure.detail),
    }
    bench.finish().await;
}

#[tokio::test]
async fn who_is_kept_apart_is_adopted_like_others() {
    if !is_root() {
        return;
    }
    let mut settings = settings();
    settings.adoption = Some(PATIENCE);
    let bench = Bench::with(settings.clone(), ports(1));
    let program = format!("{INHERITED}{SERVE}");
    let mut spec = apart(python(SocketKind::Inherit, &program), &ALL);
    spec.isolation = Isolation {
        seccomp: true,
        ..spec.isolation
    };
    spec.resources.memory_bytes = Some(64 << 20);
    let started = match bench.start(1, spec).await {
        Ok(started) => started,
        Err(failure) => {
            eprintln!("not tested: {}", failure.detail);
            return bench.finish().await;
        }
    };
    let Bench {
        driver, process, ..
    } = bench;
    driver.detach().await;
    let bench = Bench::with(settings, process);
    assert_eq!(bench.driver.adopt().await.len(), 1);
    assert_eq!(ask(&started.endpoint), "hello");
    bench.driver.stop(id(1), Stop::Kill);
    bench.exit().await;
    assert!(!runs(started.pid.unwrap()));
    bench.finish().await;
}
