//! What a program finds when it is executed, and why it may not be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stoker_core::FailureKind;
use stoker_scaler::driver::{LaunchSpec, Rlimit, SocketKind};
use stoker_scaler::process::OutputStream;

use crate::support::*;

/// A file below the state directory.
fn file(bench: &Bench, name: &str, content: &str, mode: u32) -> PathBuf {
    let path = bench.settings.state_dir.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// The detail of a start that fails because the program cannot be executed.
async fn refused(bench: &Bench, count: u32, spec: LaunchSpec) -> String {
    let failure = bench.refusal(count, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable, "{failure:?}");
    failure.detail.to_string()
}

fn program(path: &Path) -> LaunchSpec {
    spec(SocketKind::Inherit, &[path.to_str().unwrap()])
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_path() {
    let bench = Bench::new();
    assert_eq!(
        refused(&bench, 1, spec(SocketKind::Inherit, &["nope"])).await,
        "cannot execute \"nope\": no such file or directory (looked in \
         /usr/local/bin:/usr/bin:/bin)"
    );
    assert_eq!(
        refused(&bench, 2, spec(SocketKind::Port, &["/nope"])).await,
        "cannot execute \"/nope\": no such file or directory"
    );
    let mut elsewhere = spec(SocketKind::Unix, &["sh"]);
    elsewhere.environment = vec![("PATH".to_owned(), "/nowhere".to_owned())];
    assert_eq!(
        refused(&bench, 3, elsewhere).await,
        "cannot execute \"sh\": no such file or directory (looked in /nowhere)"
    );
    let run = bench.settings.state_dir.join("run");
    assert_eq!(
        fs::read_dir(run).unwrap().count(),
        0,
        "nothing is left behind"
    );
    bench.finish().await;
}

#[tokio::test]
async fn scripts_and_files_that_are_no_programs() {
    let bench = Bench::new();
    let script = file(&bench, "script", "#!/no/such/python -u\n", 0o755);
    let name = script.display().to_string();
    assert_eq!(
        refused(&bench, 1, program(&script)).await,
        format!("cannot execute \"{name}\": its interpreter \"/no/such/python\" does not exist")
    );
    let plain = file(&bench, "plain", "echo hello\n", 0o755);
    let detail = refused(&bench, 2, program(&plain)).await;
    assert!(
        detail.ends_with("nor a script that begins with #!"),
        "{detail}"
    );
    let denied = file(&bench, "denied", "#!/bin/sh\n", 0o644);
    let name = denied.display();
    assert_eq!(
        refused(&bench, 3, program(&denied)).await,
        format!("cannot execute \"{name}\": permission denied")
    );
    bench.finish().await;
}

#[tokio::test]
async fn users_and_directories_must_exist() {
    let bench = Bench::new();
    let mut nobody = spec(SocketKind::Inherit, &["true"]);
    nobody.user = Some("no-such-user".to_owned());
    assert_eq!(
        refused(&bench, 1, nobody).await,
        "cannot run as \"no-such-user\": there is no such user in /etc/passwd"
    );
    let mut nowhere = spec(SocketKind::Inherit, &["true"]);
    nowhere.working_directory = PathBuf::from("/no/such/directory");
    assert_eq!(
        refused(&bench, 2, nowhere).await,
        "cannot enter the working directory \"/no/such/directory\": no such file or directory"
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_launch_that_is_too_large_is_refused_with_the_limit() {
    let bench = Bench::new();
    let mut large = spec(SocketKind::Port, &["true"]);
    large.environment = vec![("LARGE".to_owned(), "x".repeat(200_000))];
    let detail = refused(&bench, 1, large).await;
    assert!(detail.contains("more than the limit of 131072"), "{detail}");
    bench.finish().await;
}

#[tokio::test]
async fn relative_programs_are_found_in_the_working_directory() {
    let bench = Bench::new();
    let path = file(&bench, "here", "#!/bin/sh\npwd\n", 0o755);
    let mut here = spec(SocketKind::Inherit, &["./here"]);
    here.working_directory = path.parent().unwrap().to_owned();
    bench.start(1, here).await.expect("it runs");
    assert_eq!(
        bench.exit().await.failure.detail.to_string(),
        "exited with status 0"
    );
    assert_eq!(
        bench.outputs.all(1).trim(),
        path.parent().unwrap().to_str().unwrap()
    );
    bench.finish().await;
}

#[tokio::test]
async fn exits_and_signals_are_told() {
    let bench = Bench::new();
    bench
        .start(
            1,
            shell(SocketKind::Inherit, "echo out; echo err >&2; exit 7"),
        )
        .await
        .unwrap();
    let exit = bench.exit().await;
    assert_eq!((exit.id, exit.failure.kind), (id(1), FailureKind::Exited));
    assert_eq!(&*exit.failure.detail, "exited with status 7");
    assert_eq!(bench.outputs.all(1), "out\n");
    assert_eq!(
        bench.outputs.read(1, OutputStream::Stderr, |_| false),
        "err\n"
    );
    bench
        .start(2, shell(SocketKind::Inherit, "kill -KILL $$"))
        .await
        .unwrap();
    assert_eq!(&*bench.exit().await.failure.detail, "was killed by SIGKILL");
    bench.finish().await;
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_asked_for() {
    let bench = Bench::new();
    let mut spec = spec(SocketKind::Port, &["env"]);
    spec.environment = vec![
        ("GREETING".to_owned(), "good morning".to_owned()),
        ("PORT".to_owned(), "the contract wins".to_owned()),
    ];
    bench.refusal(1, spec).await;
    let mut expected = vec![
        "GREETING=good morning".to_owned(),
        "K_CONFIGURATION=greet".to_owned(),
        "K_REVISION=r1".to_owned(),
        "K_SERVICE=greet".to_owned(),
        "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
        format!("PORT={}", bench.process.ports.start()),
        "STOKER_FUNCTION=greet".to_owned(),
        "STOKER_INSTANCE=1-1".to_owned(),
        "STOKER_REVISION=r1".to_owned(),
        format!("STOKER_SCOPE={}", bench.settings.state_dir.display()),
    ];
    expected.sort();
    let text = bench.outputs.all(1);
    let mut found: Vec<&str> = text.lines().collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    bench.finish().await;
}

#[tokio::test]
async fn nothing_else_is_inherited() {
    let bench = Bench::new();
    let program = "
import os
print(sorted(os.listdir('/proc/self/fd'), key=int)[:-1], os.readlink('/proc/self/fd/0'))
status = open('/proc/self/status').read()
fields = dict(line.split(':\\t') for line in status.splitlines() if ':\\t' in line)
print(fields['SigBlk'], fields['SigIgn'], fields['NoNewPrivs'], os.getpgid(0) == os.getpid())
";
    // Python ignores two signals by itself (SIGPIPE, SIGXFSZ), so a shell looks at those.
    bench
        .start(1, python(SocketKind::Inherit, program))
        .await
        .unwrap();
    bench.exit().await;
    let text = bench.outputs.all(1);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "['0', '1', '2', '3'] /dev/null");
    assert!(lines[1].starts_with("0000000000000000 "), "{text}");
    assert!(lines[1].ends_with(" 1 True"), "{text}");
    bench
        .start(
            2,
            spec(
                SocketKind::Inherit,
                &["grep", "SigIgn", "/proc/self/status"],
            ),
        )
        .await
        .unwrap();
    bench.exit().await;
    assert_eq!(bench.outputs.all(2), "SigIgn:\t0000000000000000\n");
    bench.finish().await;
}

#[tokio::test]
async fn limits_are_applied() {
    let bench = Bench::new();
    let mut limited = shell(
        SocketKind::Inherit,
        "ulimit -n; ulimit -Hn; ulimit -v; ulimit -t",
    );
    limited.rlimits = vec![
        (Rlimit::OpenFiles, 64),
        (Rlimit::AddressSpace, 512 << 20),
        (Rlimit::CpuSeconds, 30),
    ];
    bench.start(1, limited).await.unwrap();
    bench.exit().await;
    assert_eq!(bench.outputs.all(1), "64\n64\n524288\n30\n");
    // The spawner raised its own limit; programs get what it was started with.
    bench
        .start(2, shell(SocketKind::Inherit, "ulimit -Sn"))
        .await
        .unwrap();
    bench.exit().await;
    let mine = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap();
    assert_eq!(bench.outputs.all(2), format!("{mine}\n"));
    bench.finish().await;
}
