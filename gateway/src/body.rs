//! The body of a caller's request: bounded, held back while the request waits.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;

use crate::proxy::mirror::Copying;
use crate::retry::Tape;
use crate::share::{Held, Share};
use crate::trailers;
use crate::upstream::Framing;

/// At most this much of one waiting request's body is read ahead.
const AHEAD_BYTES: usize = 64 * 1024;

/// The body of a caller's request.
pub(crate) struct RequestBody {
    /// `None` if all of it is there.
    incoming: Option<Incoming>,
    limit: u64,
    seen: u64,
    ahead: VecDeque<Bytes>,
    held: Option<Held>,
    ended: bool,
    trailers: Option<HeaderMap>,
    /// What was handed out, if the request may be sent again.
    tape: Option<Tape>,
    /// For another revision.
    copying: Option<Box<Copying>>,
}

/// Why the body of a request could not be had.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the limit, in bytes.
    TooLarge(u64),
    /// The caller left or sent what is not HTTP.
    Broken(hyper::Error),
}

impl RequestBody {
    /// At most `limit` bytes are let through.
    pub(crate) fn new(incoming: Incoming, limit: u64) -> Self {
        let ended = incoming.is_end_stream();
        RequestBody {
            incoming: Some(incoming),
            limit,
            seen: 0,
            ahead: VecDeque::new(),
            held: None,
            ended,
            trailers: None,
            tape: None,
            copying: None,
        }
    }

    /// A body that is there already.
    pub(crate) fn whole(data: Bytes) -> Self {
        RequestBody {
            incoming: None,
            limit: u64::MAX,
            seen: data.len() as u64,
            ahead: [data].into_iter().filter(|data| !data.is_empty()).collect(),
            held: None,
            ended: true,
            trailers: None,
            tape: None,
            copying: None,
        }
    }

    /// Has what comes in copied from now on.
    pub(crate) fn copy_to(&mut self, mut copying: Copying) {
        if self.ended {
            return copying.finish();
        }
        self.copying = Some(Box::new(copying));
    }

    /// How the function is told where it ends. `announced` says that the request has a length or
    /// a coding at all.
    pub(crate) fn framing(&self, announced: bool) -> Framing {
        match self.incoming.as_ref().and_then(|it| it.size_hint().exact()) {
            Some(0) if !announced => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        }
    }

    /// Bytes that came in so far.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = if let Some(data) = self.ahead.pop_front() {
            if self.ahead.is_empty() {
                self.held = None;
            }
            Some(Ok(data))
        } else {
            ready!(self.poll_incoming(cx))
        };
        if let (Some(tape), Some(Ok(data))) = (&mut self.tape, &piece) {
            tape.note(data);
        }
        Poll::Ready(piece)
    }

    /// Keeps what is handed out from now on, as far as it is not too much.
    pub(crate) fn keep(&mut self) {
        self.tape = Some(Tape::default());
    }

    /// True if everything that was handed out can be handed out again.
    pub(crate) fn can_rewind(&self) -> bool {
        self.tape.as_ref().is_some_and(Tape::is_whole)
    }

    /// Begins anew with what was handed out.
    pub(crate) fn rewind(&mut self) {
        if let Some(tape) = &mut self.tape {
            tape.rewind(&mut self.ahead);
        }
    }

    /// What came after the body, once that has ended.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// Reads ahead while the request waits, as far as `budget` allows, so that a caller who leaves
    /// is noticed even if it sent a body. Ready only with an error.
    pub(crate) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        budget: &Arc<Share>,
    ) -> Poll<BodyError> {
        loop {
            let held = self.held.as_ref().map_or(0, Held::count);
            if self.ended || held >= AHEAD_BYTES || !budget.has_room() {
                return Poll::Pending;
            }
            match ready!(self.poll_incoming(cx)) {
                None => return Poll::Pending,
                Some(Err(error)) => return Poll::Ready(error),
                Some(Ok(data)) => {
                    self.held
                        .get_or_insert_with(|| budget.hold())
                        .grow(data.len());
                    self.ahead.push_back(data);
                }
            }
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        while !self.ended
            && let Some(incoming) = &mut self.incoming
        {
            let Some(frame) = ready!(Pin::new(&mut *incoming).poll_frame(cx)) else {
                self.ended = true;
                if let Some(copying) = &mut self.copying {
                    copying.finish();
                }
                break;
            };
            let frame = frame.map_err(BodyError::Broken)?;
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    self.trailers = frame.into_trailers().ok().map(trailers::kept);
                    continue;
                }
            };
            self.seen += data.len() as u64;
            if self.seen > self.limit {
                return Poll::Ready(Some(Err(BodyError::TooLarge(self.limit))));
            }
            if let Some(copying) = &mut self.copying {
                copying.note(&data);
                // Nobody need ask for what comes after the last piece.
                if incoming.is_end_stream() {
                    copying.finish();
                }
            }
            return Poll::Ready(Some(Ok(data)));
        }
        Poll::Ready(None)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge(limit) => write!(f, "the body is longer than {limit} bytes"),
            BodyError::Broken(error) => write!(f, "the body could not be read: {error}"),
        }
    }
}

impl std::error::Error for BodyError {}
