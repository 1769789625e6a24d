//! The caller's connection, with bounds on how long it may keep us waiting.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::overload::Connections;
use crate::watchdog::Watchdog;

mod idle;
mod scan;

use idle::HeadWait;
use scan::HeadScan;

/// The caller's connection. A caller that does not send the whole head of a request in time, or
/// takes no byte of a response for too long, is cut off: it cannot hold a connection or a slot for
/// ever.
///
/// hyper could time the heads too, but sets and removes a timer for every request; this one stays
/// where it is and is looked at when it fires.
pub(crate) struct CallerIo {
    stream: Stream,
    turns: Arc<Turns>,
    head: HeadWait,
    /// The turn that the wait for the head began in.
    turn: u64,
    scan: HeadScan,
    /// For the next piece of a response to be taken.
    write: Patience,
}

/// A wait that is bounded.
struct Patience {
    limit: Duration,
    since: Option<Instant>,
    watchdog: Watchdog,
}

/// Whose turn it is on a connection.
#[derive(Default)]
pub(crate) struct Turns {
    /// Even: the caller's; odd: ours.
    count: AtomicU64,
    /// The head that began this turn had both a length and a coding.
    both: AtomicBool,
    /// The timer of our turns while it is the caller's.
    watchdog: Mutex<Watchdog>,
}

/// Our turn, over when this is dropped.
pub(crate) struct OurTurn {
    turns: Arc<Turns>,
    /// Watches over the request's deadlines. It stays armed from turn to turn, so that most
    /// requests set no timer.
    pub(crate) watchdog: Watchdog,
}

impl Turns {
    /// A request is there.
    pub(crate) fn take(self: &Arc<Self>) -> OurTurn {
        self.count.fetch_add(1, Ordering::Relaxed);
        let watchdog = std::mem::take(&mut *self.lock());
        OurTurn {
            turns: Arc::clone(self),
            watchdog,
        }
    }

    /// True if the head of the current request had both a length and a transfer coding. hyper takes
    /// the length away before anybody can see it.
    pub(crate) fn has_both(&self) -> bool {
        self.both.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Watchdog> {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OurTurn {
    fn drop(&mut self) {
        *self.turns.lock() = std::mem::take(&mut self.watchdog);
        self.turns.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Patience {
            limit,
            since: None,
            watchdog: Watchdog::default(),
        }
    }

    /// Ready with an error once the wait, which begins now if it did not before, is too long.
    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let expired = self.watchdog.poll_expired(cx, since + self.limit);
        expired.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl CallerIo {
    /// `head` is for the whole head of a request, from the connection's start or the end of the
    /// last response, and less while there are many `connections`; `write` for the next piece of a
    /// response to be taken.
    pub(crate) fn new(
        stream: Stream,
        turns: Arc<Turns>,
        connections: Arc<Connections>,
        (head, write): (Duration, Duration),
    ) -> Self {
        CallerIo {
            stream,
            turns,
            head: HeadWait::new(connections, head),
            turn: 0,
            scan: HeadScan::default(),
            write: Patience::new(write),
        }
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write.since = None;
            return result;
        }
        self.write.poll(cx)
    }
}

impl AsyncRead for CallerIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        let turn = this.turns.count.load(Ordering::Relaxed);
        if turn % 2 == 1 {
            return result;
        }
        if turn != this.turn {
            this.turn = turn;
            this.head.reset();
            this.scan = HeadScan::default();
        }
        if result.is_pending() {
            return this.head.poll(cx);
        }
        this.head.begin();
        this.scan.feed(&buf.filled()[before..]);
        this.turns
            .both
            .store(this.scan.has_both(), Ordering::Relaxed);
        result
    }
}

impl AsyncWrite for CallerIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, result)
    }
}
