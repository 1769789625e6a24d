//! `stoker publish` of directories, with builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Gateway, Site, wait_until};

/// A directory whose program is made by its build, which begins with these words of sh.
struct Directory(PathBuf);

impl Directory {
    fn new(gateway: &Gateway, before: &str) -> Directory {
        let path = gateway.site().directory().join("made");
        fs::create_dir_all(&path).expect("can be made");
        let stoker = Path::new(env!("CARGO_BIN_EXE_stoker"));
        let fixture = stoker.with_file_name("stoker-fixture");
        let directory = Directory(path);
        let manifest = "command = [\"./server\"]\nlisten = \"inherit\"\n\
            [build]\ncommand = [\"sh\", \"build.sh\"]\n";
        directory.write("function.toml", manifest);
        let script = format!("{before}\necho copying\ncp {} server\n", fixture.display());
        directory.write("build.sh", &script);
        directory.write(".stokerignore", "*.log\n");
        directory.write("left.log", "x");
        directory
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("can be written");
    }

    fn publish(&self, gateway: &Gateway, more: &[&str]) -> Result<String, String> {
        let path = self.0.to_str().expect("it is UTF-8");
        gateway.try_admin(&[&["publish", path], more].concat())
    }
}

#[test]
fn a_directory_is_built_and_serves() {
    let gateway = Site::new("").start();
    let directory = Directory::new(&gateway, "");
    let said = directory.publish(&gateway, &[]).expect("is published");
    let address = gateway.address();
    let expected = format!("made: revision 1 serves http://{address}/function/made\n");
    assert!(said.starts_with(&expected), "{said}");
    gateway.get("/function/made/env").good();
    let said = directory.publish(&gateway, &["--archive", "zip", "--traffic", "none"]);
    let said = said.expect("is published");
    assert!(said.contains("revision 2 gets no requests"), "{said}");
    gateway.get("/function/made:r2/env").good();
}

#[test]
fn a_build_that_fails_leaves_what_serves() {
    let gateway = Site::new("").start();
    Directory::new(&gateway, "")
        .publish(&gateway, &[])
        .expect("is published");
    let broken = Directory::new(&gateway, "echo there is no such package >&2; exit 3");
    let said = broken.publish(&gateway, &[]).expect_err("is refused");
    assert!(said.contains("exited with status 3"), "{said}");
    assert!(said.contains("there is no such package"), "{said}");
    gateway.get("/function/made/env").good();
}

#[test]
fn a_build_ends_with_its_gateway_and_can_be_repeated() {
    let mut gateway = Site::new("").start();
    let begun = "echo $$ > \"$HOME/began\"; exec sleep 1000";
    let directory = Directory::new(&gateway, begun);
    let state = gateway.site().directory().join("state");
    let mut publisher = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(["publish", "--admin"])
        .arg(state.join("admin.sock"))
        .arg(&directory.0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("can be executed");
    let mark = state.join("build/tmp/began");
    wait_until("the build runs", || mark.exists());
    let code = fs::canonicalize(&state).expect("is there").join("registry");
    let builders = || {
        let all = fs::read_dir("/proc").expect("can be read");
        let inside = |path: PathBuf| {
            let own = fs::read_link(path.join("cwd"));
            own.is_ok_and(|own| own.starts_with(&code))
        };
        all.filter_map(Result::ok)
            .filter(|it| inside(it.path()))
            .count()
    };
    assert!(builders() > 0);
    gateway.kill();
    wait_until("the build is gone", || builders() == 0);
    let ended = publisher.wait().expect("it ends");
    assert!(!ended.success());
    gateway.restart();
    assert_eq!(gateway.get("/function/made/env").status, 404);
    let whole = Directory::new(&gateway, "");
    let said = whole.publish(&gateway, &[]).expect("is published");
    assert!(said.starts_with("made: revision 1 serves"), "{said}");
    gateway.get("/function/made/env").good();
}
