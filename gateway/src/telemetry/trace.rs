//! Which requests are traced, and the queue of those whose spans are to be exported.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stoker_config::TracesSpec;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::TelemetryError;
use super::export::Exporter;
use super::journal::Journal;
use super::spans;
use crate::identity::RequestId;
use crate::metrics::TelemetryCounters;

/// Decides which requests are traced and queues their spans.
pub(super) struct Tracer {
    /// Of 2^64 requests without a parent so many are traced.
    share: u64,
    queue: mpsc::Sender<Box<Journal>>,
    counters: TelemetryCounters,
    task: Mutex<Option<Task>>,
}

/// The task that exports.
struct Task {
    /// Dropped, it tells the task to end.
    end: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Tracer {
    /// Starts the exporting task on `runtime`; `None` if no traces are wanted.
    pub(super) fn start(
        spec: &TracesSpec,
        redact: &[String],
        counters: &TelemetryCounters,
        runtime: &Handle,
    ) -> Result<Option<Self>, TelemetryError> {
        let Some(endpoint) = &spec.endpoint else {
            return Ok(None);
        };
        let (queue, waiting) = mpsc::channel(spec.queue);
        let (end, ending) = oneshot::channel();
        let exporter = Exporter::new(spec, endpoint, redact, counters)?;
        let ended = runtime.spawn(exporter.run(waiting, ending));
        Ok(Some(Tracer {
            share: share(spec.sample),
            queue,
            counters: counters.clone(),
            task: Mutex::new(Some(Task { end, ended })),
        }))
    }

    /// Whether the request is to be traced: as its caller has it, or by chance if the caller says
    /// nothing (the `ParentBased` sampler over `TraceIdRatioBased` of OpenTelemetry).
    pub(super) fn wants(&self, id: &RequestId) -> bool {
        match id.parent() {
            Some((_, sampled)) => sampled,
            None => self.share > 0 && id.lot() <= self.share,
        }
    }

    /// Queues the spans of a request that has ended.
    pub(super) fn tell(&self, journal: Box<Journal>) {
        if let Err(error) = self.queue.try_send(journal) {
            let (mpsc::error::TrySendError::Full(journal)
            | mpsc::error::TrySendError::Closed(journal)) = error;
            self.counters.spans_dropped.inc_by(spans::count(&journal));
        }
    }

    /// Exports what is queued, as far as that goes within `patience`.
    pub(super) async fn close(&self, patience: Duration) {
        let Some(Task { end, ended }) = self.task.lock().take() else {
            return;
        };
        drop(end);
        // What is left after that is lost, as it is when the process is killed.
        tokio::time::timeout(patience, ended).await.ok();
    }
}

/// A share from 0 to 1 as the greatest of the numbers below 2^64 that are in the sample.
pub(super) fn share(sample: f64) -> u64 {
    // The conversion saturates at both ends.
    (sample * 2_f64.powi(64)) as u64
}

/// Told about spans that could not be exported, at most once per minute.
#[derive(Default)]
pub(super) struct Complaints {
    last: Option<std::time::Instant>,
    since: u64,
}

impl Complaints {
    /// Between two of them.
    const PAUSE: Duration = Duration::from_secs(60);

    /// Says that so many spans were lost.
    pub(super) fn about(&mut self, spans: u64, place: &Arc<str>, error: &dyn std::fmt::Display) {
        self.since += spans;
        if self.last.is_some_and(|last| last.elapsed() < Self::PAUSE) {
            return;
        }
        eprintln!(
            "stoker: {} spans could not be exported to {place}: {error}",
            self.since
        );
        self.last = Some(std::time::Instant::now());
        self.since = 0;
    }
}
