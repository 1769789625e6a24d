//! Stopping to read every pipe at a place where nothing is lost, when another gateway takes over.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoker_core::InstanceId;
use tokio::sync::{Notify, watch};

use super::line::Stream;
use super::writer::Source;

/// The beginning of a line that an instance wrote and whose end was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// The raw id of the instance.
    instance: u64,
    /// It is of the error output.
    error: bool,
    bytes: Vec<u8>,
}

/// Where the tasks that read pipes pass.
#[derive(Debug)]
pub(super) struct Gate {
    mode: watch::Sender<Mode>,
    state: Mutex<State>,
    /// Rung when a task stops to read.
    parked: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Tasks that may read.
    readers: usize,
    /// What the parked ones have begun.
    partials: Vec<Partial>,
    /// What another gateway had begun, by instance and whether it is error output.
    begun: HashMap<(InstanceId, bool), Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Reading,
    Paused,
    Left,
}

/// A task that reads, or is parked.
pub(super) struct Reading {
    gate: Arc<Gate>,
    mode: watch::Receiver<Mode>,
    counted: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Gate {
            mode: watch::Sender::new(Mode::Reading),
            state: Mutex::default(),
            parked: Notify::new(),
        }
    }
}

impl Gate {
    /// One more task reads.
    pub(super) fn enter(self: &Arc<Self>) -> Reading {
        self.lock().readers += 1;
        Reading {
            gate: Arc::clone(self),
            mode: self.mode.subscribe(),
            counted: true,
        }
    }

    pub(super) async fn pause(&self, patience: Duration) -> Vec<Partial> {
        self.mode.send_replace(Mode::Paused);
        let all = async {
            loop {
                let mut parked = pin!(self.parked.notified());
                parked.as_mut().enable();
                if self.lock().readers == 0 {
                    return;
                }
                parked.await;
            }
        };
        tokio::time::timeout(patience, all).await.ok();
        std::mem::take(&mut self.lock().partials)
    }

    pub(super) fn resume(&self) {
        self.mode.send_replace(Mode::Reading);
        self.lock().partials.clear();
    }

    pub(super) fn leave(&self) {
        self.mode.send_replace(Mode::Left);
    }

    pub(super) fn is_left(&self) -> bool {
        *self.mode.borrow() == Mode::Left
    }

    pub(super) fn continue_lines(&self, begun: Vec<Partial>) {
        let begun = begun.into_iter().map(|partial| {
            let id = InstanceId::from_raw(partial.instance);
            ((id, partial.error), partial.bytes)
        });
        self.lock().begun.extend(begun);
    }

    /// What another gateway had read of a line there.
    pub(super) fn begun(&self, instance: InstanceId, stream: Stream) -> Vec<u8> {
        let key = (instance, stream == Stream::Stderr);
        self.lock().begun.remove(&key).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// Resolves when nothing more is to be read.
    pub(super) async fn stopped(&mut self) {
        // The sender lives in the gate.
        drop(self.mode.wait_for(|mode| *mode != Mode::Reading).await);
    }

    /// Reads nothing until it may again, which is never if the answer is false.
    pub(super) async fn park(&mut self, source: &Source, pending: &[u8]) -> bool {
        if let Some(instance) = source.instance.filter(|_| !pending.is_empty()) {
            let partial = Partial {
                instance: instance.as_raw(),
                error: source.stream == Stream::Stderr,
                bytes: pending.to_vec(),
            };
            self.gate.lock().partials.push(partial);
        }
        self.uncount();
        let mode = self.mode.wait_for(|mode| *mode != Mode::Paused).await;
        let again = mode.is_ok_and(|mode| *mode == Mode::Reading);
        if again {
            self.gate.lock().readers += 1;
            self.counted = true;
        }
        again
    }

    fn uncount(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.gate.lock().readers -= 1;
            self.gate.parked.notify_waiters();
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.uncount();
    }
}
