//! Ctrl-C.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the run is to end now, with what it has measured.
#[derive(Clone)]
pub(crate) struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub(crate) fn new() -> Stop {
        Stop(Arc::new(watch::Sender::new(false)))
    }

    /// Ends the run.
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is to end.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is to end.
    pub(crate) async fn wait(&self) {
        // The sender lives as long as this.
        drop(self.0.subscribe().wait_for(|stopped| *stopped).await);
    }

    /// Sets it at the first SIGINT or SIGTERM; ends the process at the second one, with 130 as a
    /// shell reports it. Within a runtime that runs on.
    pub(crate) async fn follow_signals(self) -> std::io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if !first {
                std::process::exit(130);
            }
            self.set();
        }
        Ok(())
    }
}
