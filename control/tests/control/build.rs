//! Builds of packages, by a real spawner.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use stoker_config::{CgroupUse, Config, FunctionSpec};
use stoker_control::build::{BuildError, BuildReport, build_by};

use crate::tree::Tree;

/// A function whose build is this script of sh.
struct World {
    tree: Tree,
    config: Config,
}

impl World {
    fn new(script: &str, gateway: &str) -> World {
        let tree = Tree::new();
        // Short, for the spawner's socket is below it.
        let file = format!("state-dir = \"s\"\nfunctions = [\"functions/*\"]\n{gateway}");
        tree.write("stoker.toml", &file);
        let manifest = "command = [\"true\"]\n[build]\ncommand = [\"sh\", \"build.sh\"]\n";
        tree.write("functions/f/function.toml", manifest);
        tree.write("functions/f/build.sh", script);
        let config = stoker_config::load(&tree.path("stoker.toml")).unwrap();
        World { tree, config }
    }

    fn function(&self) -> &Arc<FunctionSpec> {
        &self.config.functions[0]
    }

    async fn build(&self) -> Result<BuildReport, BuildError> {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_stoker-test-cli"));
        let directory = self.tree.path("functions/f");
        let gateway = &self.config.gateway;
        let built = build_by(Some(program), gateway, self.function(), &directory).await;
        assert!(!gateway.build_dir().join("tmp").exists(), "is cleared");
        built.map(|report| report.expect("there is a build"))
    }
}

fn failed(result: Result<BuildReport, BuildError>) -> (String, String) {
    match result {
        Err(BuildError::Failed { how, output }) => (how, output),
        other => panic!("did not fail as it should: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_built_is_there_and_its_output_too() {
    let script = "echo to stdout; echo to stderr >&2; mkdir made; echo warm > made/file
        echo \"$HOME $TMPDIR $STOKER_FUNCTION $PIP_INDEX_URL [$SECRET]\"; touch \"$TMPDIR/x\"";
    let environment = "[build.environment]\nPIP_INDEX_URL = \"http://index\"\n";
    let world = World::new(script, environment);
    let report = world.build().await.unwrap();
    let made = world.tree.path("functions/f/made/file");
    assert_eq!(fs::read_to_string(made).unwrap(), "warm\n");
    let tmp = world.config.gateway.build_dir().join("tmp");
    let tmp = fs::canonicalize(tmp.parent().unwrap()).unwrap().join("tmp");
    let expected = format!("{0} {0} f http://index []", tmp.display());
    for line in ["to stdout", "to stderr", &expected] {
        assert!(report.output.lines().any(|own| own == line), "{report:?}");
    }
    assert_eq!(report.entries, 4);
    assert!(report.bytes > 0 && report.took > Duration::ZERO);
}

#[tokio::test]
async fn a_build_that_fails_says_why() {
    let world = World::new("echo no such package; exit 3", "");
    let error = world.build().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the build exited with status 3:\nno such package\n"
    );
    let world = World::new("kill -9 $$", "[build]\nisolated = false\n");
    assert_eq!(failed(world.build().await).0, "was killed by SIGKILL");
    let world = World::new("", "[build]\nenabled = false\n");
    assert!(matches!(world.build().await, Err(BuildError::Disabled)));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_not_started() {
    let world = World::new("", "");
    let mut function = FunctionSpec::clone(world.function());
    if let Some(build) = &mut function.build {
        build.command = vec!["no-such-program".to_owned()];
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_stoker-test-cli"));
    let directory = world.tree.path("functions/f");
    let built = build_by(Some(program), &world.config.gateway, &function, &directory).await;
    let error = built.unwrap_err().to_string();
    assert!(error.contains("no-such-program"), "{error}");
    function.build = None;
    let none = build_by(None, &world.config.gateway, &function, &directory).await;
    assert!(none.unwrap().is_none());
}

#[tokio::test]
async fn a_build_says_what_it_lacks_before_it_begins() {
    for (kind, parts) in [
        ("python", &["no requirements.txt beside function.toml"][..]),
        (
            "node",
            &["package-lock.json or npm-shrinkwrap.json", "npm install"],
        ),
    ] {
        let mut world = World::new("", "");
        let manifest = format!("command = [\"true\"]\n[build]\nkind = \"{kind}\"\n");
        world.tree.write("functions/f/function.toml", &manifest);
        world.config = stoker_config::load(&world.tree.path("stoker.toml")).unwrap();
        let error = world.build().await.unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_killed_with_all_its_children() {
    let script = "sh -c 'echo child; exec sleep 1000' & echo waits; wait";
    let world = World::new(script, "[build]\ntimeout = \"2s\"\n");
    let (how, output) = failed(world.build().await);
    assert_eq!(how, "took longer than build.timeout = 2s");
    assert!(output.contains("waits"), "{output}");
    // Whoever is left would have the directory as its own.
    let directory = fs::canonicalize(world.tree.path("functions/f")).unwrap();
    let left = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let own = fs::read_link(entry.ok()?.path().join("cwd")).ok()?;
        own.starts_with(&directory).then_some(own)
    });
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_build_that_writes_too_much_is_killed() {
    let script = "i=0; while :; do i=$((i+1)); head -c 60000 /dev/zero > $i; done";
    let world = World::new(script, "[build]\ndisk = \"1MiB\"\n");
    let (how, _) = failed(world.build().await);
    assert!(how.starts_with("wrote more than build.disk"), "{how}");
    let script = "i=0; while :; do i=$((i+1)); : > \"$TMPDIR/$i\"; done";
    let world = World::new(script, "[build]\nentries = 500\n");
    let (how, _) = failed(world.build().await);
    assert!(how.starts_with("made more than build.entries"), "{how}");
}

#[tokio::test]
async fn the_end_of_a_long_output_is_kept() {
    let script = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i; done";
    let world = World::new(script, "[build]\noutput = \"1KiB\"\n");
    let output = world.build().await.unwrap().output;
    assert!(output.starts_with('['), "{output}");
    assert!(output.ends_with("line 5000\n"), "{output}");
    assert!(output.len() < 1200, "{output}");
}

#[tokio::test]
async fn a_build_is_kept_apart() {
    let script = "echo pid $$
        touch ../outside && echo escaped
        touch \"$HOME/../outside\" && echo escaped
        chroot / true && echo privileged
        mount -t tmpfs none . && echo privileged
        touch inside && echo wrote
        kill -0 \"$(cat parent)\" && echo seen
        true";
    let world = World::new(script, "");
    let own = std::process::id().to_string();
    fs::write(world.tree.path("functions/f/parent"), own).unwrap();
    let output = world.build().await.unwrap().output;
    assert!(output.starts_with("pid 1\n"), "{output}");
    assert!(output.contains("wrote"), "{output}");
    for word in ["escaped", "privileged", "seen"] {
        assert!(!output.contains(&format!("{word}\n")), "{output}");
    }
    assert!(!world.tree.path("functions/outside").exists());
}

#[tokio::test]
async fn where_nothing_can_be_bounded_there_is_still_a_build() {
    let mut world = World::new("echo built", "");
    world.config.gateway.cgroups.enabled = CgroupUse::Never;
    let output = world.build().await.unwrap().output;
    assert!(
        output.starts_with("stoker: [build]: cannot limit"),
        "{output}"
    );
    assert!(output.ends_with("built\n"), "{output}");
}

#[tokio::test]
async fn what_a_build_leaves_gives_nobody_rights() {
    let script = "echo x > f; chmod 6777 f; echo x > g; chmod 600 g; mkdir -m 7777 d; ln -s f l";
    let world = World::new(script, "");
    world.build().await.unwrap();
    let mode = |name: &str| {
        let path = world.tree.path("functions/f").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    let modes = ["f", "g", "d", "l"].map(mode);
    assert_eq!(modes, [0o755, 0o644, 0o755, 0o755]);
    let owner = |name: &str| {
        let path = world.tree.path("functions/f").join(name);
        fs::symlink_metadata(path).unwrap().uid()
    };
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(["", "f", "g", "d", "l"].map(owner), [own; 5]);
    for (script, expected) in [
        ("echo >> function.toml", "changed function.toml"),
        (
            "rm function.toml; ln -s /etc/passwd function.toml",
            "changed function.toml",
        ),
        ("mkfifo p", "left "),
    ] {
        let (how, _) = failed(World::new(script, "").build().await);
        assert!(how.starts_with(expected), "{how}");
    }
}

/// Only root can have somebody else build.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can have another user build");
    }
    root
}

#[tokio::test]
async fn a_gateway_of_root_has_somebody_without_rights_build() {
    if !is_root() {
        return;
    }
    let script = "id -un; mkdir d; echo x > d/f; ls -ln function.toml";
    for isolated in [true, false] {
        let world = World::new(script, &format!("[build]\nisolated = {isolated}\n"));
        let output = world.build().await.unwrap().output;
        assert!(output.starts_with("nobody\n"), "{output}");
    }
    let world = World::new(script, "[build]\nuser = \"root\"\n");
    let output = world.build().await.unwrap().output;
    assert!(output.starts_with("root\n"), "{output}");
    let world = World::new(script, "[build]\nuser = \"no-such-user\"\n");
    let error = world.build().await.unwrap_err().to_string();
    for part in ["build.user", "no-such-user", "/etc/passwd"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_directory_that_the_builder_cannot_reach_is_named() {
    if !is_root() {
        return;
    }
    let world = World::new("true", "");
    let closed = world.tree.path("functions");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let error = world.build().await.unwrap_err().to_string();
    let closed = fs::canonicalize(closed).unwrap();
    for part in ["nobody", closed.to_str().unwrap(), "build.user"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_build_cannot_read_what_is_the_gateways() {
    if !is_root() {
        return;
    }
    for isolated in [true, false] {
        let script =
            "cat ../../s/registry/secrets.key; cat /etc/shadow; ls ../../s/registry/packages
            ls -l ../../s; ln ../../s/registry/secrets.key key; ln -s ../../s/registry/secrets.key l
            cat l; true";
        let world = World::new(script, &format!("[build]\nisolated = {isolated}\n"));
        let key = world.tree.write("s/registry/secrets.key", "horse");
        world.tree.write("s/registry/packages/battery", "");
        for (path, mode) in [
            (key.clone(), 0o600),
            (key.with_file_name("packages"), 0o700),
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let result = world.build().await;
        let told = format!("{result:?}");
        for word in ["horse", "battery", "root:"] {
            assert!(!told.contains(word), "{told}");
        }
        // Whoever follows the link later is not the builder, so it must not have become another file.
        assert_eq!(fs::read(&key).unwrap(), b"horse");
        let metadata = fs::metadata(&key).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (0, 0o600));
    }
}

#[tokio::test]
async fn a_second_name_of_a_foreign_file_is_refused() {
    if !is_root() {
        return;
    }
    let world = World::new("true", "");
    let foreign = world.tree.write("foreign", "x");
    let function = world.tree.path("functions/f");
    // In the builder's place: nothing on this machine need let it do so.
    let mut launched = FunctionSpec::clone(world.function());
    let command = ["sh", "-c", "until test -e linked; do sleep 0.05; done"];
    launched.build.as_mut().unwrap().command = command.map(String::from).into();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_stoker-test-cli"));
    let gateway = world.config.gateway.clone();
    let directory = function.clone();
    let building =
        tokio::spawn(async move { build_by(Some(program), &gateway, &launched, &directory).await });
    let begun = world.config.gateway.build_dir().join("run");
    while !begun.exists() || fs::metadata(&function).unwrap().uid() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fs::hard_link(&foreign, function.join("linked")).unwrap();
    let (how, _) = failed(building.await.unwrap().map(|it| it.unwrap()));
    assert!(how.contains("linked, which cannot be kept"), "{how}");
    assert_eq!(fs::metadata(&foreign).unwrap().uid(), 0);
}

#[tokio::test]
async fn a_build_that_forks_without_end_is_bounded() {
    // Far more than it may have; whoever cannot fork ends by itself.
    let script = "i=0; while [ $i -lt 500 ]; do sleep 1000 & i=$((i+1)); done; echo forked all";
    let world = World::new(script, "[build]\nprocesses = 40\ntimeout = \"20s\"\n");
    let (how, output) = failed(world.build().await);
    assert!(!output.contains("forked all"), "{how}: {output}");
    assert!(output.to_lowercase().contains("fork"), "{how}: {output}");
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 1000";
    let world = World::new(bomb, "[build]\nprocesses = 40\ntimeout = \"2s\"\n");
    failed(world.build().await);
    if is_root() {
        // By the limit of its user, where there are no control groups.
        let mut world = World::new(script, "[build]\nprocesses = 40\ntimeout = \"20s\"\n");
        world.config.gateway.cgroups.enabled = CgroupUse::Never;
        let (how, output) = failed(world.build().await);
        assert!(!output.contains("forked all"), "{how}: {output}");
    }
}

#[tokio::test]
async fn a_build_that_hides_what_it_writes_leaves_room_on_the_disk() {
    let script = "exec 3> hidden; rm hidden; while :; do head -c 4000000 /dev/zero >&3; done";
    let mut world = World::new(script, "[build]\ntimeout = \"60s\"\n");
    let found = rustix::fs::statvfs(world.tree.path("functions")).unwrap();
    let free_bytes = found.f_bavail * found.f_frsize;
    world.config.gateway.build.disk_reserve_bytes = free_bytes.saturating_sub(64 << 20);
    // Others may write, too, so that it does not even begin.
    let error = world.build().await.unwrap_err().to_string();
    assert!(error.contains("less than build.disk-reserve"), "{error}");
    world.config.gateway.build.disk_reserve_bytes = u64::MAX;
    let error = world.build().await.unwrap_err();
    assert!(matches!(error, BuildError::NotStarted(_)), "{error}");
}

#[tokio::test]
#[ignore = "asks PyPI and npm's registry for packages"]
async fn packages_of_python_and_node_are_installed() {
    let kinds = [
        ("python", "requirements.txt", "six==1.17.0\n"),
        (
            "node",
            "package.json",
            r#"{"dependencies":{"is-number":"7.0.0"}}"#,
        ),
    ];
    for (kind, file, text) in kinds {
        let mut world = World::new("", "");
        let manifest = format!("command = [\"true\"]\n[build]\nkind = \"{kind}\"\n");
        world.tree.write("functions/f/function.toml", &manifest);
        world.tree.write(&format!("functions/f/{file}"), text);
        if kind == "node" {
            let mut lock = Command::new("npm");
            lock.args(["install", "--package-lock-only"]);
            let lock = lock.current_dir(world.tree.path("functions/f")).output();
            assert!(lock.unwrap().status.success());
        }
        world.config = stoker_config::load(&world.tree.path("stoker.toml")).unwrap();
        // As it is here: certificates, and places to ask.
        let environment = std::env::vars().filter(|(name, _)| {
            ["PIP_", "SSL_", "NODE_", "HTTPS_"]
                .iter()
                .any(|it| name.starts_with(it))
        });
        world.config.gateway.build.environment.extend(environment);
        let report = world.build().await.unwrap();
        println!(
            "{kind}: {:?}, {} files\n{}",
            report.took, report.entries, report.output
        );
        let installed = match kind {
            "python" => ".python_packages/lib/site-packages/six.py",
            _ => "node_modules/is-number/index.js",
        };
        assert!(world.tree.path("functions/f").join(installed).is_file());
    }
}
