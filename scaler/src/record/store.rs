//! The chunks of all functions, within bounds.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stoker_core::Timestamp;
use tokio::sync::Notify;

use super::entry::micros;
use super::file::{self, Files};
use super::{Chunk, RecordSettings};
use crate::Clock;

/// The chunks of all functions, within bounds.
#[derive(Debug)]
pub struct Store {
    enabled: AtomicBool,
    next: AtomicU64,
    /// What the functions hold in chunks that are not full.
    open_bytes: AtomicUsize,
    /// Above this they give theirs away before they are full.
    open_most: AtomicUsize,
    /// Microseconds since 1970 at the origin of the clock.
    origin: u64,
    state: Mutex<State>,
    /// Rung when there is something to write.
    written: Notify,
    /// Held by whoever writes; before that of `state`.
    files: Mutex<Files>,
}

#[derive(Debug)]
struct State {
    settings: RecordSettings,
    /// Oldest first, as they were given.
    chunks: VecDeque<Arc<Chunk>>,
    bytes: usize,
    /// Of those that are to be written and are not: the oldest ones are lost if that takes long.
    unwritten: VecDeque<Arc<Chunk>>,
    /// Chunks that were never written.
    lost: u64,
}

impl Store {
    /// An empty one, whose times are those of `clock`.
    pub(crate) fn new(clock: Clock) -> Arc<Store> {
        let settings = RecordSettings::default();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let passed = clock.now().since(Timestamp::ZERO);
        let origin = unix.unwrap_or_default().saturating_sub(passed);
        Arc::new(Store {
            enabled: AtomicBool::new(settings.enabled),
            next: AtomicU64::new(0),
            open_bytes: AtomicUsize::new(0),
            open_most: AtomicUsize::new(settings.memory_bytes / 2),
            origin: micros(origin),
            state: Mutex::new(State {
                settings,
                chunks: VecDeque::new(),
                bytes: 0,
                unwritten: VecDeque::new(),
                lost: 0,
            }),
            written: Notify::new(),
            files: Mutex::default(),
        })
    }

    /// Changes what is recorded and kept from now on.
    pub(crate) fn configure(&self, settings: RecordSettings) {
        self.enabled.store(settings.enabled, Ordering::Relaxed);
        self.open_most
            .store(settings.memory_bytes / 2, Ordering::Relaxed);
        let mut state = self.lock();
        state.settings = settings;
        self.forget(&mut state);
    }

    /// A time as microseconds since 1970.
    pub fn unix_micros(&self, at: Timestamp) -> u64 {
        self.origin.saturating_add(at.as_nanos() / 1000)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A chunk that is not full has grown by so much; true if it is to be given as it is.
    pub(super) fn opened(&self, bytes: usize) -> bool {
        let open = self.open_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        open > self.open_most.load(Ordering::Relaxed)
    }

    /// A chunk of so many bytes is not with its function any more.
    pub(super) fn closed(&self, bytes: usize) {
        self.open_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes a chunk in.
    pub(super) fn give(&self, chunk: Chunk) {
        let chunk = Arc::new(chunk);
        let mut state = self.lock();
        if state.settings.files.is_some() {
            state.unwritten.push_back(Arc::clone(&chunk));
            self.written.notify_one();
        }
        state.add(chunk);
        self.forget(&mut state);
    }

    /// Takes in what an earlier gateway had recorded.
    pub(super) fn give_former(&self, chunks: Vec<Chunk>) {
        let mut state = self.lock();
        let later = std::mem::take(&mut state.chunks);
        for mut chunk in chunks {
            chunk.id = self.next_id();
            state.add(Arc::new(chunk));
        }
        state.chunks.extend(later);
        self.forget(&mut state);
    }

    /// What is kept of the function of this name, or of all, since a time in microseconds since
    /// 1970, oldest first. What functions still write is not among it.
    pub(crate) fn chunks(&self, function: Option<&str>, since: u64) -> Vec<Arc<Chunk>> {
        let mut state = self.lock();
        self.forget(&mut state);
        let kept = state.chunks.iter();
        let wanted = kept.filter(|chunk| {
            chunk.last >= since && function.is_none_or(|name| *chunk.function == *name)
        });
        wanted.cloned().collect()
    }

    /// Bytes in memory, chunks there, and chunks that were to be written and were not.
    pub fn size(&self) -> (usize, usize, u64) {
        let state = self.lock();
        let open = self.open_bytes.load(Ordering::Relaxed);
        (state.bytes + open, state.chunks.len(), state.lost)
    }

    /// Writes what is full, as it comes; never answers.
    pub(crate) async fn write_always(self: Arc<Self>) {
        loop {
            self.written.notified().await;
            let store = Arc::clone(&self);
            // A panic there leaves the next ones to be written.
            drop(tokio::task::spawn_blocking(move || store.write()).await);
        }
    }

    /// Writes what is full and not written yet. What cannot be written is counted and forgotten.
    /// Blocks.
    pub(crate) fn write(&self) {
        // First, so that whoever comes second waits until all is written.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (settings, mut chunks) = {
            let mut state = self.lock();
            let chunks = std::mem::take(&mut state.unwritten);
            (state.settings.files.clone(), chunks)
        };
        let Some(settings) = settings else {
            return;
        };
        if let Err(error) = files.append(&settings, &mut chunks) {
            let mut state = self.lock();
            state.lost += chunks.len() as u64;
            drop(state);
            let directory = settings.directory.display();
            eprintln!("stoker: the record cannot be written to {directory}: {error}");
        }
    }

    /// Takes in what the files of an earlier gateway have.
    pub(crate) fn load(&self, directory: &Path) {
        let most = self.lock().settings.memory_bytes as u64;
        self.give_former(file::read_all(directory, most));
    }

    /// Writes all chunks to one file.
    pub(crate) fn leave(&self, file: &Path) -> io::Result<()> {
        let chunks: Vec<_> = self.lock().chunks.iter().cloned().collect();
        file::write_one(file, &chunks)
    }

    /// Takes in all chunks of that file, and removes it.
    pub(crate) fn inherit(&self, file: &Path) -> io::Result<()> {
        let content = std::fs::read(file)?;
        self.give_former(file::read(&content));
        std::fs::remove_file(file)
    }

    /// Drops what is too old or too much.
    fn forget(&self, state: &mut State) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let oldest = now.unwrap_or_default().saturating_sub(state.settings.keep);
        let oldest = micros(oldest);
        let open = self.open_bytes.load(Ordering::Relaxed);
        let most = state.settings.memory_bytes.saturating_sub(open);
        while let Some(chunk) = state.chunks.front()
            && (state.bytes > most || chunk.last < oldest)
        {
            state.bytes -= chunk.size();
            state.chunks.pop_front();
        }
        // A disk that is slow must not take more memory than the record itself.
        while state.unwritten.len() > UNWRITTEN {
            state.unwritten.pop_front();
            state.lost += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At most so many chunks wait to be written.
const UNWRITTEN: usize = 256;

impl State {
    fn add(&mut self, chunk: Arc<Chunk>) {
        self.bytes += chunk.size();
        self.chunks.push_back(chunk);
    }
}

impl RecordSettings {
    /// The time, in microseconds since 1970, that is `span` ago.
    pub fn ago(span: Duration) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        micros(now.unwrap_or_default().saturating_sub(span))
    }
}
