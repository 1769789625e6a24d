//! The whole of it: pipes in, files and followers out.

use std::fs;
use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// A directory that is gone afterwards.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stoker-logs-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Names and contents, by name.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    pub(super) fn assert_files(&self, expected: &[(&str, &str)]) {
        let files = self.files();
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (&**name, &**text))
            .collect();
        assert_eq!(files, expected);
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn id(count: u32) -> InstanceId {
    InstanceId::new(1, count)
}

fn pipe() -> (OwnedFd, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader.into(), writer)
}

/// Captures all that is written and waits until it is in the files.
async fn say(logs: &Logs, function: &str, count: u32, stream: Stream, bytes: &[u8]) {
    let (reader, mut writer) = pipe();
    let done = logs
        .capture(Arc::from(function), id(count), stream, reader)
        .unwrap();
    writer.write_all(bytes).unwrap();
    drop(writer);
    done.await.unwrap();
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn output_is_kept_with_function_instance_and_stream() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path())).unwrap();
    let before = LogTime::now();
    say(&logs, "a", 1, Stream::Stdout, b"one\ntwo").await;
    say(&logs, "a", 2, Stream::Stderr, b"\xff\n").await;
    say(&logs, "b", 3, Stream::Stdout, b"other\n").await;
    logs.note("a", id(2), "exited with status 1\nas it should");
    logs.flush().await;

    let lines = logs.tail("a", 100).unwrap();
    assert_eq!(
        texts(&lines),
        [
            "one",
            "two",
            "\u{fffd}",
            "exited with status 1",
            "as it should"
        ]
    );
    let instances: Vec<_> = lines
        .iter()
        .map(|line| line.instance.unwrap().count())
        .collect();
    assert_eq!(instances, [1, 1, 2, 2, 2]);
    let streams = [
        Stream::Stdout,
        Stream::Stdout,
        Stream::Stderr,
        Stream::Sys,
        Stream::Sys,
    ];
    assert!(lines.iter().map(|line| line.stream).eq(streams));
    assert!(lines.iter().all(|line| &*line.function == "a"));
    assert!(
        lines
            .iter()
            .all(|line| line.time >= before && line.time <= LogTime::now())
    );
    assert_eq!(texts(&logs.tail("b", 100).unwrap()), ["other"]);
    let disk: String = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(dir.files()[0], ("a.log".into(), disk));
    assert_eq!(logs.lost_lines(), 0);
}

#[tokio::test]
async fn a_pipe_that_says_nothing_makes_no_file() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path())).unwrap();
    say(&logs, "a", 1, Stream::Stdout, b"").await;
    assert!(dir.files().is_empty());
    assert!(logs.tail("a", 1).unwrap().is_empty());
}

#[tokio::test]
async fn files_are_closed_with_the_last_pipe_of_a_function() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path())).unwrap();
    let open = |name: &str| {
        let path = dir.path().join(name);
        let entries = fs::read_dir("/proc/self/fd").unwrap();
        entries
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .any(|link| link == path)
    };
    let (reader, mut writer) = pipe();
    let done = logs
        .capture(Arc::from("a"), id(1), Stream::Stdout, reader)
        .unwrap();
    let mut follower = logs.follow("a").unwrap();
    writer.write_all(b"x\n").unwrap();
    assert_eq!(follower.next().await.unwrap().text, "x");
    say(&logs, "a", 2, Stream::Stdout, b"y\n").await;
    assert!(open("a.log"));
    drop(writer);
    done.await.unwrap();
    assert!(!open("a.log"));
    logs.note("a", id(1), "gone");
    logs.flush().await;
    assert!(!open("a.log"));
    assert_eq!(texts(&logs.tail("a", 9).unwrap()), ["x", "y", "gone"]);
}

#[tokio::test]
async fn followers_get_every_line_from_then_on() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path())).unwrap();
    say(&logs, "a", 1, Stream::Stdout, b"before\n").await;
    let mut one = logs.follow("a").unwrap();
    let mut other = logs.follow("b").unwrap();
    say(&logs, "a", 1, Stream::Stdout, b"first\nsecond\n").await;
    say(&logs, "b", 2, Stream::Stdout, b"third\n").await;
    assert_eq!(one.next().await.unwrap().text, "first");
    assert_eq!(one.next().await.unwrap().text, "second");
    assert_eq!(other.next().await.unwrap().text, "third");
    drop(logs);
    assert_eq!(one.next().await, None);
}

#[tokio::test]
async fn a_slow_follower_is_told_what_it_missed() {
    let dir = TempDir::new();
    let settings = LogSettings {
        follow_lines: 4,
        ..LogSettings::new(dir.path())
    };
    let logs = Logs::new(settings).unwrap();
    let mut follower = logs.follow("a").unwrap();
    let all: String = (0..10).map(|n| format!("{n}\n")).collect();
    say(&logs, "a", 1, Stream::Stdout, all.as_bytes()).await;
    let marker = follower.next().await.unwrap();
    assert_eq!(
        (marker.stream, marker.text.as_str()),
        (Stream::Sys, "… 6 lines were dropped")
    );
    for n in 6..10 {
        assert_eq!(follower.next().await.unwrap().text, n.to_string());
    }
}

#[tokio::test]
async fn a_flood_rotates_and_does_not_hold_up_others() {
    let dir = TempDir::new();
    let settings = LogSettings {
        file_bytes: 64 << 10,
        files: 2,
        ..LogSettings::new(dir.path())
    };
    let logs = Logs::new(settings).unwrap();
    let (reader, mut writer) = pipe();
    let done = logs
        .capture(Arc::from("flood"), id(1), Stream::Stdout, reader)
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let flood = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            writer.write_all(&b"y\n".repeat(4096)).unwrap();
        }
    });
    let mut follower = logs.follow("flood").unwrap();
    // A line, or that there were many.
    assert!(follower.next().await.is_some());
    for n in 0..20 {
        say(
            &logs,
            "quiet",
            2,
            Stream::Stdout,
            format!("{n}\n").as_bytes(),
        )
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    done.await.unwrap();
    flood.join().unwrap();
    assert_eq!(logs.tail("quiet", 100).unwrap().len(), 20);
    assert!(
        logs.tail("flood", 10)
            .unwrap()
            .iter()
            .all(|line| line.text == "y")
    );
    let mut sizes = dir
        .files()
        .into_iter()
        .filter(|(name, _)| name.starts_with("flood"));
    assert!(sizes.all(|(_, text)| text.len() <= 64 << 10));
}

#[tokio::test]
async fn what_cannot_be_written_is_counted_and_marked() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path())).unwrap();
    // A directory in the file's place cannot be opened for writing.
    fs::create_dir(dir.path().join("a.log")).unwrap();
    let (reader, mut writer) = pipe();
    let done = logs
        .capture(Arc::from("a"), id(1), Stream::Stdout, reader)
        .unwrap();
    let mut follower = logs.follow("a").unwrap();
    writer.write_all(b"one\n").unwrap();
    assert_eq!(follower.next().await.unwrap().text, "one");
    assert_eq!(logs.lost_lines(), 1);
    fs::remove_dir(dir.path().join("a.log")).unwrap();
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    done.await.unwrap();
    assert_eq!(
        texts(&logs.tail("a", 9).unwrap()),
        ["… 1 lines were not kept", "two"]
    );
}

#[tokio::test]
async fn names_that_are_no_functions_are_refused() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path().join("below"))).unwrap();
    for name in [
        "",
        "../etc/passwd",
        "a.log",
        "a/b",
        "A",
        "a b",
        &"a".repeat(64),
    ] {
        let (reader, _writer) = pipe();
        logs.capture(Arc::from(name), id(1), Stream::Stdout, reader)
            .unwrap_err();
        logs.tail(name, 1).unwrap_err();
        logs.follow(name).unwrap_err();
        logs.note(name, id(1), "x");
    }
    logs.flush().await;
    assert_eq!(fs::read_dir(dir.path().join("below")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_not_a_pipe_is_refused() {
    let dir = TempDir::new();
    let logs = Logs::new(LogSettings::new(dir.path())).unwrap();
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    logs.capture(Arc::from("a"), id(1), Stream::Stdout, socket.into())
        .unwrap_err();
}
