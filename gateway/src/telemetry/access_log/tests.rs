use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use http::StatusCode;
use stoker_config::AccessLogFormat;

use super::super::journal::Outcome;
use super::super::line::tests::{journal, spec};
use super::*;
use crate::metrics::Metrics;

const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("st-access-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn spec(&self) -> AccessLogSpec {
        let mut spec = spec(AccessLogFormat::Combined);
        spec.target = Some(AccessLogTarget::File(self.0.join("access.log")));
        spec
    }

    fn lines(&self, name: &str) -> usize {
        let text = fs::read_to_string(self.0.join(name)).unwrap_or_default();
        text.lines().count()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn start(spec: &AccessLogSpec) -> (AccessLog, TelemetryCounters) {
    let counters = Metrics::new().unwrap().telemetry().clone();
    let log = AccessLog::start(spec, &counters).unwrap().unwrap();
    (log, counters)
}

#[test]
fn every_line_is_written_before_the_end() {
    let dir = Dir::new();
    let (log, counters) = start(&dir.spec());
    for _ in 0..100 {
        log.tell(&journal());
    }
    log.close(PATIENCE);
    assert_eq!(dir.lines("access.log"), 100);
    assert_eq!(
        (counters.lines.get(), counters.lines_dropped.get()),
        (100, 0)
    );
    log.tell(&journal());
    assert_eq!(
        counters.lines_dropped.get(),
        1,
        "after the end there is no room"
    );
}

#[test]
fn what_finds_no_room_is_counted() {
    let dir = Dir::new();
    let mut spec = dir.spec();
    spec.buffer_bytes = 10;
    let (log, counters) = start(&spec);
    log.tell(&journal());
    log.close(PATIENCE);
    assert_eq!((counters.lines.get(), counters.lines_dropped.get()), (0, 1));
}

#[test]
fn a_sample_keeps_errors_and_slow_ones() {
    let dir = Dir::new();
    let mut spec = dir.spec();
    spec.sample = 0.0;
    let (log, counters) = start(&spec);
    let mut plain = journal();
    log.tell(&plain);
    plain.total = Duration::from_secs(1);
    log.tell(&plain);
    let mut failed = journal();
    failed.status = Some(StatusCode::BAD_GATEWAY);
    log.tell(&failed);
    let mut left = journal();
    left.outcome = Outcome::ClientLeft;
    log.tell(&left);
    log.close(PATIENCE);
    assert_eq!(counters.lines.get(), 3);

    spec.keep_errors = false;
    let (log, counters) = start(&spec);
    log.tell(&failed);
    log.close(PATIENCE);
    assert_eq!(counters.lines.get(), 0);
}

#[test]
fn it_rotates_and_opens_anew() {
    let dir = Dir::new();
    let mut spec = dir.spec();
    spec.file_bytes = 1024;
    let (log, _) = start(&spec);
    for _ in 0..10 {
        log.tell(&journal());
    }
    log.close(PATIENCE);
    assert!(dir.lines("access.log") > 0 && dir.lines("access.log.1") > 0);
    assert_eq!(dir.lines("access.log.2"), 0, "two files are kept");

    let (log, counters) = start(&dir.spec());
    fs::rename(dir.0.join("access.log"), dir.0.join("moved")).unwrap();
    log.reopen();
    log.tell(&journal());
    log.close(PATIENCE);
    assert_eq!(counters.lines.get(), 1);
    assert_eq!(dir.lines("access.log"), 1);
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let mut spec = spec(AccessLogFormat::Json);
    spec.target = Some(AccessLogTarget::File("/proc/none/access.log".into()));
    let counters = Metrics::new().unwrap().telemetry().clone();
    let error = AccessLog::start(&spec, &counters).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("cannot open the access log /proc/none/access.log: ")
    );
}
