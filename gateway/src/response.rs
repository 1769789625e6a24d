//! The body of a response; the lease travels with it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use stoker_scaler::Lease;

use crate::health;
use crate::http2::Streams;
use crate::link::OurTurn;
use crate::metrics::Record;
use crate::upstream::{Connection, Exchange, ExchangeError};
use crate::watchdog::Watchdog;

/// The body of a response. With it ends our turn on the caller's connection.
pub(crate) struct ResponseBody {
    kind: Kind,
    /// Goes on in the tunnel if the protocol was switched.
    turn: Option<OurTurn>,
}

enum Kind {
    /// Of the gateway's own making, or empty.
    Full(Bytes),
    /// Streamed from an instance.
    Transfer(Box<Transfer>),
    /// The same, on a connection whose other requests must not be held up with it.
    Shared(Arc<Shared>),
    Ended,
}

/// A body on its way, which can be cut off from outside when its caller takes nothing.
pub(crate) struct Shared {
    streams: Arc<Streams>,
    watched: Mutex<Watched>,
}

struct Watched {
    transfer: Option<Box<Transfer>>,
    /// It was cut off.
    cut: bool,
    /// Since when it is the caller's to take something.
    offered: Option<Instant>,
}

/// A body on its way from an instance. However it ends, dropping it gives the slot back.
pub(crate) struct Transfer {
    pub(crate) exchange: Exchange,
    pub(crate) lease: Lease<Connection>,
    pub(crate) record: Record,
    /// Without a byte in either direction.
    pub(crate) idle: Duration,
    /// When all must be over.
    pub(crate) deadline: Instant,
    /// For streams: ready when the gateway or the instance is to end and the grace for that is
    /// over.
    pub(crate) drained: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

/// Why a body ended early; the caller sees its connection closed.
#[derive(Debug)]
pub(crate) enum TransferError {
    /// On the function's side, or in the caller's own body.
    Exchange(ExchangeError),
    /// Nothing moved for too long.
    Idle,
    /// The request took too long.
    Total,
    /// The caller took nothing for too long.
    Stalled,
    /// The gateway or the instance ends.
    Drained,
}

impl ResponseBody {
    /// A body that is at hand.
    pub(crate) fn full(data: Bytes, turn: OurTurn) -> Self {
        let kind = if data.is_empty() {
            Kind::Ended
        } else {
            Kind::Full(data)
        };
        ResponseBody {
            kind,
            turn: Some(turn),
        }
    }

    /// No body: another protocol follows.
    pub(crate) fn switched() -> Self {
        ResponseBody {
            kind: Kind::Ended,
            turn: None,
        }
    }

    /// A body that is streamed from an instance.
    pub(crate) fn transfer(transfer: Box<Transfer>, turn: OurTurn) -> Self {
        let kind = if transfer.exchange.is_over() {
            transfer.finish();
            Kind::Ended
        } else if let Some(streams) = turn.streams() {
            let shared = Arc::new(Shared {
                streams: Arc::clone(streams),
                watched: Mutex::new(Watched {
                    transfer: Some(transfer),
                    cut: false,
                    offered: Some(Instant::now()),
                }),
            });
            streams.watch(&shared);
            Kind::Shared(shared)
        } else {
            Kind::Transfer(transfer)
        };
        ResponseBody {
            kind,
            turn: Some(turn),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = TransferError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransferError>>> {
        let this = &mut *self;
        let Some(OurTurn {
            watchdog, place, ..
        }) = &mut this.turn
        else {
            return Poll::Ready(None);
        };
        let answer = match &mut this.kind {
            Kind::Ended => return Poll::Ready(None),
            Kind::Full(data) => {
                let data = std::mem::take(data);
                this.kind = Kind::Ended;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Kind::Shared(shared) => shared.poll_frame(cx, watchdog),
            Kind::Transfer(transfer) => transfer.poll_frame(cx, watchdog),
        };
        let Poll::Ready((frame, over)) = answer else {
            return Poll::Pending;
        };
        if over {
            drop(place.take());
        }
        if over && let Kind::Transfer(transfer) = std::mem::replace(&mut this.kind, Kind::Ended) {
            transfer.end(frame.as_ref());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ended => SizeHint::with_exact(0),
            Kind::Full(data) => SizeHint::with_exact(data.len() as u64),
            Kind::Transfer(transfer) => transfer.exchange.size_hint(),
            Kind::Shared(shared) => shared.size_hint(),
        }
    }
}

/// A frame, the end, or an error; and whether nothing follows.
type Piece = (Option<Result<Frame<Bytes>, TransferError>>, bool);

impl Shared {
    fn poll_frame(&self, cx: &mut Context<'_>, watchdog: &mut Watchdog) -> Poll<Piece> {
        let mut watched = self.watched.lock();
        let offered = watched.offered.is_some();
        let Some(transfer) = &mut watched.transfer else {
            return Poll::Ready((Some(Err(TransferError::Stalled)), true));
        };
        let answer = transfer.poll_frame(cx, watchdog);
        let now = Instant::now();
        if offered {
            // hyper comes back for more only when there is room.
            self.streams.took(now);
        }
        watched.offered = answer.is_ready().then_some(now);
        if let Poll::Ready((frame, true)) = &answer
            && let Some(transfer) = watched.transfer.take()
        {
            drop(watched);
            transfer.end(frame.as_ref());
        }
        answer
    }

    fn size_hint(&self) -> SizeHint {
        let watched = self.watched.lock();
        let transfer = watched.transfer.as_ref();
        transfer.map_or_else(SizeHint::new, |transfer| transfer.exchange.size_hint())
    }

    /// Gives the slot back if the caller has taken nothing for `patience`. The caller finds the
    /// stream reset when it comes back to it. True if so.
    pub(crate) fn cut_if_stalled(&self, now: Instant, patience: Duration) -> bool {
        let mut watched = self.watched.lock();
        let stalled = watched
            .offered
            .is_some_and(|since| now.saturating_duration_since(since) >= patience);
        if stalled && let Some(transfer) = watched.transfer.take() {
            watched.cut = true;
            drop(watched);
            transfer.fail(&TransferError::Stalled);
            return true;
        }
        false
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.watched.get_mut().cut {
            self.streams.forget_cut();
        }
    }
}

impl Transfer {
    fn poll_frame(&mut self, cx: &mut Context<'_>, watchdog: &mut Watchdog) -> Poll<Piece> {
        if let Poll::Ready(piece) = self.exchange.poll_body(cx) {
            if let Some(Ok(frame)) = &piece
                && let Some(data) = frame.data_ref()
            {
                self.record.add_bytes(data.len());
            }
            self.record.set_request_bytes(self.exchange.request_bytes());
            let over = !matches!(piece, Some(Ok(_))) || self.exchange.is_over();
            let piece = piece.map(|piece| piece.map_err(TransferError::Exchange));
            return Poll::Ready((piece, over));
        }
        if let Some(drained) = &mut self.drained
            && drained.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready((Some(Err(TransferError::Drained)), true));
        }
        let idle = self.exchange.last_progress() + self.idle;
        let due = idle.min(self.deadline);
        watchdog.poll_expired(cx, due).map(|()| {
            let error = if due == self.deadline {
                TransferError::Total
            } else {
                TransferError::Idle
            };
            (Some(Err(error)), true)
        })
    }

    /// Reads the rest, for nobody.
    pub(crate) async fn read_out(mut self: Box<Self>, watchdog: &mut Watchdog) {
        if self.exchange.is_over() {
            return self.finish();
        }
        loop {
            let (frame, over) = poll_fn(|cx| self.poll_frame(cx, watchdog)).await;
            if over {
                return self.end(frame.as_ref());
            }
        }
    }

    fn end(self: Box<Self>, last: Option<&Result<Frame<Bytes>, TransferError>>) {
        match last {
            Some(Err(error)) => self.fail(error),
            _ => self.finish(),
        }
    }

    fn finish(self: Box<Self>) {
        let Transfer {
            exchange,
            lease,
            mut record,
            ..
        } = *self;
        record.set_request_bytes(exchange.request_bytes());
        record.complete();
        if let Some(connection) = exchange.into_reusable(Instant::now()) {
            lease.keep_connection(connection);
        }
    }

    fn fail(mut self: Box<Self>, error: &TransferError) {
        self.record.cut_short();
        if let TransferError::Exchange(error) = error
            && health::blames_instance(error)
        {
            self.lease.failed();
        }
        let function = self.record.function();
        eprintln!("stoker: {function}: the response was cut short: {error}");
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransferError::Exchange(error) => error.fmt(f),
            TransferError::Idle => f.write_str("no byte moved within the idle timeout"),
            TransferError::Total => f.write_str("it took longer than the total timeout"),
            TransferError::Stalled => f.write_str("the caller took nothing for too long"),
            TransferError::Drained => f.write_str("its grace was over when it had to drain"),
        }
    }
}

impl std::error::Error for TransferError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TransferError::Exchange(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}
