//! `stoker publish` of directories, with builds.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
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
        // Where whoever builds can read it.
        let copy = gateway.site().directory().join("fixture");
        fs::copy(&fixture, &copy).expect("can be copied");
        let directory = Directory(path);
        let manifest = "command = [\"./server\"]\nlisten = \"inherit\"\n\
            [build]\ncommand = [\"sh\", \"build.sh\"]\n";
        directory.write("function.toml", manifest);
        let script = format!("{before}\necho copying\ncp {} server\n", copy.display());
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
fn whoever_builds_has_no_rights_and_leaves_the_code_to_the_gateway() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can have another user build");
        return;
    }
    let gateway = Site::new("").start();
    let registry = gateway.site().directory().join("state/registry");
    fs::create_dir_all(&registry).expect("is there");
    let key = registry.join("secrets.key");
    let (socket, body) = (
        registry.with_file_name("admin.sock"),
        "{\"value\": \"horse\"}",
    );
    let mut client = crate::harness::Client::over(
        std::os::unix::net::UnixStream::connect(socket).expect("it administers"),
    );
    let headers = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let line = "PUT /v1/functions/made/secrets/TOKEN";
    client
        .request(line, &headers, body.as_bytes())
        .expect("sent");
    assert_eq!(client.receive().expect("an answer").status, 200);
    assert!(key.exists());
    let script = format!(
        "id -un > who; cat {0} > key; cat {1} > db; env > env; touch {0}; mkdir d; touch d/f",
        key.display(),
        registry.join("registry.db").display()
    );
    let directory = Directory::new(&gateway, &script);
    directory.publish(&gateway, &[]).expect("is published");
    gateway.get("/function/made/env").good();
    let code = fs::read_dir(registry.join("code"))
        .expect("is there")
        .next();
    let code = code.expect("one").expect("can be read").path();
    let read = |name: &str| fs::read_to_string(code.join(name)).expect("it was written");
    assert_eq!(read("who"), "nobody\n");
    assert_eq!((read("key"), read("db")), (String::new(), String::new()));
    assert!(!read("env").contains("horse"));
    for name in ["", "who", "server", "d", "d/f"] {
        let metadata = fs::metadata(code.join(name)).expect("it is there");
        assert_eq!((metadata.uid(), metadata.mode() & 0o022), (0, 0), "{name}");
    }
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

/// What was published stays what it is.
#[test]
fn python_leaves_the_code_as_it_was_published() {
    let gateway = Site::new("").start();
    let path = gateway.site().directory().join("snake");
    fs::create_dir_all(&path).expect("can be made");
    let directory = Directory(path);
    directory.write(
        "function.toml",
        "runtime = \"python\"\nhandler = \"app:app\"\n",
    );
    directory.write(
        "app.py",
        "from beside import answer\ndef app(request):\n    return answer\n",
    );
    directory.write("beside.py", "answer = 'from beside'\n");
    directory.publish(&gateway, &[]).expect("is published");
    let answer = gateway.get("/function/snake").good();
    assert_eq!(answer.body, b"from beside");
    let code = gateway.site().directory().join("state/registry/code");
    let mut revisions = fs::read_dir(code).expect("is there");
    let revision = revisions.next().expect("one is there").expect("is one");
    let files = fs::read_dir(revision.path()).expect("is a directory");
    let mut names: Vec<_> = files
        .map(|file| file.expect("is one").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["app.py", "beside.py", "function.toml"]);
}
