use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoker_scaler::process::{Output, OutputHook};
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

/// What is kept of a program's output, the newest: both streams in the order in which they came.
#[derive(Clone)]
pub(super) struct Tail {
    inner: Arc<Mutex<Inner>>,
    most: usize,
}

#[derive(Default)]
struct Inner {
    kept: VecDeque<u8>,
    forgotten: u64,
    readers: Vec<JoinHandle<()>>,
}

impl Tail {
    /// Keeps so many bytes.
    pub(super) fn new(most: usize) -> Tail {
        Tail {
            inner: Arc::default(),
            most,
        }
    }

    /// What takes the pipes.
    pub(super) fn hook(&self) -> OutputHook {
        let tail = self.clone();
        Arc::new(move |output: Output| {
            let reader = tokio::spawn(tail.clone().read(output));
            tail.locked().readers.push(reader);
        })
    }

    /// Puts something before all that comes.
    pub(super) fn note(&self, text: &str) {
        self.push(text.as_bytes());
    }

    /// All that is kept, when the pipes have ended or after that time.
    pub(super) async fn text(&self, patience: Duration) -> String {
        let readers = std::mem::take(&mut self.locked().readers);
        let until = tokio::time::Instant::now() + patience;
        for mut reader in readers {
            if tokio::time::timeout_at(until, &mut reader).await.is_err() {
                reader.abort();
            }
        }
        let mut inner = self.locked();
        let forgotten = inner.forgotten;
        let text = String::from_utf8_lossy(inner.kept.make_contiguous()).into_owned();
        match forgotten {
            0 => text,
            forgotten => format!("[{forgotten} bytes before this are left out]\n{text}"),
        }
    }

    async fn read(self, output: Output) {
        let Ok(pipe) = Receiver::from_owned_fd(output.pipe) else {
            return;
        };
        let mut buffer = [0; 8192];
        loop {
            if pipe.readable().await.is_err() {
                return;
            }
            match pipe.try_read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => self.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn push(&self, bytes: &[u8]) {
        let mut inner = self.locked();
        inner.kept.extend(bytes);
        let excess = inner.kept.len().saturating_sub(self.most);
        inner.kept.drain(..excess);
        inner.forgotten += excess as u64;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
