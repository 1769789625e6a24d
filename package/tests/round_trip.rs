//! What is packed is what is unpacked, here and by others.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

#[path = "support/scratch.rs"]
mod scratch;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use scratch::{Scratch, contents};
use serde_json::Value;
use stoker_package::{ItemKind, Kind, Limits, check_and_unpack, digest, list, pack};

/// What ignore files leave out; the portal, which has the same rules for a folder that is dropped
/// into a browser (`control/portal/ignore.js`), is tested with the same cases.
const IGNORED: &str = include_str!("../../tests/portal/ignore.json");

fn write(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A directory with one of everything.
fn sample(root: &Path) {
    fs::create_dir(root).unwrap();
    write(root, "function.toml", b"name = \"a\"\n");
    write(root, "empty", b"");
    write(root, "caf\u{e9}/\u{1f525}.txt", &b"warm ".repeat(50_000));
    write(
        root,
        &format!("{}/{}", "d".repeat(90), "f".repeat(150)),
        b"long",
    );
    write(root, "run.sh", b"#!/bin/sh\n");
    fs::create_dir(root.join("hollow")).unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(root.join("run.sh"), executable).unwrap();
    symlink("../run.sh", root.join("hollow/run")).unwrap();
    symlink("hollow", root.join("again")).unwrap();
}

#[test]
fn what_is_packed_is_unpacked() {
    for kind in [Kind::Zip, Kind::TarGz] {
        let scratch = Scratch::new();
        let (from, archive, to) = (
            scratch.path("from"),
            scratch.path("archive"),
            scratch.path("to"),
        );
        sample(&from);
        let mut last = 0;
        let packed = pack(&from, &archive, kind, &mut |progress| {
            assert!(progress.done_bytes >= last && progress.done_bytes <= progress.total_bytes);
            last = progress.done_bytes;
        })
        .unwrap();
        assert_eq!(last, packed.total_bytes);
        assert_eq!(Kind::of_file(&archive).unwrap(), kind);
        let summary = check_and_unpack(&archive, &to, &Limits::default()).unwrap();
        assert_eq!(contents(&to), contents(&from));
        assert_eq!(summary.kind, kind);
        assert_eq!(summary.digest, packed.digest);
        assert_eq!(summary.digest, digest(&archive).unwrap());
        assert_eq!(summary.total_bytes, packed.total_bytes);
        assert_eq!(summary.archive_bytes, packed.archive_bytes);
        assert_eq!(
            (summary.files, summary.directories, summary.links),
            (5, 3, 2)
        );

        let again = pack(&to, &archive, kind, &mut |_| {}).unwrap();
        assert_eq!(
            again.digest, packed.digest,
            "the same files are the same package"
        );
        let taken = check_and_unpack(&archive, &to, &Limits::default());
        assert!(taken.is_err_and(|error| error.to_string().contains("cannot make")));
        assert_eq!(
            contents(&to),
            contents(&from),
            "what was there is left alone"
        );
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

#[test]
fn others_read_what_is_packed() {
    let scratch = Scratch::new();
    let (from, zip, tar) = (
        scratch.path("from"),
        scratch.path("a.zip"),
        scratch.path("a.tgz"),
    );
    sample(&from);
    pack(&from, &zip, Kind::Zip, &mut |_| {}).unwrap();
    pack(&from, &tar, Kind::TarGz, &mut |_| {}).unwrap();
    let to = scratch.path("tar");
    fs::create_dir(&to).unwrap();
    succeeds(Command::new("tar").arg("-xzf").arg(&tar).arg("-C").arg(&to));
    assert_eq!(contents(&to), contents(&from));
    let reads = "import sys, zipfile, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
assert z.read('run.sh') == b'#!/bin/sh\\n'
assert z.getinfo('run.sh').external_attr >> 16 == 0o100755
assert len(z.infolist()) == 10, z.namelist()";
    succeeds(Command::new("python3").arg("-c").arg(reads).arg(&zip));
}

#[test]
fn what_others_packed_is_read() {
    let scratch = Scratch::new();
    let from = scratch.path("from");
    sample(&from);
    let expected = contents(&from);
    for format in ["gnu", "pax", "posix"] {
        let archive = scratch.path(format);
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&from).arg(format!("--format={format}"));
        succeeds(tar.arg("-czf").arg(&archive).arg("."));
        let to = scratch.path(&format!("{format}-out"));
        check_and_unpack(&archive, &to, &Limits::default()).unwrap();
        assert_eq!(contents(&to), expected, "{format}");
    }
    // Python writes pax records for times; zip in a stream needs lengths that follow the content.
    let writes = "import sys, os, tarfile, zipfile
root, tar, out = sys.argv[1:]
with tarfile.open(tar, 'w:gz') as t:
    t.add(root, '.')
class Stream:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
with open(out, 'wb') as file, zipfile.ZipFile(Stream(file), 'w', zipfile.ZIP_DEFLATED) as z:
    for base, _, names in os.walk(root):
        for name in names:
            path = os.path.join(base, name)
            if not os.path.islink(path):
                with z.open(zipfile.ZipInfo.from_file(path, os.path.relpath(path, root)), 'w', force_zip64=True) as entry:
                    entry.write(open(path, 'rb').read())";
    let (tar, zip) = (scratch.path("p.tgz"), scratch.path("p.zip"));
    let mut python = Command::new("python3");
    succeeds(python.arg("-c").arg(writes).arg(&from).arg(&tar).arg(&zip));
    let to = scratch.path("python-tar");
    check_and_unpack(&tar, &to, &Limits::default()).unwrap();
    assert_eq!(contents(&to), expected);
    let to = scratch.path("python-zip");
    let summary = check_and_unpack(&zip, &to, &Limits::default()).unwrap();
    assert_eq!(summary.files, 5);
    let found = contents(&to);
    assert!(found.iter().all(|(name, entry)| expected[name] == *entry));
}

#[test]
fn ignore_files_leave_out() {
    let scratch = Scratch::new();
    let root = scratch.path("from");
    for name in [
        "keep.py",
        "drop.pyc",
        "keep.pyc",
        ".git/config",
        ".hidden",
        "deep/a.log",
        "deep/b.txt",
    ] {
        write(&root, name, b"x");
    }
    write(&root, "build/out.bin", b"x");
    write(&root, "deep/build/out.bin", b"x");
    write(&root, ".gitignore", b"*\n");
    write(
        &root,
        ".stokerignore",
        b"# compiled\n*.pyc\n!keep.pyc\n/build/\n",
    );
    write(&root, "deep/.stokerignore", b"*.log\n");
    let names: Vec<String> = list(&root)
        .unwrap()
        .into_iter()
        .map(|item| item.path)
        .collect();
    let expected = [
        ".gitignore",
        ".hidden",
        "deep",
        "deep/b.txt",
        "deep/build",
        "deep/build/out.bin",
        "keep.py",
        "keep.pyc",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_cannot_be_packed_is_named() {
    let scratch = Scratch::new();
    let root = scratch.path("from");
    write(&root, "a", b"x");
    for (target, words) in [
        (
            "/etc/passwd",
            "\"link\" in the package is a link that leads outside",
        ),
        (
            "../elsewhere",
            "\"link\" in the package is a link that leads outside",
        ),
        ("absent", "\"link\" in the package is a link to nothing"),
    ] {
        write(&scratch.0, "elsewhere", b"x");
        symlink(target, root.join("link")).unwrap();
        let error = list(&root).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
        fs::remove_file(root.join("link")).unwrap();
    }
    let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let error = list(&root).unwrap_err().to_string();
    assert_eq!(
        error,
        "\"socket\" in the package is a device, a fifo or a socket"
    );
    drop(socket);
}

fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let name = "[a-zA-Z0-9 \u{e9}._-]{1,12}".prop_filter("reserved", |name| {
        !matches!(name.as_str(), "." | ".." | ".git" | ".stokerignore")
    });
    let path = proptest::collection::vec(name, 1..5).prop_map(|parts| parts.join("/"));
    let content = proptest::collection::vec(any::<u8>(), 0..5000);
    proptest::collection::btree_map(path, content, 0..12)
}

#[test]
fn ignore_files_mean_what_they_mean_in_the_portal() {
    let cases: Vec<Value> = serde_json::from_str(IGNORED).unwrap();
    assert!(cases.len() > 30, "{}", cases.len());
    let scratch = Scratch::new();
    for (at, case) in cases.iter().enumerate() {
        let root = scratch.path(&at.to_string());
        for (path, text) in case["files"].as_object().unwrap() {
            write(&root, path, text.as_str().unwrap().as_bytes());
        }
        let kept = list(&root).ok().map(|items| {
            let files = items.into_iter();
            let files = files.filter(|item| matches!(item.kind, ItemKind::File { .. }));
            files.map(|item| item.path).collect::<Vec<_>>()
        });
        let expected: Option<Vec<String>> = serde_json::from_value(case["kept"].clone()).unwrap();
        assert_eq!(kept, expected, "{}", case["name"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_comes_back(files in files(), is_zip in any::<bool>()) {
        let scratch = Scratch::new();
        let (from, to, archive) = (scratch.path("from"), scratch.path("to"), scratch.path("archive"));
        fs::create_dir(&from).unwrap();
        for (name, content) in &files {
            // One may be the directory of another: then it is left out.
            let path = from.join(name);
            if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                fs::write(path, content).ok();
            }
        }
        let kind = if is_zip { Kind::Zip } else { Kind::TarGz };
        pack(&from, &archive, kind, &mut |_| {}).unwrap();
        check_and_unpack(&archive, &to, &Limits::default()).unwrap();
        prop_assert_eq!(contents(&to), contents(&from));
    }
}
