//! What the gateway keeps of the load of one function, whatever its revision.

use std::sync::Arc;
use std::time::Instant;

use crate::retry::Budget;
use crate::share::{Common, Share};

/// What all functions share.
#[derive(Debug)]
pub(crate) struct Commons {
    /// Requests that wait.
    pub(crate) waiters: Arc<Common>,
    /// Bytes of their bodies.
    pub(crate) buffer: Arc<Common>,
    /// Connections to instances.
    pub(crate) connections: Arc<Common>,
}

/// One function's parts of it, and its retries.
#[derive(Debug)]
pub(crate) struct FunctionLoad {
    pub(crate) waiters: Arc<Share>,
    pub(crate) buffer: Arc<Share>,
    pub(crate) connections: Arc<Share>,
    pub(crate) retries: Budget,
}

/// The limits of what is shared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) waiters: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) connections: usize,
}

impl FunctionLoad {
    /// For another revision of the function: the same parts of what is shared, with retries of its
    /// own, so that one that fails takes none from the others.
    pub(crate) fn sibling(&self) -> FunctionLoad {
        FunctionLoad {
            waiters: Arc::clone(&self.waiters),
            buffer: Arc::clone(&self.buffer),
            connections: Arc::clone(&self.connections),
            retries: Budget::new(Instant::now()),
        }
    }
}

impl Commons {
    /// For so many functions.
    pub(crate) fn new(limits: Limits, functions: usize) -> Self {
        Commons {
            waiters: Common::new(limits.waiters, functions),
            buffer: Common::new(limits.buffer_bytes, functions),
            connections: Common::new(limits.connections, functions),
        }
    }

    /// Changes the limits; what is held stays.
    pub(crate) fn set(&self, limits: Limits, functions: usize) {
        self.waiters.set(limits.waiters, functions);
        self.buffer.set(limits.buffer_bytes, functions);
        self.connections.set(limits.connections, functions);
    }

    /// For a new function.
    pub(crate) fn function(&self) -> FunctionLoad {
        FunctionLoad {
            waiters: self.waiters.share(),
            buffer: self.buffer.share(),
            connections: self.connections.share(),
            retries: Budget::new(Instant::now()),
        }
    }
}
