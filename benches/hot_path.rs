//! What every request pays in the gateway itself: routing and a lease.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use stoker_core::{InstanceId, StartFailure};
use stoker_gateway::{Gateway, Metrics};
use stoker_scaler::driver::{
    BoxFuture, Driver, Endpoint, Exit, LaunchSpec, Observed, Started, Stop,
};
use stoker_scaler::{Scaler, ScalerSettings};

/// Functions registered in the routing bench.
const FUNCTIONS: usize = 10_000;

/// Starts nothing, at once.
struct Idle;

impl Driver for Idle {
    fn start<'a>(
        &'a self,
        _: InstanceId,
        _: &'a Arc<LaunchSpec>,
    ) -> BoxFuture<'a, Result<Started, StartFailure>> {
        let endpoint = Endpoint::Unix(PathBuf::from("/nowhere"));
        Box::pin(async {
            Ok(Started {
                endpoint,
                pid: None,
                timings: Default::default(),
                kind: None,
            })
        })
    }

    fn stop(&self, _: InstanceId, _: Stop) {}

    fn adopt(&self) -> BoxFuture<'_, Vec<Observed>> {
        Box::pin(async { Vec::new() })
    }

    fn exited(&self) -> BoxFuture<'_, Exit> {
        Box::pin(std::future::pending())
    }
}

fn gateway(runtime: &tokio::runtime::Runtime, functions: usize) -> Gateway {
    let dir = std::env::temp_dir().join(format!("stoker-bench-{}", std::process::id()));
    let write = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("made");
        fs::write(path, text).expect("written");
    };
    write(dir.join("stoker.toml"), "");
    for number in 0..functions {
        let manifest = format!(
            "command = [\"true\"]\n[[routes]]\npath = \"/team-{}/service-{number}/{{id}}\"\n\
             [scaling]\nconcurrency = 100\nmax-scale = 1\n",
            number % 100,
        );
        write(
            dir.join(format!("functions/f{number}/function.toml")),
            &manifest,
        );
    }
    let config = stoker_config::load(&dir.join("stoker.toml")).expect("a valid configuration");
    let scaler = runtime.block_on(Scaler::new(ScalerSettings {
        driver: Arc::new(Idle),
        runtime: runtime.handle().clone(),
        notices: Arc::new(|_, _| {}),
        stop_grace: Duration::from_secs(1),
        ledger: None,
    }));
    let gateway = Gateway::new(
        config,
        scaler,
        Arc::new(Metrics::new().expect("no name twice")),
    );
    fs::remove_dir_all(&dir).expect("removed");
    gateway
}

fn routing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("route");
    for functions in [10, FUNCTIONS] {
        let snapshot = gateway(&runtime, functions).snapshot();
        let last = functions - 1;
        let default = format!("/function/f{last}/some/path");
        let pattern = format!("/team-{}/service-{last}/42", last % 100);
        group.bench_function(format!("default route among {functions}"), |bencher| {
            bencher.iter(|| {
                snapshot
                    .resolve("localhost", black_box(&default), "GET")
                    .is_some()
            });
        });
        group.bench_function(format!("pattern among {functions}"), |bencher| {
            bencher.iter(|| {
                snapshot
                    .resolve("localhost", black_box(&pattern), "GET")
                    .is_some()
            });
        });
    }
    group.finish();
}

fn lease(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let gateway = gateway(&runtime, 1);
    let snapshot = gateway.snapshot();
    let function = &snapshot.functions["f0"].function;
    let deadline = Instant::now() + Duration::from_secs(3600);
    drop(
        runtime
            .block_on(function.acquire(deadline))
            .expect("an instance starts"),
    );
    criterion.bench_function("acquire and release, warm", |bencher| {
        bencher.iter(|| {
            drop(
                runtime
                    .block_on(function.acquire(deadline))
                    .expect("a slot is free"),
            )
        });
    });
}

criterion_group!(benches, routing, lease);
criterion_main!(benches);
