//! One request and its answer over HTTP/1.1.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::Frame;

use super::chunked::{Decoded, Decoder};
use super::exchange::ExchangeError;
use super::{FieldSink, Framing, ResponseHead, Socket};
use crate::body::{BodyError, RequestBody};

/// Pieces of a body up to this size are copied behind the head, so that both go in one write.
const COALESCE_BYTES: usize = 8 * 1024;
/// Room for the head of a response and a small body.
const HEAD_ROOM: usize = 4 * 1024;
/// Room for one piece of a large body.
const BODY_ROOM: usize = 64 * 1024;

/// One request and its answer. Request and response stream independently.
pub(crate) struct Exchange {
    socket: Socket,
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
    /// The caller asked for another protocol.
    upgrade: bool,
    /// Why writing ended early. The function may have answered without reading everything.
    broken: Option<io::Error>,
    response: Framing,
    decoder: Decoder,
    reusable: bool,
    last_progress: Instant,
}

impl Exchange {
    /// A request whose encoded head is `head`.
    pub(crate) fn new(
        socket: Socket,
        (head, upgrade): (BytesMut, bool),
        body: RequestBody,
        framing: Framing,
        now: Instant,
    ) -> Self {
        Exchange {
            socket,
            upgrade,
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
    pub(crate) fn retarget(&mut self, socket: Socket) {
        debug_assert!(self.is_unsent(), "a request is never repeated");
        self.socket = socket;
        self.broken = None;
    }

    /// Takes the request, of whose answer nothing was passed on, to another connection from its
    /// beginning. The body must be one that can be handed out again.
    pub(crate) fn restart(&mut self, socket: Socket, head: BytesMut, framing: Framing) {
        self.body.rewind();
        self.socket = socket;
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

    /// The caller's body.
    pub(crate) fn body(&self) -> &RequestBody {
        &self.body
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
            let parsed = ResponseHead::parse(&mut self.socket.read, method, self.upgrade);
            if let Some(head) = parsed.map_err(ExchangeError::Invalid)? {
                self.response = head.framing;
                self.reusable = head.reusable;
                return Poll::Ready(Ok(head));
            }
            if self.socket.read.len() >= limit {
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

    /// The next piece of the answer's body, or its trailers; `None` at its end.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        self.poll_send(cx)?;
        loop {
            match self.decode() {
                Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Decoded::End) => {
                    let trailers = self.decoder.take_trailers();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
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
    pub(crate) fn into_reusable(self, now: Instant) -> Option<Socket> {
        let clean = self.reusable && self.is_sent() && self.broken.is_none();
        let mut socket = self.socket;
        if !clean || !socket.read.is_empty() {
            return None;
        }
        socket.rest(now);
        Some(socket)
    }

    /// The connection, once the instance has switched protocols on it.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    fn decode(&mut self) -> Result<Decoded, &'static str> {
        let input = &mut self.socket.read;
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
        let read = ready!(self.socket.poll_fill(cx, room));
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
            match self.socket.poll_write(cx, &self.out, &self.piece) {
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
                        let trailers = self.body.take_trailers();
                        self.encode_end(trailers.as_ref());
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

    /// The last chunk and the trailer section (RFC 9112 section 7.1.2).
    fn encode_end(&mut self, trailers: Option<&HeaderMap>) {
        self.out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            self.out.field(name.as_str(), value.as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
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
