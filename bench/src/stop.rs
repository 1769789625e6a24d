//! Ctrl-C.

use std::io;
use std::process;
use std::sync::Arc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The exit code after the second signal, as a shell reports it.
const INTERRUPTED: i32 = 130;

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

    /// From now on the first SIGINT or SIGTERM sets this, after `first` was called on a thread of
    /// its own; the second one ends the process.
    ///
    /// To be called before any other runtime is there: it might take a signal that came between
    /// the handler and whoever listens, of which nobody would hear then.
    ///
    /// # Errors
    /// If the system gives no handler or no thread.
    pub(crate) fn follow_signals(&self, first: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let stop = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        drop(entered);
        let mut next = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
        };
        let follow = move || {
            next();
            first();
            stop.set();
            next();
            process::exit(INTERRUPTED);
        };
        thread::Builder::new()
            .name("bench-signals".into())
            .spawn(follow)?;
        Ok(())
    }
}
