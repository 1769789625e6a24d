//! Whether the gateway takes requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const READY: u8 = 1;
const SHUTTING_DOWN: u8 = 2;

/// Whether the gateway takes requests; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Of a gateway that is starting.
    pub fn new() -> Self {
        Self::default()
    }

    /// The gateway takes requests.
    pub fn set_ready(&self) {
        // A gateway that shuts down while it is starting does not become ready again.
        let result = self
            .0
            .compare_exchange(STARTING, READY, Ordering::Release, Ordering::Relaxed);
        result.ok();
    }

    /// The gateway takes no more requests.
    pub fn set_shutting_down(&self) {
        self.0.store(SHUTTING_DOWN, Ordering::Release);
    }

    /// What keeps the gateway from taking requests, in words.
    pub(crate) fn hindrance(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Acquire) {
            STARTING => Some("the gateway is starting"),
            READY => None,
            _ => Some("the gateway is shutting down"),
        }
    }
}
