//! Step three: a slot, at once or after a wait in order, and the connection that it owns.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use stoker_config::Contract;
use stoker_scaler::{AcquireError, Lease};

use crate::Connection;
use crate::body::{BodyError, RequestBody};
use crate::gateway::{Entry, Gateway};
use crate::load::FunctionLoad;
use crate::overload::Reason;
use crate::problem::{Problem, ProblemKind};
use crate::share::{Full, Held};

/// The least advice to a caller whom there is no room for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the news of an instance's end may take after its connection broke: its cause is worth more
/// to the caller than half a second.
pub(super) const NEWS: Duration = Duration::from_millis(500);

/// What a request needs to find a slot and a connection.
pub(super) struct Seeker<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) entry: &'a Entry,
    /// The head of a response has at most these many bytes.
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
                return Poll::Ready(lease.map_err(|error| self.refused(&error)));
            }
            if place.is_none() {
                place = Some(self.place()?);
            }
            body.poll_ahead(cx, &self.share().buffer)
                .map(|error| Err(caller_failed(&error)))
        })
        .await
    }

    /// The slot's own connection if it is usable, else a new one, to an instance that runs; if the instance cannot be
    /// reached it is given up for another one.
    pub(super) async fn connection(
        &self,
        lease: &mut Lease<Connection>,
        body: &mut RequestBody,
    ) -> Result<Connection, Problem> {
        loop {
            let now = Instant::now();
            // It wakes while the request is prepared, and accepts the connection that waits for it.
            lease.thaw();
            while let Some(connection) = lease.take_connection() {
                if let Some(connection) = connection.into_usable(now) {
                    return Ok(connection);
                }
            }
            let place = self.share().connections.take();
            let place = place.map_err(|full| self.no_connection(full))?;
            let spec = &self.entry.spec;
            if spec.contract != Contract::Http {
                // Its first frames are not kept, and so cannot be sent to another one.
                lease.instance().settled(spec.timeouts.start).await;
            }
            let opening = Connection::open(
                lease.instance().endpoint(),
                spec.contract,
                spec.timeouts.connect,
                self.header_bytes,
            );
            let error = match opening.await {
                Ok(mut connection) => {
                    connection.hold(place);
                    return Ok(connection);
                }
                Err(error) => error,
            };
            if is_out_of_descriptors(&error) {
                return Err(self.overloaded(Reason::Descriptors, error.to_string()));
            }
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

    /// A place among the waiting requests of the whole gateway.
    fn place(&self) -> Result<Held, Problem> {
        let waiters = &self.share().waiters;
        let held = waiters.take().map_err(|full| {
            self.gateway.metrics().shed().count(Reason::Waiters);
            let limit = waiters.common().limit();
            let detail = match full {
                Full::All => format!("{limit} requests are waiting in the gateway"),
                Full::Share => format!(
                    "the function's share of the {limit} requests that may wait in the gateway is \
                     full"
                ),
            };
            let mut problem = Problem::new(ProblemKind::QueueFull, detail);
            problem.retry_after = Some(self.retry_after());
            problem
        })?;
        if self.gateway.pressure().is_short_of_memory() && !waiters.common().is_nearly_unused() {
            let detail = "the gateway is short of memory, and the request would have to wait";
            return Err(self.overloaded(Reason::Memory, detail.to_owned()));
        }
        Ok(held)
    }

    fn share(&self) -> &FunctionLoad {
        self.gateway.share(self.entry)
    }

    fn no_connection(&self, full: Full) -> Problem {
        let limit = self.share().connections.common().limit();
        let detail = match full {
            Full::All => format!("the gateway has {limit} connections to instances"),
            Full::Share => format!(
                "the function's share of the {limit} connections that the gateway may have to \
                 instances is full"
            ),
        };
        self.overloaded(Reason::InstanceConnections, detail)
    }

    fn overloaded(&self, reason: Reason, detail: String) -> Problem {
        self.gateway.metrics().shed().count(reason);
        let mut problem = Problem::new(ProblemKind::Overloaded, detail);
        problem.retry_after = Some(self.retry_after());
        problem
    }

    fn refused(&self, error: &AcquireError) -> Problem {
        let mut problem = Problem::from_acquire(error);
        if *error == AcquireError::QueueFull {
            problem.retry_after = Some(self.retry_after());
        }
        problem
    }

    /// When a request may find a slot, as far as that is known.
    fn retry_after(&self) -> Duration {
        let expected = self.entry.function.expected_wait();
        expected.unwrap_or_default().max(RETRY_AFTER)
    }
}

/// Neither the process nor the machine has a descriptor left.
fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    errno.is_some_and(|errno| matches!(errno, rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

/// The caller's body could not be had.
pub(super) fn caller_failed(error: &BodyError) -> Problem {
    let kind = match error {
        BodyError::TooLarge(_) => ProblemKind::BodyTooLarge,
        BodyError::Broken(_) => ProblemKind::BadRequest,
    };
    Problem::new(kind, error.to_string())
}
