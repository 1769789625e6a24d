//! One request and its answer on one connection, whatever HTTP the instance speaks.

use std::error::Error;
use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::Method;
use http_body::{Frame, SizeHint};

use super::{Connection, Framing, ResponseHead, Socket, http1, http2};
use crate::body::{BodyError, RequestBody};

/// The head of a request as the function is to see it.
#[derive(Clone)]
pub(crate) enum Head {
    /// Encoded for HTTP/1.1.
    Http1 {
        /// The bytes.
        bytes: BytesMut,
        /// The caller asked for another protocol.
        upgrade: bool,
    },
    /// For HTTP/2.
    Http2(Box<http::Request<()>>),
}

/// One request and its answer. Request and response stream independently.
#[expect(
    clippy::large_enum_variant,
    reason = "the common variant is kept in place, without an allocation"
)]
pub(crate) enum Exchange {
    Http1(http1::Exchange),
    Http2(Box<http2::Exchange>),
}

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// The connection failed before the whole answer came.
    Lost(io::Error),
    /// The instance gave the request up, or its connection did, in HTTP/2's own terms.
    Reset(h2::Error),
    /// The answer is not HTTP.
    Invalid(String),
    /// The caller's body failed.
    Caller(BodyError),
}

impl Exchange {
    /// A request to be sent. `None` if the connection does not speak what `head` is for, which
    /// cannot be as both follow the function's contract.
    pub(crate) fn new(
        connection: Connection,
        head: Head,
        body: RequestBody,
        framing: Framing,
        now: Instant,
    ) -> Option<Self> {
        match (connection, head) {
            (Connection::Http1(socket), Head::Http1 { bytes, upgrade }) => Some(Exchange::Http1(
                http1::Exchange::new(socket, (bytes, upgrade), body, framing, now),
            )),
            (Connection::Http2(client), Head::Http2(head)) => Some(Exchange::Http2(Box::new(
                http2::Exchange::new(client, head, body, framing, now),
            ))),
            _ => None,
        }
    }

    /// True while the instance cannot have seen anything of the request, or says so.
    pub(crate) fn is_unsent(&self) -> bool {
        match self {
            Exchange::Http1(exchange) => exchange.is_unsent(),
            Exchange::Http2(exchange) => exchange.is_unsent(),
        }
    }

    /// Takes the request, which is unsent, to another connection of the same kind.
    pub(crate) fn retarget(&mut self, connection: Connection) {
        match (self, connection) {
            (Exchange::Http1(exchange), Connection::Http1(socket)) => exchange.retarget(socket),
            (Exchange::Http2(exchange), Connection::Http2(client)) => exchange.retarget(client),
            _ => debug_assert!(false, "an exchange keeps its protocol"),
        }
    }

    /// Takes the request, of whose answer nothing was passed on, to another connection of the same
    /// kind from its beginning. The body must be one that can be handed out again.
    pub(crate) fn restart(&mut self, connection: Connection, head: Head, framing: Framing) {
        match (self, connection, head) {
            (Exchange::Http1(exchange), Connection::Http1(socket), Head::Http1 { bytes, .. }) => {
                exchange.restart(socket, bytes, framing)
            }
            (Exchange::Http2(exchange), Connection::Http2(client), Head::Http2(head)) => {
                exchange.restart(client, head, framing);
            }
            _ => debug_assert!(false, "an exchange keeps its protocol"),
        }
    }

    /// The caller's body, while the request waits once more.
    pub(crate) fn body_mut(&mut self) -> &mut RequestBody {
        match self {
            Exchange::Http1(exchange) => exchange.body_mut(),
            Exchange::Http2(exchange) => exchange.body_mut(),
        }
    }

    /// Bytes of the caller's body that came in so far.
    pub(crate) fn request_bytes(&self) -> u64 {
        match self {
            Exchange::Http1(exchange) => exchange.body().seen(),
            Exchange::Http2(exchange) => exchange.body().seen(),
        }
    }

    /// When a byte last went either way.
    pub(crate) fn last_progress(&self) -> Instant {
        match self {
            Exchange::Http1(exchange) => exchange.last_progress(),
            Exchange::Http2(exchange) => exchange.last_progress(),
        }
    }

    /// True when the whole request was written.
    pub(crate) fn is_sent(&self) -> bool {
        match self {
            Exchange::Http1(exchange) => exchange.is_sent(),
            Exchange::Http2(exchange) => exchange.is_sent(),
        }
    }

    /// Sends the request as far as it goes and reads the head of the answer, of at most `limit`
    /// bytes.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        limit: usize,
    ) -> Poll<Result<ResponseHead, ExchangeError>> {
        match self {
            Exchange::Http1(exchange) => exchange.poll_head(cx, method, limit),
            Exchange::Http2(exchange) => exchange.poll_head(cx, method),
        }
    }

    /// The next piece of the answer's body, or its trailers; `None` at its end.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        match self {
            Exchange::Http1(exchange) => exchange.poll_body(cx),
            Exchange::Http2(exchange) => exchange.poll_body(cx),
        }
    }

    /// True when nothing of the answer is still to come.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Exchange::Http1(exchange) => exchange.remaining() == Some(0),
            Exchange::Http2(exchange) => exchange.is_over(),
        }
    }

    /// Bytes of the answer's body that are still to come, as far as that is known.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let remaining = match self {
            Exchange::Http1(exchange) => exchange.remaining(),
            Exchange::Http2(exchange) => exchange.remaining(),
        };
        remaining.map_or_else(SizeHint::new, SizeHint::with_exact)
    }

    /// The connection, if another request may follow on it.
    pub(crate) fn into_reusable(self, now: Instant) -> Option<Connection> {
        match self {
            Exchange::Http1(exchange) => exchange.into_reusable(now).map(Connection::Http1),
            Exchange::Http2(exchange) => exchange.into_reusable().map(Connection::Http2),
        }
    }

    /// The byte stream, once the instance has switched protocols on it.
    pub(crate) fn into_socket(self) -> Option<Socket> {
        match self {
            Exchange::Http1(exchange) => Some(exchange.into_socket()),
            Exchange::Http2(_) => None,
        }
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeError::Lost(error) => error.fmt(f),
            ExchangeError::Reset(error) => error.fmt(f),
            ExchangeError::Invalid(cause) => cause.fmt(f),
            ExchangeError::Caller(error) => error.fmt(f),
        }
    }
}

impl Error for ExchangeError {
    /// Only what HTTP/2 can tell the caller, which hyper looks for.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ExchangeError::Reset(error) => Some(error),
            _ => None,
        }
    }
}
