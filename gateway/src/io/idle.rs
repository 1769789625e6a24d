//! How long a caller's connection may be idle.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Waits;
use crate::overload::Connections;
use crate::watchdog::Watchdog;

/// An idle connection is looked at this often, for what it may take depends on how many there are.
const LOOK: Duration = Duration::from_secs(1);

/// The wait for the head of a request. It is bounded by a fixed time from the first byte of the head
/// on; before that by how long a connection may be idle, which depends on how many there are.
pub(super) struct HeadWait {
    connections: Arc<Connections>,
    waits: Waits,
    /// No request was answered on the connection yet.
    first: bool,
    since: Option<Instant>,
    /// Looks since then.
    looks: u32,
    /// A byte of the head is there.
    begun: bool,
    watchdog: Watchdog,
}

impl HeadWait {
    /// The first wait begins at once.
    pub(super) fn new(connections: Arc<Connections>, waits: Waits) -> Self {
        HeadWait {
            connections,
            waits,
            first: true,
            since: Some(Instant::now()),
            looks: 0,
            begun: false,
            watchdog: Watchdog::default(),
        }
    }

    /// A new wait begins with the next look.
    pub(super) fn reset(&mut self) {
        self.since = None;
        self.looks = 0;
        self.begun = false;
        self.first = false;
    }

    /// Bytes of the head have come. The first head is timed from the connection's start, others
    /// from their first byte.
    pub(super) fn begin(&mut self) {
        if !self.begun && !self.first {
            self.since = None;
            self.looks = 0;
        }
        self.begun = true;
    }

    /// Ready with an error once the wait is too long.
    pub(super) fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let since = *self.since.get_or_insert_with(Instant::now);
        loop {
            let limit = match (self.begun, self.first) {
                (true, _) => self.waits.head,
                (false, true) => self.connections.idle(self.waits.head),
                (false, false) => self.connections.idle(self.waits.keep_alive),
            };
            let look = LOOK.saturating_mul(self.looks + 1);
            let due = since + limit.min(look);
            match self.watchdog.poll_expired(cx, due) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if look < limit => self.looks += 1,
                Poll::Ready(()) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            }
        }
    }
}
