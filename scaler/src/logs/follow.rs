//! Those who watch a log grow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError};

use super::line::{LogLine, Stream};
use super::time::LogTime;

/// Who follows which function.
#[derive(Debug)]
pub(super) struct Followers {
    capacity: usize,
    /// Only functions that somebody follows, or did until a moment ago.
    channels: Mutex<HashMap<Arc<str>, broadcast::Sender<Arc<LogLine>>>>,
}

impl Followers {
    /// Each function keeps at most `capacity` lines for the slowest of its followers.
    pub(super) fn new(capacity: usize) -> Self {
        Followers {
            capacity,
            channels: Mutex::default(),
        }
    }

    /// A new follower.
    pub(super) fn follow(&self, function: &str) -> Follower {
        let mut channels = self.lock();
        channels.retain(|_, channel| channel.receiver_count() > 0);
        let function: Arc<str> = Arc::from(function);
        let channel = channels
            .entry(function.clone())
            .or_insert_with(|| broadcast::Sender::new(self.capacity));
        Follower {
            function,
            lines: channel.subscribe(),
        }
    }

    /// Whether somebody follows.
    pub(super) fn any(&self, function: &str) -> bool {
        self.lock()
            .get(function)
            .is_some_and(|channel| channel.receiver_count() > 0)
    }

    /// Gives lines to all who follow.
    pub(super) fn publish(&self, function: &str, lines: impl Iterator<Item = LogLine>) {
        let channels = self.lock();
        let Some(channel) = channels.get(function) else {
            return;
        };
        for line in lines {
            // The last follower may have left: then nobody is waiting.
            channel.send(Arc::new(line)).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, broadcast::Sender<Arc<LogLine>>>> {
        // A map of channels is whole even if a thread panicked while it held the lock.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines of one function from some moment on.
#[derive(Debug)]
pub struct Follower {
    function: Arc<str>,
    lines: broadcast::Receiver<Arc<LogLine>>,
}

impl Follower {
    /// The next line; `None` when there will be no more because the gateway is ending.
    ///
    /// Whoever is too slow misses lines, and gets one that says how many. May be cancelled without
    /// a loss.
    pub async fn next(&mut self) -> Option<Arc<LogLine>> {
        match self.lines.recv().await {
            Ok(line) => Some(line),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(missed)) => Some(Arc::new(LogLine {
                time: LogTime::now(),
                function: self.function.clone(),
                instance: None,
                stream: Stream::Sys,
                text: format!("… {missed} lines were dropped"),
            })),
        }
    }
}
