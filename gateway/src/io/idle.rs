//! How long a caller's connection may be idle.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::overload::Connections;
use crate::watchdog::Watchdog;

/// An idle connection is looked at this often, for what it may take depends on how many there are.
const LOOK: Duration = Duration::from_secs(1);

/// The wait for the head of a request. It is bounded by a fixed time; before the first byte of the
/// head also by how many connections there are.
pub(super) struct HeadWait {
    connections: Arc<Connections>,
    limit: Duration,
    since: Option<Instant>,
    /// Looks since then.
    looks: u32,
    /// A byte of the head is there.
    begun: bool,
    watchdog: Watchdog,
}

impl HeadWait {
    pub(super) fn new(connections: Arc<Connections>, limit: Duration) -> Self {
        HeadWait {
            connections,
            limit,
            since: None,
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
    }

    /// Bytes of the head have come.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// Ready with an error once the wait is too long.
    pub(super) fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let since = *self.since.get_or_insert_with(Instant::now);
        loop {
            let limit = match self.begun {
                true => self.limit,
                false => self.connections.idle(self.limit),
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
