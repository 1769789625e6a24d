//! The same as an ordinary user, if these tests run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use stoker_core::FailureKind;
use stoker_scaler::driver::SocketKind;
use stoker_scaler::spawner::SpawnerSettings;

use crate::support::*;

const NOBODY: u32 = 65_534;

/// A spawner that runs as nobody; none if we may not become nobody.
pub(crate) fn as_nobody() -> Option<SpawnerSettings> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let mut settings = settings();
    fs::create_dir_all(settings.state_dir.join("run")).unwrap();
    chown(&settings.state_dir, Some(NOBODY), Some(NOBODY)).unwrap();
    let become_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    settings.arguments = become_nobody.into_iter().map(Into::into).collect();
    settings
        .arguments
        .push(settings.executable.clone().into_os_string());
    settings.executable = PathBuf::from("/usr/bin/setpriv");
    Some(settings)
}

#[tokio::test]
async fn observes_and_ends() {
    let Some(settings) = as_nobody() else { return };
    let bench = Bench::with(settings, ports(3));
    let program = format!("{ON_PORT}print(os.getuid(), flush=True){SERVE}");
    let started = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    assert_eq!(bench.outputs.line(1), NOBODY.to_string());
    let wrong = ON_PORT.replace("int(os.environ['PORT'])", "0");
    let wrong = python(SocketKind::Port, &format!("{wrong}{SERVE}"));
    bench.late(wrong, "listened on port ").await;
    bench.finish().await;
}

#[tokio::test]
async fn a_program_that_may_not_be_looked_into_is_probed() {
    let Some(settings) = as_nobody() else { return };
    let bench = Bench::with(settings, ports(3));
    // PR_SET_DUMPABLE: its descriptors are closed to processes without privileges.
    let hide = "import ctypes; ctypes.CDLL(None).prctl(4, 0)\n";
    let program = format!("{hide}{ON_PORT}{SERVE}");
    let started = bench
        .start(1, python(SocketKind::Port, &program))
        .await
        .expect("it listens");
    assert_eq!(ask(&started.endpoint), "hello");
    bench.finish().await;
}

#[tokio::test]
async fn cannot_become_another() {
    let Some(settings) = as_nobody() else { return };
    let bench = Bench::with(settings, ports(3));
    let mut other = spec(SocketKind::Port, &["true"]);
    other.user = Some("root".to_owned());
    let failure = bench.refusal(1, other).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    assert_eq!(
        &*failure.detail,
        "cannot run as \"root\": only root can start programs as another user"
    );
    let mut myself = shell(SocketKind::Inherit, "id -u");
    myself.user = Some("nobody".to_owned());
    bench.start(2, myself).await.expect("it is nobody already");
    bench.exit().await;
    assert_eq!(bench.outputs.all(2), "65534\n");
    bench.finish().await;
}
