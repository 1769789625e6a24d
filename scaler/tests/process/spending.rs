//! What instances use, against what their programs say of themselves.

use stoker_scaler::driver::{Driver, SocketKind, Stop};
use stoker_scaler::process::ProcessSettings;
use stoker_scaler::spawner::CgroupUse;

use crate::support::*;

/// Uses 200 ms of CPU itself and 200 ms in a child, says so, and ends when it is told to.
const BURN: &str = "
import os, signal, sys, time
def burn(seconds):
    while time.process_time() < seconds:
        pass
child = os.fork()
if child == 0:
    burn(0.2)
    os._exit(0)
burn(0.2)
os.waitpid(child, 0)
signal.signal(signal.SIGTERM, lambda *_: (print(sum(os.times()[:4]), flush=True), os._exit(0)))
print('ready', flush=True)
while True:
    signal.pause()
";

async fn the_account_is_right(groups: CgroupUse) {
    let mut settings = settings();
    settings.cgroups.enabled = groups;
    let bench = Bench::with(settings, ProcessSettings::default());
    // The second one has the control group of the first one, if there are any.
    for count in [1, 2] {
        let started = bench.start(count, python(SocketKind::Inherit, BURN)).await;
        started.expect("it runs");
        bench.outputs.wait_for(count).await;
        assert_eq!(bench.outputs.line(count), "ready");
        // It has used all of it when it says that it is ready. /proc tells user and system time of each
        // process in whole hundredths of a second.
        let measured = bench.driver.measure().await;
        let it = measured.iter().find(|it| it.id == id(count));
        let last = it.and_then(|it| it.cpu_micros).unwrap_or(0);
        assert!(last >= 350_000, "{last}");
        let memory = it.and_then(|it| it.memory_bytes).unwrap_or(u64::MAX);
        assert!(memory > 100_000, "{memory}");
        bench.driver.stop(id(count), Stop::Terminate);
        let spent = bench.exit().await.spent.expect("it is known");
        let all = bench.outputs.all(count);
        let said: f64 = all
            .lines()
            .last()
            .and_then(|line| line.parse().ok())
            .unwrap_or(0.4);
        let micros = spent.cpu_micros as f64;
        // It counts in hundredths of a second, and ends after it has spoken.
        assert!(
            micros >= said * 1e6 - 20_000.0,
            "{spent:?}, and it says {said}"
        );
        assert!(
            micros <= said * 1e6 + 200_000.0,
            "{spent:?}, and it says {said}"
        );
        assert!(spent.cpu_micros >= last, "{spent:?} {last}");
        assert!(spent.peak_kib > 1000, "{spent:?}");
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_account_for_all_processes() {
    the_account_is_right(CgroupUse::Auto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_groups_processes_are_asked_one_by_one() {
    the_account_is_right(CgroupUse::Never).await;
}
