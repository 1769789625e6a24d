//! One request and its answer on one connection.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use http::Method;

use super::chunked::{Decoded, Decoder};
use super::{Connection, Framing, ResponseHead};
use crate::body::{BodyError, RequestBody};

/// Pieces of a body up to this size are copied behind the head, so that both go in one write.
const COALESCE_BYTES: usize = 8 * 1024;
/// Room for the head of a response and a small body.
const HEAD_ROOM: usize = 4 * 1024;
/// Room for one piece of a large body.
const BODY_ROOM: usize = 64 * 1024;

/// One request and its answer on one connection. Request and response stream independently.
pub(crate) struct Exchange {
    connection: Connection,
    /// Encoded and not yet written.
    out: BytesMut,
    /// A large piece of the body, to be written after `out`.
    piece: Bytes,
    /// The piece is a chunk whose line break is still to come.
    piece_is_chunk: bool,
    body: RequestBody,
    framing: Framing,
    /// Bytes that the kernel took.
    written: u64,
    /// Why writing ended early. The function may have answered without reading everything.
    broken: Option<io::Error>,
    response: Framing,
    decoder: Decoder,
    reusable: bool,
    last_progress: Instant,
}

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// The connection failed before the whole answer came.
    Lost(io::Error),
    /// The answer is not HTTP.
    Invalid(String),
    /// The caller's body failed.
    Caller(BodyError),
}

impl Exchange {
    /// A request whose encoded head is `head`.
    pub(crate) fn new(
        connection: Connection,
        head: BytesMut,
        body: RequestBody,
        framing: Framing,
        now: Instant,
    ) -> Self {
        Exchange {
            connection,
            out: head,
            piece: Bytes::new(),
            piece_is_chunk: false,
            body,
            framing,
            written: 0,
            broken: None,
            response: Framing::None,
            decoder: Decoder::default(),
            reusable: false,
            last_progress: now,
        }
    }

    /// True while the instance cannot have seen anything of the request.
    pub(crate) fn is_unsent(&self) -> bool {
        self.written == 0
    }

    /// Takes the request, of which nothing was written, to another connection.
    pub(crate) fn retarget(&mut self, connection: Connection) {
        debug_assert!(self.is_unsent(), "a request is never repeated");
        self.connection = connection;
        self.broken = None;
    }

    /// Takes the request, of whose answer nothing was passed on, to another connection from its
    /// beginning. The body must be one that can be handed out again.
    pub(crate) fn restart(&mut self, connection: Connection, head: BytesMut, framing: Framing) {
        self.body.rewind();
        self.connection = connection;
        self.out = head;
        self.piece = Bytes::new();
        self.piece_is_chunk = false;
        self.framing = framing;
        self.written = 0;
        self.broken = None;
        self.last_progress = Instant::now();
    }

    /// The caller's body, while the request waits once more.
    pub(crate) fn body_mut(&mut self) -> &mut RequestBody {
        &mut self.body
    }

    /// When a byte last went either way.
    pub(crate) fn last_progress(&self) -> Instant {
        self.last_progress
    }

    /// True when the whole request was written.
    pub(crate) fn is_sent(&self) -> bool {
        self.framing == Framing::None && self.out.is_empty() && self.piece.is_empty()
    }

    /// Sends the request as far as it goes and reads the head of the answer.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        limit: usize,
    ) -> Poll<Result<ResponseHead, ExchangeError>> {
        self.poll_send(cx)?;
        loop {
            let parsed = ResponseHead::parse(&mut self.connection.read, method);
            if let Some(head) = parsed.map_err(ExchangeError::Invalid)? {
                self.response = head.framing;
                self.reusable = head.reusable;
                return Poll::Ready(Ok(head));
            }
            if self.connection.read.len() >= limit {
                let cause = format!("the head of its response is longer than {limit} bytes");
                return Poll::Ready(Err(ExchangeError::Invalid(cause)));
            }
            match ready!(self.poll_read(cx, HEAD_ROOM)) {
                Ok(0) => return Poll::Ready(Err(ExchangeError::Lost(self.end_of_stream()))),
                Ok(_) => {}
                Err(error) => {
                    let error = self.broken.take().unwrap_or(error);
                    return Poll::Ready(Err(ExchangeError::Lost(error)));
                }
            }
        }
    }

    /// The next piece of the answer's body; `None` at its end.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        self.poll_send(cx)?;
        loop {
            match self.decode() {
                Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::NeedMore) => {}
                Err(cause) => return Poll::Ready(Some(Err(ExchangeError::Invalid(cause.into())))),
            }
            match ready!(self.poll_read(cx, BODY_ROOM)) {
                Ok(0) if self.response == Framing::Close => {
                    self.response = Framing::None;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(ExchangeError::Lost(self.end_of_stream())))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(ExchangeError::Lost(error)))),
            }
        }
    }

    /// Bytes of the answer's body that are still to come, if that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self.response {
            Framing::None => Some(0),
            Framing::Length(left) => Some(left),
            Framing::Chunked | Framing::Close => None,
        }
    }

    /// The connection, if another request may follow on it.
    pub(crate) fn into_reusable(self, now: Instant) -> Option<Connection> {
        let clean = self.reusable && self.is_sent() && self.broken.is_none();
        let mut connection = self.connection;
        if !clean || !connection.read.is_empty() {
            return None;
        }
        connection.rest(now);
        Some(connection)
    }

    fn decode(&mut self) -> Result<Decoded, &'static str> {
        let input = &mut self.connection.read;
        match self.response {
            Framing::None => Ok(Decoded::End),
            Framing::Chunked => {
                let decoded = self.decoder.decode(input)?;
                if decoded == Decoded::End {
                    self.response = Framing::None;
                }
                Ok(decoded)
            }
            Framing::Length(_) | Framing::Close if input.is_empty() => Ok(Decoded::NeedMore),
            Framing::Length(left) => {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let left = left - take as u64;
                self.response = if left == 0 {
                    Framing::None
                } else {
                    Framing::Length(left)
                };
                Ok(Decoded::Data(input.split_to(take).freeze()))
            }
            Framing::Close => Ok(Decoded::Data(input.split().freeze())),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        let read = ready!(self.connection.poll_fill(cx, room));
        self.last_progress = Instant::now();
        Poll::Ready(read)
    }

    /// Writes what there is to write. `Ok` also when that must wait; an error is the caller's.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), ExchangeError> {
        while self.broken.is_none() {
            self.encode_body(cx).map_err(ExchangeError::Caller)?;
            if self.out.is_empty() && self.piece.is_empty() {
                return Ok(());
            }
            match self.connection.poll_write(cx, &self.out, &self.piece) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => self.broken = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.advance(count),
                Poll::Ready(Err(error)) => self.broken = Some(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, count: usize) {
        self.written += count as u64;
        self.last_progress = Instant::now();
        let from_out = count.min(self.out.len());
        self.out.advance(from_out);
        self.piece.advance(count - from_out);
        if self.piece.is_empty() && self.piece_is_chunk {
            self.piece_is_chunk = false;
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Takes pieces of the body while there is room for them.
    fn encode_body(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        while self.framing != Framing::None
            && self.piece.is_empty()
            && self.out.len() < COALESCE_BYTES
        {
            match self.body.poll_data(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(data)) => self.encode_piece(data?),
                Poll::Ready(None) => {
                    if self.framing == Framing::Chunked {
                        self.out.extend_from_slice(b"0\r\n\r\n");
                    }
                    self.framing = Framing::None;
                }
            }
        }
        Ok(())
    }

    fn encode_piece(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let chunked = self.framing == Framing::Chunked;
        if chunked {
            self.out
                .extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        }
        if data.len() <= COALESCE_BYTES {
            self.out.extend_from_slice(&data);
            if chunked {
                self.out.extend_from_slice(b"\r\n");
            }
        } else {
            self.piece = data;
            self.piece_is_chunk = chunked;
        }
    }

    fn end_of_stream(&mut self) -> io::Error {
        let eof = || {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the function closed the connection",
            )
        };
        self.broken.take().unwrap_or_else(eof)
    }
}
