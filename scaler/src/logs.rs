//! The output of the instances: kept, bounded, rotating, and followed.
//!
//! Every pipe has a small task on the runtime that reads it, and one thread does all the rest:
//! splitting, formatting, writing, rotating, publishing. So a slow disk delays no request; the files
//! need no locks; remarks and output come in the order in which they were made; and all logging
//! together takes one core at the most. A task has one burst at a time under way and reads on when
//! the thread is done with it. A program that floods is therefore held back by its own full pipe,
//! and waits in line with the others.

mod capture;
mod file;
mod follow;
mod gate;
mod line;
mod split;
mod tail;
#[cfg(test)]
mod tests;
mod time;
mod writer;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stoker_core::InstanceId;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use file::RotatingFile;
pub use follow::Follower;
pub use gate::Partial;
pub use line::{LogLine, ParseLogLineError, Stream};
pub use time::LogTime;

use follow::Followers;
use gate::Gate;
use split::Splitter;
use writer::{Lost, Message, Remark, Source, Writer};

/// Messages that may wait for the writer's thread. Pipes wait for a place, remarks are dropped.
const QUEUE: usize = 1024;

/// Where the output goes and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Directory of the files; made if missing.
    pub dir: PathBuf,
    /// Size that a file does not exceed, unless by a single line.
    pub file_bytes: u64,
    /// Files kept per function, the current one included; at least 1.
    pub files: u32,
    /// A longer line is split; at least 16.
    pub line_bytes: usize,
    /// Lines kept for a follower that is slow to take them; at least 1.
    pub follow_lines: usize,
    /// Lines that [`Logs::tail`] gives at the most.
    pub tail_lines: usize,
    /// Bytes that [`Logs::tail`] reads at the most.
    pub tail_bytes: u64,
}

impl LogSettings {
    /// The usual bounds, with the files in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        LogSettings {
            dir: dir.into(),
            file_bytes: 10 << 20,
            files: 3,
            line_bytes: 16 << 10,
            follow_lines: 1024,
            tail_lines: 10_000,
            tail_bytes: 4 << 20,
        }
    }

    /// The same with every bound at least at its minimum.
    fn clamped(mut self) -> Self {
        self.files = self.files.max(1);
        self.line_bytes = self.line_bytes.max(16);
        self.follow_lines = self.follow_lines.max(1);
        self
    }
}

/// Keeps the output of all instances.
#[derive(Debug)]
pub struct Logs {
    settings: Arc<LogSettings>,
    followers: Arc<Followers>,
    lost: Arc<Lost>,
    messages: mpsc::Sender<Message>,
    gate: Arc<Gate>,
}

impl Logs {
    /// Makes the directory and starts the writer's thread, which ends with the last user of it.
    pub fn new(settings: LogSettings) -> io::Result<Arc<Logs>> {
        let settings = Arc::new(settings.clamped());
        make_dir(&settings.dir)?;
        let followers = Arc::new(Followers::new(settings.follow_lines));
        let lost = Arc::new(Lost::default());
        let (messages, receiver) = mpsc::channel(QUEUE);
        let writer = Writer::new(settings.clone(), followers.clone(), lost.clone());
        std::thread::Builder::new()
            .name("stoker-logs".into())
            .spawn(move || writer.run(receiver))?;
        Ok(Arc::new(Logs {
            settings,
            followers,
            lost,
            messages,
            gate: Arc::default(),
        }))
    }

    /// Keeps what comes out of `pipe` until every writer has closed it.
    ///
    /// The handle is done when all of the output is in the file; dropping it changes nothing.
    /// Descendants of an instance may hold the pipe longer than the instance lives, so whoever
    /// awaits the handle bounds the wait. Must be called within a runtime.
    pub fn capture(
        &self,
        function: Arc<str>,
        instance: InstanceId,
        stream: Stream,
        pipe: OwnedFd,
    ) -> io::Result<JoinHandle<()>> {
        check_name(&function)?;
        let pipe = pipe::Receiver::from_owned_fd(pipe)?;
        let source = Source {
            function,
            instance: Some(instance),
            stream,
        };
        let begun = self.gate.begun(instance, stream);
        Ok(tokio::spawn(capture::run(
            pipe,
            source,
            Splitter::begun(self.settings.line_bytes, begun),
            (self.messages.clone(), Arc::clone(&self.gate)),
        )))
    }

    /// Reads no pipe any more until [`Logs::resume`] or [`Logs::leave`], and answers when all that
    /// was read is in the files: the beginnings of lines, whose rest is still in the pipes. Waits
    /// for `patience` at most; then some may still be read for a moment.
    pub async fn pause(&self, patience: Duration) -> Vec<Partial> {
        self.gate.pause(patience).await
    }

    /// Reads on after [`Logs::pause`].
    pub fn resume(&self) {
        self.gate.resume();
    }

    /// The pipes are another gateway's from now on, and so are the files.
    pub fn leave(&self) {
        self.gate.leave();
    }

    /// The beginnings of lines that another gateway read before the rest came.
    pub fn continue_lines(&self, begun: Vec<Partial>) {
        self.gate.continue_lines(begun);
    }

    /// Adds a remark of the gateway's own to a function's log. Returns at once; a remark that finds
    /// the queue full is dropped and counted.
    pub fn note(&self, function: &str, instance: InstanceId, text: impl Into<String>) {
        if check_name(function).is_err() || self.gate.is_left() {
            return;
        }
        let remark = Remark {
            time: LogTime::now(),
            function: Arc::from(function),
            instance,
            text: text.into(),
        };
        if self.messages.try_send(Message::Remark(remark)).is_err() {
            self.lost.remark();
        }
    }

    /// The last lines of a function, oldest first, at most [`LogSettings::tail_lines`]; none if it
    /// never wrote any. Reads files: not for the threads of the runtime.
    pub fn tail(&self, function: &str, lines: usize) -> io::Result<Vec<LogLine>> {
        check_name(function)?;
        tail::read(&self.settings, function, lines)
    }

    /// The lines of a function from now on.
    pub fn follow(&self, function: &str) -> io::Result<Follower> {
        check_name(function)?;
        Ok(self.followers.follow(function))
    }

    /// Waits until everything that was handed over before is in the files.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.messages.send(Message::Flush(done)).await.is_ok() {
            // An error says that the thread is gone, and then there is nothing to wait for.
            wait.await.ok();
        }
    }

    /// Lines that could not be kept so far, because the disk was full or too slow.
    pub fn lost_lines(&self) -> u64 {
        self.lost.total()
    }
}

/// The output may hold secrets: a directory of our own making is closed to others.
fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Names become file names, and some come from callers of the administration interface.
fn check_name(function: &str) -> io::Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if function.is_empty() || function.len() > 63 || !function.bytes().all(allowed) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{function:?} is not the name of a function"),
        ));
    }
    Ok(())
}

/// The current file, or the `index`th older one.
fn file_path(dir: &Path, function: &str, index: u32) -> PathBuf {
    match index {
        0 => dir.join(format!("{function}.log")),
        _ => dir.join(format!("{function}.log.{index}")),
    }
}
