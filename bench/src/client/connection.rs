//! One connection and the request on it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::ReadBuf;

use super::endpoint::Io;
use super::head::Head;
use super::{Endpoint, Fault, Reply, Request};

/// Bytes read at once.
const BUFFER_BYTES: usize = 16 << 10;

/// One connection, which carries one request at a time.
pub(crate) struct Connection {
    stream: Box<dyn Io>,
    buffer: Vec<u8>,
    /// Whether another request may follow.
    keeps: bool,
    /// Whether something could not be written.
    broken: bool,
}

impl Connection {
    /// A new one, its handshake done.
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Connection, Fault> {
        Ok(Connection {
            stream: endpoint.connect().await?,
            buffer: vec![0; BUFFER_BYTES],
            keeps: true,
            broken: false,
        })
    }

    /// Whether it can carry another request, as far as it is known without asking.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut space = [0; 1];
        let mut context = Context::from_waker(Waker::noop());
        let read =
            Pin::new(&mut *self.stream).poll_read(&mut context, &mut ReadBuf::new(&mut space));
        // Nothing may come before a request, neither bytes nor an end.
        self.keeps && read.is_pending()
    }

    /// Sends a request and reads the whole answer, and what the header `watch` says in it. Both at
    /// the same time, for a server may begin to answer before it has read everything.
    pub(crate) async fn exchange(
        &mut self,
        request: &Request,
        watch: &str,
    ) -> Result<Reply, Fault> {
        self.keeps = false;
        let mut unsent = &request.bytes[..];
        let mut held = Vec::new();
        let mut first_byte = None;
        let head = loop {
            let count = self.step(&mut unsent).await;
            let broken = |error| match first_byte {
                None => Fault::Unanswered(error),
                Some(_) => Fault::Broken(error),
            };
            match count.map_err(broken)? {
                0 => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                count => {
                    first_byte.get_or_insert_with(Instant::now);
                    held.extend_from_slice(&self.buffer[..count]);
                }
            }
            if let Some(head) = final_head(&mut held, request.head_only, watch)? {
                break head;
            }
        };
        let (mut body, rest) = (head.body, &held[head.length..]);
        let mut whole = body.take(rest)?;
        while !whole {
            match self.step(&mut unsent).await.map_err(Fault::Broken)? {
                0 if matches!(body, super::body::Body::UntilClose) => break,
                0 => return Err(Fault::Broken(io::ErrorKind::UnexpectedEof.into())),
                count => whole = body.take(&self.buffer[..count])?,
            }
        }
        let end = Instant::now();
        self.keeps = head.keeps && unsent.is_empty() && !self.broken;
        Ok(Reply {
            status: head.status,
            first_byte: first_byte.unwrap_or(end),
            end,
            watched: head.watched,
            phases: head.phases,
        })
    }

    /// Writes as much as the socket takes and waits for bytes to read; their count, 0 at the end.
    async fn step(&mut self, unsent: &mut &[u8]) -> io::Result<usize> {
        poll_fn(|context| {
            self.write(unsent, context);
            let mut space = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *self.stream).poll_read(context, &mut space) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(space.filled().len())),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// A failure to write is not told: there may be an answer to read all the same, and if there is
    /// none, reading fails too.
    fn write(&mut self, unsent: &mut &[u8], context: &mut Context<'_>) {
        let mut stream = Pin::new(&mut *self.stream);
        while !unsent.is_empty() {
            match stream.as_mut().poll_write(context, unsent) {
                Poll::Ready(Ok(count)) if count > 0 => *unsent = &unsent[count..],
                Poll::Ready(_) => {
                    self.broken = true;
                    *unsent = &[];
                }
                Poll::Pending => return,
            }
        }
        // TLS keeps records that the socket did not take.
        if let Poll::Ready(Err(_)) = stream.poll_flush(context) {
            self.broken = true;
        }
    }
}

/// The head of the final answer; interim ones (1xx) are dropped from `held`.
fn final_head(held: &mut Vec<u8>, head_only: bool, watch: &str) -> Result<Option<Head>, Fault> {
    loop {
        match Head::read(held, head_only, watch)? {
            Some(head) if head.status == 101 => {
                return Err(Fault::Invalid("it switches protocols"));
            }
            Some(head) if head.status < 200 => drop(held.drain(..head.length)),
            head => return Ok(head),
        }
    }
}
