//! An upgraded connection: bytes both ways until either side ends it.

pub(crate) mod frames;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hyper_util::rt::TokioIo;
use stoker_scaler::Lease;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::link::OurTurn;
use crate::metrics::Record;
use crate::overload::Open;
use crate::upstream::{Connection, Socket};
use crate::watchdog::Watchdog;

use frames::{Frames, GOING_AWAY};

/// Read at once; the buffer is on the stack, so that an idle tunnel holds none.
const READ_BYTES: usize = 16 * 1024;

/// Ready when the gateway or the instance is to end.
pub(crate) type Drain = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What a tunnel needs to run. It holds its slot until it ends.
pub(crate) struct Tunnel {
    pub(crate) lease: Lease<Connection>,
    pub(crate) record: Record,
    pub(crate) turn: OurTurn,
    pub(crate) open: Arc<Open>,
    /// The protocol is WebSocket, which can be told to end.
    pub(crate) websocket: bool,
    /// Without a byte in either direction.
    pub(crate) idle: Duration,
    /// When all must be over.
    pub(crate) deadline: Instant,
    pub(crate) drain: Drain,
    /// From the drain to the end.
    pub(crate) grace: Duration,
}

impl Tunnel {
    /// Carries bytes until both sides have ended, or one broke, or a limit is reached.
    pub(crate) async fn run(mut self, caller: hyper::upgrade::OnUpgrade, mut function: Socket) {
        let Ok(upgraded) = caller.await else {
            return;
        };
        let mut caller = TokioIo::new(upgraded);
        let mut to_caller = Direction::new(std::mem::take(&mut function.read));
        to_caller.frames = self.websocket.then(Frames::default);
        let mut to_function = Direction::new(BytesMut::new());
        let mut idle = Watchdog::default();
        let mut last_progress = Instant::now();
        let mut drained = false;
        poll_fn(|cx| {
            let down = to_caller.poll(cx, &mut function, &mut caller);
            let up = to_function.poll(cx, &mut caller, &mut function);
            if to_caller.take_moved() | to_function.take_moved() {
                last_progress = Instant::now();
            }
            match (down, up) {
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(()),
                (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready(()),
                _ => {}
            }
            if !drained && self.drain.as_mut().poll(cx).is_ready() {
                drained = true;
                self.deadline = self.deadline.min(Instant::now() + self.grace);
                to_caller.closing = true;
                // Once more, for the close frame may go out at once.
                cx.waker().wake_by_ref();
            }
            let due = self.deadline.min(last_progress + self.idle);
            idle.poll_expired(cx, due)
        })
        .await;
        let bytes = to_caller.bytes;
        self.record
            .add_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.record.complete();
        let Tunnel {
            lease, turn, open, ..
        } = self;
        drop((lease, turn, open));
    }
}

/// One way through the tunnel.
struct Direction {
    /// Read and not yet taken by the other side.
    pending: BytesMut,
    state: State,
    /// Where the frames end, if they are to be known.
    frames: Option<Frames>,
    /// The reader is to be told that the end has come, as soon as a frame is whole.
    closing: bool,
    /// It was told: nothing more is passed on.
    closed: bool,
    moved: bool,
    bytes: u64,
}

#[derive(PartialEq)]
enum State {
    Open,
    /// The sender ended; the reader is yet to be told.
    Ending,
    Ended,
}

impl Direction {
    fn new(mut pending: BytesMut) -> Self {
        let pending = pending.split();
        Direction {
            pending,
            state: State::Open,
            frames: None,
            closing: false,
            closed: false,
            moved: false,
            bytes: 0,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        // What came with the switch of protocols was not looked at yet.
        if self.bytes == 0 && !self.pending.is_empty() {
            let first = self.pending.split();
            self.take(&first);
        }
        loop {
            self.close_if_due();
            while !self.pending.is_empty() {
                let count = std::task::ready!(Pin::new(&mut *to).poll_write(cx, &self.pending))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.pending.advance(count);
                self.moved = true;
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    std::task::ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Ended;
                    continue;
                }
                State::Open => {}
            }
            // hyper keeps what is written to it until it is flushed.
            let flushed = Pin::new(&mut *to).poll_flush(cx)?;
            let mut room = [std::mem::MaybeUninit::uninit(); READ_BYTES];
            let mut buf = ReadBuf::uninit(&mut room);
            match Pin::new(&mut *from).poll_read(cx, &mut buf)? {
                Poll::Pending => {
                    std::task::ready!(flushed);
                    return Poll::Pending;
                }
                Poll::Ready(()) if buf.filled().is_empty() => self.state = State::Ending,
                Poll::Ready(()) => {
                    self.moved = true;
                    self.take(buf.filled());
                }
            }
        }
    }

    /// Takes what was read, unless the reader was told that nothing more comes.
    fn take(&mut self, mut data: &[u8]) {
        self.bytes += data.len() as u64;
        while !data.is_empty() && !self.closed {
            let whole = match &mut self.frames {
                // Up to the end of a frame, where the close frame may go in.
                Some(frames) if self.closing => frames.feed_one(data),
                Some(frames) => frames.feed(data),
                None => data.len(),
            };
            self.pending.extend_from_slice(&data[..whole]);
            data = &data[whole..];
            self.close_if_due();
        }
    }

    fn close_if_due(&mut self) {
        let due = self.closing && !self.closed;
        if due && self.frames.as_ref().is_some_and(Frames::is_between) {
            self.pending.extend_from_slice(&GOING_AWAY);
            self.closed = true;
        }
    }

    fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }
}
