//! What reached a function: the heads of its requests, as it received them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::PATIENCE;

/// Ends the thread that reads.
const END: u8 = 0;

/// The heads of the requests that a function got, told by the function through a pipe: so there is
/// an event for each.
pub(crate) struct Record {
    path: PathBuf,
    pipe: File,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Record {
    /// Makes the pipe; its path is for `FIXTURE_RECORD`.
    pub(crate) fn new(name: &str) -> Record {
        let path = std::env::temp_dir().join(format!("st-{}-{name}.pipe", std::process::id()));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).expect("a pipe can be made");
        // Open for both, it neither waits for a writer nor ends with the last one.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .expect("can be opened");
        let mut reader = pipe.try_clone().expect("can be duplicated");
        let heard = Arc::new(Heard::default());
        let writer = Arc::clone(&heard);
        thread::spawn(move || {
            let mut buffer = [0; 64 << 10];
            while let Ok(count) = reader.read(&mut buffer) {
                let bytes = &buffer[..count];
                writer.lock().extend_from_slice(bytes);
                writer.more.notify_all();
                if bytes.contains(&END) {
                    return;
                }
            }
        });
        Record { path, pipe, heard }
    }

    /// The value of `FIXTURE_RECORD`.
    pub(crate) fn path(&self) -> &str {
        self.path.to_str().expect("the path is plain")
    }

    /// Waits until `text` is in what the function got `count` times.
    pub(crate) fn wait_for(&self, text: &str, count: usize) {
        let fewer = |bytes: &mut Vec<u8>| occurrences(bytes, text) < count;
        let (bytes, timeout) = self
            .heard
            .more
            .wait_timeout_while(self.heard.lock(), PATIENCE, fewer)
            .unwrap_or_else(PoisonError::into_inner);
        let got = String::from_utf8_lossy(&bytes);
        assert!(
            !timeout.timed_out(),
            "the function did not get {count} of {text:?} but {got}"
        );
    }

    /// The same, but gives up as soon as `over` holds, which is looked at now and then.
    pub(crate) fn wait_for_or(&self, text: &str, count: usize, mut over: impl FnMut() -> bool) {
        super::wait_until(text, || self.count(text) >= count || over());
    }

    /// How often `text` is in what the function got so far.
    pub(crate) fn count(&self, text: &str) -> usize {
        occurrences(&self.heard.lock(), text)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.pipe.write_all(&[END]).ok();
        std::fs::remove_file(Path::new(&self.path)).ok();
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn occurrences(bytes: &[u8], text: &str) -> usize {
    bytes
        .windows(text.len())
        .filter(|window| *window == text.as_bytes())
        .count()
}
