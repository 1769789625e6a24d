//! One request and its answer over HTTP/2 (RFC 9113), by the h2 crate.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::header;
use http::{Method, Request, Response};
use http_body::Frame;

use super::exchange::ExchangeError;
use super::fields::{is_hop_by_hop, parse_length};
use super::{Framing, ResponseHead, Socket};
use crate::body::RequestBody;
use crate::share::Held;
use crate::trailers;

/// Bytes of a response that may be under way before the caller takes them.
const WINDOW_BYTES: u32 = 1 << 20;
/// Bytes of a request that are handed to the connection before it has sent the former ones.
const SEND_BYTES: usize = 64 * 1024;

/// The sending side of a connection; the rest of it is driven by a task of its own, which answers
/// pings and sees the end also while no request is under way.
pub struct Client {
    sender: SendRequest<Bytes>,
    ended: Arc<AtomicBool>,
    /// Its place in the function's share.
    place: Option<Held>,
}

/// One request and its answer.
pub(crate) struct Exchange {
    client: Client,
    /// Kept until there is an answer, for a request that was refused unseen may be sent again.
    head: Box<Request<()>>,
    body: RequestBody,
    framing: Framing,
    /// A piece of the body that waits for room.
    piece: Bytes,
    /// The instance takes no more of the body.
    stopped: bool,
    /// Something of the body is with the connection and cannot be had again.
    consumed: bool,
    /// The instance says that it did not look at the request, or it was never handed over.
    unseen: bool,
    sending: Option<SendStream<Bytes>>,
    answer: Answer,
    last_progress: Instant,
}

/// How far the answer is.
enum Answer {
    /// The request was not sent.
    Unasked,
    Awaited(ResponseFuture),
    /// The body, and what its length says is still to come.
    Body(RecvStream, Option<u64>),
    Over,
}

impl Client {
    /// Begins to speak HTTP/2 on `socket`.
    ///
    /// # Errors
    /// If the first frames cannot be written.
    pub(crate) async fn new(socket: Socket, header_bytes: usize) -> io::Result<Self> {
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BYTES)
            .handshake(socket)
            .await
            .map_err(to_io)?;
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        tokio::spawn(async move {
            // Its error reaches the request that is under way.
            drop(connection.await);
            told.store(true, Ordering::Release);
        });
        Ok(Client {
            sender,
            ended,
            place: None,
        })
    }

    pub(super) fn hold(&mut self, place: Held) {
        self.place = Some(place);
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Exchange {
    pub(super) fn new(
        client: Client,
        head: Box<Request<()>>,
        body: RequestBody,
        framing: Framing,
        now: Instant,
    ) -> Self {
        Exchange {
            client,
            head,
            body,
            framing,
            piece: Bytes::new(),
            stopped: false,
            consumed: false,
            unseen: true,
            sending: None,
            answer: Answer::Unasked,
            last_progress: now,
        }
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.unseen && !self.consumed
    }

    pub(super) fn retarget(&mut self, client: Client) {
        debug_assert!(self.is_unsent(), "a request is never repeated");
        self.client = client;
        self.sending = None;
        self.stopped = false;
        self.answer = Answer::Unasked;
    }

    pub(super) fn restart(&mut self, client: Client, head: Box<Request<()>>, framing: Framing) {
        self.body.rewind();
        self.client = client;
        self.head = head;
        self.framing = framing;
        self.piece = Bytes::new();
        self.stopped = false;
        self.consumed = false;
        self.unseen = true;
        self.sending = None;
        self.answer = Answer::Unasked;
        self.last_progress = Instant::now();
    }

    pub(super) fn body_mut(&mut self) -> &mut RequestBody {
        &mut self.body
    }

    pub(super) fn body(&self) -> &RequestBody {
        &self.body
    }

    pub(super) fn last_progress(&self) -> Instant {
        self.last_progress
    }

    pub(super) fn is_sent(&self) -> bool {
        !matches!(self.answer, Answer::Unasked) && (self.stopped || self.framing == Framing::None)
    }

    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<ResponseHead, ExchangeError>> {
        if let Answer::Unasked = self.answer {
            ready!(self.client.sender.poll_ready(cx)).map_err(lost)?;
            self.ask().map_err(lost)?;
        }
        self.poll_send(cx)?;
        let Answer::Awaited(answer) = &mut self.answer else {
            return Poll::Pending;
        };
        let answer = ready!(std::pin::Pin::new(answer).poll(cx));
        self.last_progress = Instant::now();
        match answer {
            Ok(response) => {
                self.unseen = false;
                Poll::Ready(self.begin(response, method))
            }
            Err(error) => {
                self.unseen = is_unseen(&error);
                Poll::Ready(Err(lost(error)))
            }
        }
    }

    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        self.poll_send(cx)?;
        let Answer::Body(body, left) = &mut self.answer else {
            return Poll::Ready(None);
        };
        if let Some(data) = ready!(body.poll_data(cx)) {
            self.last_progress = Instant::now();
            let data = data.map_err(lost)?;
            body.flow_control()
                .release_capacity(data.len())
                .map_err(lost)?;
            if let Some(left) = left {
                *left = left.saturating_sub(data.len() as u64);
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = ready!(body.poll_trailers(cx)).map_err(lost)?;
        self.answer = Answer::Over;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers::kept(trailers)))))
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.answer {
            Answer::Over => true,
            Answer::Body(body, _) => body.is_end_stream(),
            Answer::Unasked | Answer::Awaited(_) => false,
        }
    }

    pub(super) fn remaining(&self) -> Option<u64> {
        match &self.answer {
            Answer::Over => Some(0),
            Answer::Body(body, _) if body.is_end_stream() => Some(0),
            Answer::Body(_, left) => *left,
            Answer::Unasked | Answer::Awaited(_) => None,
        }
    }

    pub(super) fn into_reusable(self) -> Option<Client> {
        self.client.is_usable().then_some(self.client)
    }

    /// Hands the head over.
    fn ask(&mut self) -> Result<(), h2::Error> {
        let mut request = Request::new(());
        *request.method_mut() = self.head.method().clone();
        *request.uri_mut() = self.head.uri().clone();
        *request.headers_mut() = self.head.headers().clone();
        *request.version_mut() = http::Version::HTTP_2;
        let whole = self.framing == Framing::None;
        let (answer, sending) = self.client.sender.send_request(request, whole)?;
        self.unseen = false;
        self.last_progress = Instant::now();
        self.sending = (!whole).then_some(sending);
        self.answer = Answer::Awaited(answer);
        Ok(())
    }

    /// Takes the head of the answer apart.
    fn begin(
        &mut self,
        response: Response<RecvStream>,
        method: &Method,
    ) -> Result<ResponseHead, ExchangeError> {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        let named: Vec<_> = headers
            .keys()
            .filter(|name| is_hop_by_hop(name))
            .cloned()
            .collect();
        for name in named {
            headers.remove(name);
        }
        let length = match headers.get(header::CONTENT_LENGTH) {
            None => None,
            Some(value) => Some(parse_length(value).ok_or_else(|| {
                ExchangeError::Invalid("its content-length is not a number".into())
            })?),
        };
        let bodiless = body.is_end_stream() || *method == Method::HEAD;
        let framing = match (bodiless, length) {
            (true, _) => Framing::None,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::Chunked,
        };
        self.answer = if bodiless {
            Answer::Over
        } else {
            Answer::Body(body, length)
        };
        Ok(ResponseHead {
            status: parts.status,
            headers,
            framing,
            reusable: true,
            upgrade: None,
        })
    }

    /// Hands over what the connection has room for. `Ok` also when that must wait; an error is the
    /// caller's.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), ExchangeError> {
        while let Some(sending) = &mut self.sending {
            if self.piece.is_empty() {
                match self.body.poll_data(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Some(piece)) => {
                        self.piece = piece.map_err(ExchangeError::Caller)?
                    }
                    Poll::Ready(None) => {
                        self.finish_sending();
                        return Ok(());
                    }
                }
                continue;
            }
            sending.reserve_capacity(self.piece.len().min(SEND_BYTES));
            let room = match sending.capacity() {
                0 => match sending.poll_capacity(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Some(Ok(room))) => room,
                    // The instance takes no more; its answer says why, or the stream's error.
                    Poll::Ready(_) => {
                        self.stop_sending();
                        return Ok(());
                    }
                },
                room => room,
            };
            let part = self.piece.split_to(room.min(self.piece.len()));
            self.consumed = true;
            self.last_progress = Instant::now();
            if sending.send_data(part, false).is_err() {
                self.stop_sending();
            }
        }
        Ok(())
    }

    fn finish_sending(&mut self) {
        self.framing = Framing::None;
        self.last_progress = Instant::now();
        let trailers = self.body.take_trailers();
        if let Some(mut sending) = self.sending.take() {
            // An error shows in the answer.
            drop(match trailers {
                Some(trailers) => sending.send_trailers(trailers),
                None => sending.send_data(Bytes::new(), true),
            });
        }
    }

    fn stop_sending(&mut self) {
        self.stopped = true;
        self.sending = None;
    }
}

/// Streams that the instance did not look at: refused ones, and those above the last one that its
/// GOAWAY names (RFC 9113 sections 6.8 and 8.7).
fn is_unseen(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

fn lost(error: h2::Error) -> ExchangeError {
    if error.is_io() {
        ExchangeError::Lost(to_io(error))
    } else {
        ExchangeError::Reset(error)
    }
}

fn to_io(error: h2::Error) -> io::Error {
    if error.is_io()
        && let Some(error) = error.into_io()
    {
        return error;
    }
    io::Error::other("the function does not speak HTTP/2")
}
