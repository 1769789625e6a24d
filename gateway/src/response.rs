//! The body of a response; the lease travels with it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use stoker_scaler::Lease;

use crate::health;
use crate::io::OurTurn;
use crate::metrics::Record;
use crate::upstream::{Connection, Exchange, ExchangeError};
use crate::watchdog::Watchdog;

/// The body of a response. With it ends our turn on the caller's connection.
pub(crate) struct ResponseBody {
    kind: Kind,
    turn: OurTurn,
}

enum Kind {
    /// Of the gateway's own making, or empty.
    Full(Bytes),
    /// Streamed from an instance.
    Transfer(Box<Transfer>),
    Ended,
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
}

impl ResponseBody {
    /// A body that is at hand.
    pub(crate) fn full(data: Bytes, turn: OurTurn) -> Self {
        let kind = if data.is_empty() {
            Kind::Ended
        } else {
            Kind::Full(data)
        };
        ResponseBody { kind, turn }
    }

    /// A body that is streamed from an instance.
    pub(crate) fn transfer(transfer: Box<Transfer>, turn: OurTurn) -> Self {
        if transfer.exchange.remaining() == Some(0) {
            transfer.finish();
            return ResponseBody {
                kind: Kind::Ended,
                turn,
            };
        }
        ResponseBody {
            kind: Kind::Transfer(transfer),
            turn,
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
        let (answer, over) = match &mut this.kind {
            Kind::Ended => return Poll::Ready(None),
            Kind::Full(data) => (
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
                true,
            ),
            Kind::Transfer(transfer) => {
                let answer = transfer.poll_data(cx, &mut this.turn.watchdog);
                let over = match &answer {
                    Poll::Pending => false,
                    Poll::Ready(Some(Ok(_))) => transfer.exchange.remaining() == Some(0),
                    Poll::Ready(_) => true,
                };
                (answer.map_ok(Frame::data), over)
            }
        };
        if over && let Kind::Transfer(transfer) = std::mem::replace(&mut this.kind, Kind::Ended) {
            match &answer {
                Poll::Ready(Some(Err(error))) => transfer.fail(error),
                _ => transfer.finish(),
            }
        }
        answer
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ended => SizeHint::with_exact(0),
            Kind::Full(data) => SizeHint::with_exact(data.len() as u64),
            Kind::Transfer(transfer) => transfer
                .exchange
                .remaining()
                .map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl Transfer {
    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        watchdog: &mut Watchdog,
    ) -> Poll<Option<Result<Bytes, TransferError>>> {
        if let Poll::Ready(piece) = self.exchange.poll_body(cx) {
            if let Some(Ok(data)) = &piece {
                self.record.add_bytes(data.len());
            }
            return Poll::Ready(piece.map(|piece| piece.map_err(TransferError::Exchange)));
        }
        let idle = self.exchange.last_progress() + self.idle;
        let due = idle.min(self.deadline);
        watchdog.poll_expired(cx, due).map(|()| {
            Some(Err(if due == self.deadline {
                TransferError::Total
            } else {
                TransferError::Idle
            }))
        })
    }

    fn finish(self: Box<Self>) {
        let Transfer {
            exchange,
            lease,
            mut record,
            ..
        } = *self;
        record.complete();
        if let Some(connection) = exchange.into_reusable(Instant::now()) {
            lease.keep_connection(connection);
        }
    }

    fn fail(mut self: Box<Self>, error: &TransferError) {
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
            TransferError::Exchange(ExchangeError::Lost(error)) => error.fmt(f),
            TransferError::Exchange(ExchangeError::Invalid(cause)) => cause.fmt(f),
            TransferError::Exchange(ExchangeError::Caller(error)) => error.fmt(f),
            TransferError::Idle => f.write_str("no byte moved within the idle timeout"),
            TransferError::Total => f.write_str("it took longer than the total timeout"),
        }
    }
}

impl std::error::Error for TransferError {}
