//! The access log: lines in a bounded buffer, and one thread that writes them.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use stoker_config::{AccessLogSpec, AccessLogTarget};
use stoker_scaler::logs::RotatingFile;

use super::TelemetryError;
use super::journal::Journal;
use super::line::LineFormat;
use crate::metrics::TelemetryCounters;

/// How long lines wait for others to be written with.
const LINGER: Duration = Duration::from_millis(50);
/// Between two complaints that lines cannot be written.
const COMPLAINT: Duration = Duration::from_secs(60);
/// A buffer that has grown beyond this is not kept for the next line.
const LINE_ROOM: usize = 16 * 1024;

/// The access log.
pub(super) struct AccessLog {
    format: LineFormat,
    /// Of 2^64 requests so many are logged.
    share: u64,
    keep_errors: bool,
    slow: Duration,
    shared: Arc<Shared>,
}

/// What the data plane and the writing thread share.
struct Shared {
    pending: Mutex<Pending>,
    /// For the thread: there is something to do.
    work: Condvar,
    /// For whoever closes: the thread has ended.
    ended: Condvar,
    limit: usize,
    counters: TelemetryCounters,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    lines: u64,
    reopen: bool,
    closing: bool,
    ended: bool,
}

impl AccessLog {
    /// Opens the file and starts the thread; `None` if no log is wanted.
    pub(super) fn start(
        spec: &AccessLogSpec,
        counters: &TelemetryCounters,
    ) -> Result<Option<Self>, TelemetryError> {
        let Some(target) = &spec.target else {
            return Ok(None);
        };
        let sink = match target {
            AccessLogTarget::Stdout => Sink::Stdout,
            AccessLogTarget::File(path) => {
                let mut file = RotatingFile::new(path.clone(), spec.file_bytes, spec.files);
                file.prepare().map_err(|error| {
                    let what = format!("cannot open the access log {}", path.display());
                    TelemetryError::new(what, error)
                })?;
                Sink::File(file)
            }
        };
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            limit: spec.buffer_bytes,
            counters: counters.clone(),
        });
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("stoker-access".into())
            .spawn(move || writer.run(sink))
            .map_err(|error| {
                TelemetryError::new("cannot start the thread of the access log", error)
            })?;
        Ok(Some(AccessLog {
            format: LineFormat::new(spec),
            share: super::trace::share(spec.sample),
            keep_errors: spec.keep_errors,
            slow: spec.slow,
            shared,
        }))
    }

    /// Writes the line of a request, if it is among those that are logged.
    pub(super) fn tell(&self, journal: &Journal) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let kept = journal.id.lot() <= self.share && self.share > 0
            || self.keep_errors && journal.is_error()
            || journal.total >= self.slow;
        if !kept {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.format.write(line, journal);
            self.shared.push(line);
            if line.capacity() > LINE_ROOM {
                *line = Vec::new();
            }
        });
    }

    /// Opens the file anew before the next line.
    pub(super) fn reopen(&self) {
        self.shared.pending.lock().reopen = true;
        self.shared.work.notify_one();
    }

    /// Writes what is left, as far as that goes within `patience`.
    pub(super) fn close(&self, patience: Duration) {
        let mut pending = self.shared.pending.lock();
        pending.closing = true;
        self.shared.work.notify_one();
        let until = Instant::now() + patience;
        while !pending.ended
            && !self
                .shared
                .ended
                .wait_until(&mut pending, until)
                .timed_out()
        {}
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.shared.pending.lock().closing = true;
        self.shared.work.notify_one();
    }
}

impl Shared {
    /// Takes a whole line, or drops it if there is no room. The lock is held for a copy only.
    fn push(&self, line: &[u8]) {
        let mut pending = self.pending.lock();
        let before = pending.bytes.len();
        if before + line.len() > self.limit || pending.closing {
            self.counters.lines_dropped.inc();
            return;
        }
        pending.bytes.extend_from_slice(line);
        pending.lines += 1;
        let half = self.limit / 2;
        let wake = before == 0 || before < half && pending.bytes.len() >= half;
        drop(pending);
        if wake {
            self.work.notify_one();
        }
    }

    fn run(&self, mut sink: Sink) {
        let mut writing = Vec::new();
        let mut complained: Option<Instant> = None;
        loop {
            let (lines, closing) = self.take(&mut sink, &mut writing);
            match sink.write(&writing) {
                Ok(()) => self.counters.lines.inc_by(lines),
                Err(error) => {
                    self.counters.lines_dropped.inc_by(lines);
                    if complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
                        eprintln!("stoker: the access log cannot be written: {error}");
                        complained = Some(Instant::now());
                    }
                }
            }
            writing.clear();
            if closing {
                let mut pending = self.pending.lock();
                pending.ended = true;
                self.ended.notify_all();
                return;
            }
        }
    }

    /// Waits for lines and takes them all; says how many, and whether they are the last.
    fn take(&self, sink: &mut Sink, writing: &mut Vec<u8>) -> (u64, bool) {
        let mut pending = self.pending.lock();
        while pending.bytes.is_empty() && !pending.closing && !pending.reopen {
            self.work.wait(&mut pending);
        }
        // One write for many lines; a buffer that fills up is not waited for.
        if !pending.closing && !pending.reopen && pending.bytes.len() < self.limit / 2 {
            self.work.wait_for(&mut pending, LINGER);
        }
        if std::mem::take(&mut pending.reopen) {
            sink.reopen();
        }
        std::mem::swap(&mut pending.bytes, writing);
        (std::mem::take(&mut pending.lines), pending.closing)
    }
}

/// Where the lines go.
enum Sink {
    Stdout,
    File(RotatingFile),
}

impl Sink {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Sink::File(file) => file.append(lines),
        }
    }

    fn reopen(&mut self) {
        if let Sink::File(file) = self {
            file.close();
        }
    }
}

#[cfg(test)]
mod tests;
