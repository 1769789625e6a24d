//! The thread that splits, writes and publishes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoker_core::InstanceId;
use tokio::sync::{mpsc, oneshot};

use super::file::RotatingFile;
use super::follow::Followers;
use super::line::{Head, LogLine, Stream};
use super::split::Splitter;
use super::time::LogTime;
use super::{LogSettings, file_path};

/// A batch that grew beyond this is given back after its use.
const KEEP_BATCH_BYTES: usize = 256 << 10;
/// Requests are worth more than their logs.
const NICENESS: i32 = 5;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Message {
    /// A pipe of this function will be read.
    Begin(Arc<str>),
    /// Something came out of it.
    Burst(Burst),
    /// The gateway has something to say.
    Remark(Remark),
    /// Answer when everything before is done.
    Flush(oneshot::Sender<()>),
}

/// Whose output it is.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) function: Arc<str>,
    pub(super) instance: Option<InstanceId>,
    pub(super) stream: Stream,
}

/// What one read gave.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) time: LogTime,
    pub(super) source: Source,
    pub(super) bytes: Vec<u8>,
    /// Belongs to the pipe, and goes back with `done`.
    pub(super) splitter: Splitter,
    /// The pipe has ended.
    pub(super) last: bool,
    pub(super) done: oneshot::Sender<Splitter>,
}

/// Something that the gateway says about an instance.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) time: LogTime,
    pub(super) function: Arc<str>,
    pub(super) instance: InstanceId,
    pub(super) text: String,
}

/// Counts what could not be kept.
#[derive(Debug, Default)]
pub(super) struct Lost {
    lines: AtomicU64,
    remarks: AtomicU64,
}

impl Lost {
    /// One remark found the queue full.
    pub(super) fn remark(&self) {
        self.remarks.fetch_add(1, Ordering::Relaxed);
    }

    /// All so far.
    pub(super) fn total(&self) -> u64 {
        self.lines.load(Ordering::Relaxed) + self.remarks.load(Ordering::Relaxed)
    }
}

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Writer {
    settings: Arc<LogSettings>,
    followers: Arc<Followers>,
    lost: Arc<Lost>,
    /// Dropped remarks that were told already.
    told: u64,
    functions: HashMap<Arc<str>, Function>,
}

#[derive(Debug)]
struct Function {
    file: RotatingFile,
    /// Pipes being read. The file is closed with the last.
    pipes: usize,
    /// Lines that are missing in the file at this place.
    missing: u64,
}

impl Writer {
    pub(super) fn new(
        settings: Arc<LogSettings>,
        followers: Arc<Followers>,
        lost: Arc<Lost>,
    ) -> Self {
        Writer {
            settings,
            followers,
            lost,
            told: 0,
            functions: HashMap::new(),
        }
    }

    /// Works until nobody can send messages any more.
    pub(super) fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        // Of this thread only. If it is refused, logging merely competes on equal terms.
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS).ok();
        let mut batch = Batch::default();
        while let Some(message) = messages.blocking_recv() {
            match message {
                Message::Begin(function) => self.function(&function).pipes += 1,
                Message::Burst(burst) => self.burst(burst, &mut batch),
                Message::Remark(remark) => self.remark(remark, &mut batch),
                Message::Flush(done) => {
                    // Whoever asked may have left.
                    done.send(()).ok();
                }
            }
        }
    }

    fn burst(&mut self, burst: Burst, batch: &mut Batch) {
        let Burst {
            time,
            source,
            bytes,
            mut splitter,
            last,
            done,
        } = burst;
        batch.begin(time, source.clone(), self.followers.any(&source.function));
        splitter.feed(&bytes, |line| batch.push(line));
        if last {
            splitter.finish(|line| batch.push(line));
        }
        self.write(&source.function, batch);
        if last {
            self.function(&source.function).pipes -= 1;
            self.close_if_unused(&source.function);
        }
        // The task is gone if the runtime is shutting down.
        done.send(splitter).ok();
    }

    fn remark(&mut self, remark: Remark, batch: &mut Batch) {
        let function = remark.function;
        let source = Source {
            function: function.clone(),
            instance: Some(remark.instance),
            stream: Stream::Sys,
        };
        batch.begin(remark.time, source, self.followers.any(&function));
        let dropped = self.lost.remarks.load(Ordering::Relaxed);
        if dropped > self.told {
            batch.push(format!("… {} remarks were dropped", dropped - self.told).into());
            self.told = dropped;
        }
        let mut splitter = Splitter::new(self.settings.line_bytes);
        splitter.feed(remark.text.as_bytes(), |line| batch.push(line));
        splitter.finish(|line| batch.push(line));
        self.write(&function, batch);
        self.close_if_unused(&function);
    }

    /// Appends a batch and publishes it. A batch that cannot be written is not tried again: the
    /// output goes on, and the next one that can says what is missing.
    fn write(&mut self, name: &Arc<str>, batch: &mut Batch) {
        let function = self.function(name);
        let mut result = Ok(());
        if function.missing > 0 && batch.lines > 0 {
            let text = format!("… {} lines were not kept", function.missing);
            let line = LogLine {
                time: batch.time,
                function: name.clone(),
                instance: None,
                stream: Stream::Sys,
                text,
            };
            result = function.file.append(format!("{line}\n").as_bytes());
            if result.is_ok() {
                function.missing = 0;
            }
        }
        if result
            .and_then(|()| function.file.append(batch.bytes.as_bytes()))
            .is_err()
        {
            function.missing += batch.lines;
            self.lost.lines.fetch_add(batch.lines, Ordering::Relaxed);
        }
        self.followers.publish(name, batch.followed.drain(..));
    }

    fn function(&mut self, name: &Arc<str>) -> &mut Function {
        self.functions
            .entry(name.clone())
            .or_insert_with(|| Function {
                file: RotatingFile::new(
                    file_path(&self.settings.dir, name, 0),
                    self.settings.file_bytes,
                    self.settings.files,
                ),
                pipes: 0,
                missing: 0,
            })
    }

    fn close_if_unused(&mut self, name: &Arc<str>) {
        if self
            .functions
            .get(name)
            .is_some_and(|function| function.pipes == 0)
        {
            self.functions.remove(name);
        }
    }
}

/// Lines with the same head, in the form of the file.
#[derive(Debug)]
struct Batch {
    time: LogTime,
    source: Source,
    head: String,
    bytes: String,
    lines: u64,
    /// Somebody follows, so the lines are needed one by one too.
    follow: bool,
    followed: Vec<LogLine>,
}

impl Default for Batch {
    fn default() -> Self {
        Batch {
            time: LogTime::from_unix_micros(0),
            source: Source {
                function: Arc::from(""),
                instance: None,
                stream: Stream::Sys,
            },
            head: String::new(),
            bytes: String::new(),
            lines: 0,
            follow: false,
            followed: Vec::new(),
        }
    }
}

impl Batch {
    fn begin(&mut self, time: LogTime, source: Source, follow: bool) {
        let head = Head {
            time,
            function: &source.function,
            instance: source.instance,
            stream: source.stream,
        };
        self.head.clear();
        // Writing to a string cannot fail.
        write!(self.head, "{head}").ok();
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BATCH_BYTES);
        (self.time, self.source, self.lines, self.follow) = (time, source, 0, follow);
    }

    fn push(&mut self, text: Cow<'_, str>) {
        self.bytes.push_str(&self.head);
        self.bytes.push_str(&text);
        self.bytes.push('\n');
        self.lines += 1;
        if self.follow {
            self.followed.push(LogLine {
                time: self.time,
                function: self.source.function.clone(),
                instance: self.source.instance,
                stream: self.source.stream,
                text: text.into_owned(),
            });
        }
    }
}
