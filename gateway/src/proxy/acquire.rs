//! Step three: a slot, at once or after a wait in order, and the connection that it owns.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use stoker_scaler::Lease;

use crate::Connection;
use crate::body::{BodyError, RequestBody};
use crate::gateway::{Entry, Gateway};
use crate::problem::{Problem, ProblemKind};

/// Advice to a caller whom the queue has no room for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the news of an instance's end may take after its connection broke.
pub(super) const NEWS: Duration = Duration::from_millis(100);

/// What a request needs to find a slot and a connection.
pub(super) struct Seeker<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) entry: &'a Entry,
    /// Requests that may wait in the whole gateway.
    pub(super) waiters: u32,
    /// The head of a response has at most these many.
    pub(super) header_bytes: usize,
    /// Until when there must be a slot.
    pub(super) deadline: Instant,
}

impl Seeker<'_> {
    /// Waits for a slot.
    ///
    /// While it waits, the body is read ahead within bounds: only a connection that is read tells
    /// that its caller has left, and then the whole request is dropped, and its place in the queue
    /// with it.
    pub(super) async fn slot(&self, body: &mut RequestBody) -> Result<Lease<Connection>, Problem> {
        let mut wait = pin!(self.entry.function.acquire(self.deadline));
        let mut place = None;
        poll_fn(|cx| {
            if let Poll::Ready(lease) = wait.as_mut().poll(cx) {
                return Poll::Ready(lease.map_err(|error| Problem::from_acquire(&error)));
            }
            if place.is_none() {
                place = self.gateway.enter_wait(self.waiters);
                if place.is_none() {
                    return Poll::Ready(Err(self.full()));
                }
            }
            body.poll_ahead(cx, self.gateway.wait_buffer())
                .map(|error| Err(caller_failed(&error)))
        })
        .await
    }

    /// The slot's own connection if it is usable, else a new one; if the instance cannot be
    /// reached it is given up for another one.
    pub(super) async fn connection(
        &self,
        lease: &mut Lease<Connection>,
        body: &mut RequestBody,
    ) -> Result<Connection, Problem> {
        loop {
            let now = Instant::now();
            while let Some(connection) = lease.take_connection() {
                if connection.is_usable(now) {
                    return Ok(connection);
                }
            }
            let spec = &self.entry.spec;
            let opening = Connection::open(
                lease.instance().endpoint(),
                spec.contract,
                spec.timeouts.connect,
                self.header_bytes,
            );
            let error = match opening.await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let gone = matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::NotFound
            );
            // One that is slow to accept is busy, not broken; and what this machine lacks, such as
            // descriptors, is no fault of the instance's.
            let again = gone || error.kind() == ErrorKind::TimedOut;
            if !again || Instant::now() >= self.deadline {
                let detail = format!("the function cannot be reached: {error}");
                return Err(Problem::new(ProblemKind::ConnectFailed, detail));
            }
            // If it has ended, the pool knows, with its cause.
            if gone && lease.instance().ended(NEWS).await.is_none() {
                lease.set_unhealthy();
            }
            *lease = self.slot(body).await?;
        }
    }

    fn full(&self) -> Problem {
        let detail = format!("{} requests are waiting in the gateway", self.waiters);
        let mut problem = Problem::new(ProblemKind::QueueFull, detail);
        problem.retry_after = Some(RETRY_AFTER);
        problem
    }
}

/// The caller's body could not be had.
pub(super) fn caller_failed(error: &BodyError) -> Problem {
    let kind = match error {
        BodyError::TooLarge(_) => ProblemKind::BodyTooLarge,
        BodyError::Broken(_) => ProblemKind::BadRequest,
    };
    Problem::new(kind, error.to_string())
}
