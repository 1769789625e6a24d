//! Figures, on request: `cargo test --release -p stoker-scaler --test process measuring --
//! --ignored --nocapture --test-threads 1`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stoker_scaler::driver::{Driver, LaunchSpec, SocketKind, Stop};

use crate::support::*;

const ROUNDS: u32 = 300;

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[times.len() * part / 100];
    println!(
        "{what:<44} p50 {:>9.1?}  p90 {:>9.1?}  p99 {:>9.1?}",
        at(50),
        at(90),
        at(99)
    );
}

/// A static program that ends at once, if there is a C compiler.
fn static_true() -> String {
    let path = "/tmp/stoker-static-true";
    let source = "int main(void) { return 0; }";
    let compiled = Command::new("sh")
        .args([
            "-c",
            &format!("echo '{source}' | cc -O2 -static -x c -o {path} -"),
        ])
        .status();
    if compiled.is_ok_and(|status| status.success()) {
        path.into()
    } else {
        "/bin/true".into()
    }
}

/// start() and exit of `spec`, and the time until start() answers.
async fn measure(bench: &Bench, what: &str, spec: &LaunchSpec) {
    let (mut starts, mut rounds) = (Vec::new(), Vec::new());
    let (mut prepares, mut spawns) = (Vec::new(), Vec::new());
    for count in 1..=ROUNDS {
        let began = Instant::now();
        let started = bench.start(count, spec.clone()).await.expect("it runs");
        starts.push(began.elapsed());
        prepares.push(started.timings.prepare);
        spawns.push(started.timings.spawn);
        bench.exit().await;
        rounds.push(began.elapsed());
    }
    show(&format!("{what}: start()"), starts);
    show(&format!("{what}: of that prepare"), prepares);
    show(&format!("{what}: of that spawn"), spawns);
    show(&format!("{what}: start() to exited()"), rounds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn start_against_posix_spawn() {
    let program = static_true();
    let bench = Bench::with(settings(), ports(400));
    measure(
        &bench,
        "stoker static",
        &spec(SocketKind::Inherit, &[&program]),
    )
    .await;
    let times = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let mut command = Command::new(&program);
            command
                .env_clear()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status().expect("it runs");
            began.elapsed()
        })
        .collect();
    show("posix_spawn static: spawn and wait", times);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn keeping_apart() {
    use stoker_scaler::driver::Namespace::{Ipc, Mount, Net, Pid, Uts};
    let program = static_true();
    let mut bare = settings();
    bare.cgroups.enabled = stoker_scaler::spawner::CgroupUse::Never;
    let plain = spec(SocketKind::Inherit, &[&program]);
    let without = Bench::with(bare, ports(1));
    let with = Bench::with(settings(), ports(1));
    let mut count = 0;
    let mut all = plain.clone();
    let mut show = async |bench: &Bench, what: &str, spec: &LaunchSpec| {
        let mut spawns = Vec::new();
        for _ in 0..ROUNDS {
            count += 1;
            let started = bench.start(count, spec.clone()).await.expect("it runs");
            spawns.push(started.timings.spawn);
            bench.exit().await;
        }
        spawns.sort();
        // Telling on a machine that others use, too.
        let tenth = spawns[spawns.len() / 10];
        self::show(&format!("{what}: spawn (p10 {tenth:.0?})"), spawns);
    };
    show(&without, "nothing", &all).await;
    show(&with, "group", &all).await;
    all.isolation.seccomp = true;
    show(&with, "and seccomp", &all).await;
    all.isolation.namespaces = vec![Mount, Pid, Ipc, Uts];
    show(&with, "and pid, mount, ipc, uts", &all).await;
    all.isolation.read_only = true;
    show(&with, "and read-only", &all).await;
    all.resources.memory_bytes = Some(64 << 20);
    all.resources.processes = Some(10);
    show(&with, "and limits of memory and processes", &all).await;
    all.isolation.namespaces.push(Net);
    show(&with, "and net", &all).await;
    without.finish().await;
    with.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn readiness() {
    for observe in [true, false] {
        let mut process = ports(400);
        process.observe = observe;
        let bench = Bench::with(settings(), process);
        let (mut lags, mut totals) = (Vec::new(), Vec::new());
        // The program says when it calls `listen`, on the same clock.
        let program = ON_PORT.replace("s.listen", "import time; t = time.monotonic_ns()\ns.listen")
            + "print(t, flush=True)\n"
            + SERVE;
        for count in 1..=30 {
            let began = Instant::now();
            bench
                .start(count, python(SocketKind::Port, &program))
                .await
                .expect("it listens");
            totals.push(began.elapsed());
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let now = Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32);
            let called = Duration::from_nanos(bench.outputs.line(count).parse().unwrap());
            lags.push(now.saturating_sub(called));
            bench.driver.stop(id(count), Stop::Kill);
            bench.exit().await;
        }
        let how = if observe { "observed" } else { "probed" };
        show(&format!("python on a port, {how}: start()"), totals);
        show(&format!("python on a port, {how}: listen to ready"), lags);
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn a_crowd() {
    let program = static_true();
    let bench = std::sync::Arc::new(Bench::with(settings(), ports(1)));
    let began = Instant::now();
    let starts: Vec<_> = (1..=1000)
        .map(|count| {
            let (bench, spec) = (bench.clone(), spec(SocketKind::Inherit, &[&program]));
            tokio::spawn(async move { bench.start(count, spec).await.map(|_| ()) })
        })
        .collect();
    for start in starts {
        start.await.unwrap().expect("it runs");
    }
    println!("1000 starts at once: {:.1?}", began.elapsed());
    for _ in 0..1000 {
        bench.exit().await;
    }
    println!("1000 starts and ends: {:.1?}", began.elapsed());
    std::fs::remove_dir_all(&bench.settings.state_dir).unwrap();
}

/// The same programs with and without a process that waits, in turns, each after a pause in which
/// one can be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn from_stubs() {
    use stoker_scaler::driver::Namespace::{Ipc, Mount, Net, Pid, Uts};
    let plain = spec(SocketKind::Inherit, &[&static_true()]);
    let mut apart = plain.clone();
    apart.isolation.seccomp = true;
    apart.isolation.namespaces = vec![Mount, Pid, Ipc, Uts, Net];
    apart.isolation.read_only = true;
    apart.resources.memory_bytes = Some(64 << 20);
    let mut without = settings();
    without.stubs = 0;
    let benches = [Bench::with(without, ports(1)), Bench::new()];
    let mut count = 0;
    for (what, spec) in [("nothing", plain), ("everything", apart)] {
        let mut phases = [const { [const { Vec::new() }; 4] }; 2];
        for _ in 0..ROUNDS {
            for (bench, phases) in benches.iter().zip(&mut phases) {
                count += 1;
                // Time is the subject: that in which a process can be made that waits.
                tokio::time::sleep(Duration::from_millis(10)).await;
                let started = bench.start(count, spec.clone()).await.expect("it runs");
                let timings = started.timings;
                let sum = timings.spawn + timings.clone + timings.exec;
                let all = [timings.spawn, timings.clone, timings.exec, sum];
                for (times, time) in phases.iter_mut().zip(all) {
                    times.push(time);
                }
                bench.exit().await;
            }
        }
        for (how, phases) in ["", ", from stubs"].iter().zip(phases) {
            for (phase, times) in ["spawn", "clone", "exec", "sum"].iter().zip(phases) {
                show(&format!("{what}{how}: {phase}"), times);
            }
        }
    }
    for bench in benches {
        bench.finish().await;
    }
}
