//! The caller's connection, with bounds on how long it may keep us waiting.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::accept::Transport;
use crate::overload::Connections;
use crate::watchdog::Watchdog;

pub(crate) mod frames;
mod idle;
pub(crate) mod scan;

use idle::HeadWait;

/// What an HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

use frames::Frames;
use scan::HeadScan;

/// The caller's connection. A caller that does not send the whole head of a request in time, or
/// takes no byte of a response for too long, is cut off: it cannot hold a connection or a slot for
/// ever.
///
/// hyper could time the heads too, but sets and removes a timer for every request; this one stays
/// where it is and is looked at when it fires.
pub(crate) struct CallerIo {
    stream: Transport,
    /// What was read to find out the protocol.
    sniffed: Sniffed,
    turns: Arc<Turns>,
    head: HeadWait,
    /// The turn that the wait for the head began in.
    turn: u64,
    scan: HeadScan,
    /// Over HTTP/2 only.
    frames: Option<Box<Frames>>,
    /// For the next piece of a response to be taken.
    write: Patience,
}

/// The first bytes of a connection, until they are read once more.
#[derive(Default)]
struct Sniffed {
    bytes: [u8; PREFACE.len()],
    from: usize,
    to: usize,
}

/// How long a caller may keep us waiting.
#[derive(Clone, Copy)]
pub(crate) struct Waits {
    /// For the whole head of a request, from its first byte or the connection's start.
    pub(crate) head: Duration,
    /// For the next request to begin.
    pub(crate) keep_alive: Duration,
    /// For the next piece of a response to be taken.
    pub(crate) write: Duration,
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

impl Turns {
    /// A request is there: our turn, with the timer of the former one.
    pub(crate) fn take(&self) -> Watchdog {
        self.count.fetch_add(1, Ordering::Relaxed);
        std::mem::take(&mut *self.lock())
    }

    /// Our turn is over.
    pub(crate) fn give_back(&self, watchdog: Watchdog) {
        *self.lock() = watchdog;
        self.count.fetch_add(1, Ordering::Relaxed);
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
    /// The first head must be there within `waits.head` from now. Idle ones are closed sooner while
    /// there are many `connections`.
    pub(crate) fn new(
        stream: Transport,
        turns: Arc<Turns>,
        connections: Arc<Connections>,
        waits: Waits,
    ) -> Self {
        CallerIo {
            stream,
            sniffed: Sniffed::default(),
            turns,
            head: HeadWait::new(connections, waits),
            turn: 0,
            scan: HeadScan::default(),
            frames: None,
            write: Patience::new(waits.write),
        }
    }

    /// True if the caller begins to speak HTTP/2 without having asked (RFC 9113 section 3.3). What
    /// was read is read again.
    ///
    /// # Errors
    /// If the caller leaves or sends nothing for too long.
    pub(crate) async fn speaks_http2(&mut self) -> io::Result<bool> {
        poll_fn(|cx| {
            loop {
                let Sniffed { bytes, to, .. } = &mut self.sniffed;
                if bytes[..*to] != PREFACE[..*to] {
                    return Poll::Ready(Ok(false));
                }
                if *to == PREFACE.len() {
                    return Poll::Ready(Ok(true));
                }
                let mut buf = ReadBuf::new(&mut bytes[*to..]);
                if Pin::new(&mut self.stream)
                    .poll_read(cx, &mut buf)?
                    .is_pending()
                {
                    return self.head.poll(cx);
                }
                if buf.filled().is_empty() {
                    // hyper sees the end once more.
                    return Poll::Ready(Ok(false));
                }
                *to += buf.filled().len();
            }
        })
        .await
    }

    /// The caller speaks HTTP/2, where other clocks than those of single heads run. It is cut off
    /// if more than `control_frames` come in ten seconds that carry nothing.
    pub(crate) fn set_http2(&mut self, control_frames: u32) {
        self.turns.count.store(1, Ordering::Relaxed);
        self.frames = Some(Box::new(Frames::new(control_frames, Instant::now())));
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

    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Ok(count)), Some(frames)) = (&result, &mut self.frames) {
            frames.earn(*count);
        }
        self.watch(cx, result)
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
        let result = if this.sniffed.is_empty() {
            Pin::new(&mut this.stream).poll_read(cx, buf)
        } else {
            this.sniffed.read(buf);
            Poll::Ready(Ok(()))
        };
        let turn = this.turns.count.load(Ordering::Relaxed);
        if turn % 2 == 1 {
            let read = &buf.filled()[before..];
            let fed = this.frames.as_mut().is_none_or(|frames| frames.feed(read));
            if !fed {
                let error = io::Error::other("the caller floods the connection with frames");
                return Poll::Ready(Err(error));
            }
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

impl Sniffed {
    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let count = (self.to - self.from).min(buf.remaining());
        buf.put_slice(&self.bytes[self.from..self.from + count]);
        self.from += count;
    }
}

impl AsyncWrite for CallerIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes more than it can send at once, and the rest waits here.
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, result)
    }
}
