//! Step four: to the instance and back.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{self, HeaderMap};
use stoker_config::FunctionTimeouts;
use stoker_core::FailureKind;
use stoker_scaler::Lease;

use super::Ready;
use super::acquire::{NEWS, Seeker, caller_failed};
use crate::Connection;
use crate::body::RequestBody;
use crate::gateway::Gateway;
use crate::health;
use crate::metrics::Record;
use crate::phases::Phases;
use crate::problem::{Problem, ProblemKind};
use crate::response::Transfer;
use crate::retry::{Again, Attempts};
use crate::upstream::{Exchange, ExchangeError, Framing, Head, ResponseHead};
use crate::watchdog::Watchdog;

/// The head of a function's answer, and what carries the rest.
pub(super) struct Answer {
    /// It goes on for as long as both sides like.
    pub(super) streams: bool,
    pub(super) head: ResponseHead,
    pub(super) phases: Phases,
    pub(super) transfer: Box<Transfer>,
}

/// Brings the request to an instance and waits for the head of its answer.
///
/// While the instance cannot have seen a byte of it, the request goes to another connection or
/// another instance; after that it is repeated only where `retry.idempotent` allows it. Both take
/// from the function's budget of retries.
pub(super) async fn forward(
    gateway: &Gateway,
    ready: Ready,
    record: &mut Record,
    watchdog: &mut Watchdog,
) -> Result<Answer, Problem> {
    let Ready {
        entry,
        cookie: _,
        method,
        head,
        mut body,
        framing,
        limits,
        stream,
        admission: _,
        patience: wait,
        deadline: call,
    } = ready;
    let timeouts = &entry.spec.timeouts;
    let arrived = record.phases.arrived;
    let patience = Patience::of(timeouts, stream, call);
    let total = patience.total;
    let queue = wait.map_or(timeouts.queue, |wait| wait.min(timeouts.queue));
    let seeker = Seeker {
        gateway,
        entry: &entry,
        header_bytes: limits.header_bytes,
        deadline: arrived + queue.min(total),
    };

    let mut lease = seeker.slot(&mut body).await?;
    record.leased(&lease);
    let connection = seeker.connection(&mut lease, &mut body).await?;
    let connected = record.connected();
    let budget = (&entry.spec.retry, &gateway.share(&entry).retries);
    let mut attempts = Attempts::new(budget, &method, (&head, framing), connected);
    keep(&mut attempts, &lease, (&head, &mut body), total).await;
    let mut trip = Trip {
        exchange: start(connection, head, body, framing)?,
        lease,
        attempts,
        deadlines: Deadlines {
            total: arrived + total,
            first_byte: patience.first_byte,
            body: patience.body.unwrap_or(limits.body_timeout),
        },
    };
    let head = trip.head(&seeker, &method, (record, watchdog)).await?;
    let Trip {
        mut lease,
        exchange,
        ..
    } = trip;
    let verdict = (head.status, &head.headers);
    health::note_head(&mut lease, verdict, entry.spec.server_errors_fail);
    let record = record.answered(&lease, head.status);
    let phases = record.phases;
    let streams = stream || is_event_stream(&head.headers);
    let Patience { idle, total, .. } = Patience::of(timeouts, streams, call);
    Ok(Answer {
        streams,
        head,
        phases,
        transfer: Box::new(Transfer {
            exchange,
            lease,
            record,
            idle,
            deadline: arrived + total,
            drained: None,
        }),
    })
}

/// Keeps what it takes to send the request again, if it may be necessary.
async fn keep(
    attempts: &mut Attempts<'_>,
    lease: &Lease<Connection>,
    (head, body): (&Head, &mut RequestBody),
    patience: Duration,
) {
    let instance = lease.instance();
    if !instance.is_settled() && !attempts.keep(head) {
        // What such an instance takes cannot be taken back if it does not run.
        instance.settled(patience).await;
    }
    if attempts.wants_body() {
        body.keep();
    }
}

fn start(
    connection: Connection,
    head: Head,
    body: RequestBody,
    framing: Framing,
) -> Result<Exchange, Problem> {
    let exchange = Exchange::new(connection, head, body, framing, Instant::now());
    exchange.ok_or_else(|| {
        let detail = "the connection does not speak the function's protocol";
        Problem::new(ProblemKind::ConnectFailed, detail)
    })
}

/// A request on its way to an instance.
struct Trip<'a> {
    lease: Lease<Connection>,
    exchange: Exchange,
    attempts: Attempts<'a>,
    deadlines: Deadlines,
}

impl Trip<'_> {
    /// Waits for the head of the answer, on another connection if need be.
    async fn head(
        &mut self,
        seeker: &Seeker<'_>,
        method: &http::Method,
        (record, watchdog): (&mut Record, &mut Watchdog),
    ) -> Result<ResponseHead, Problem> {
        loop {
            let head =
                self.deadlines
                    .head(&mut self.exchange, watchdog, method, seeker.header_bytes);
            let failure = match head.await {
                Ok(head) => {
                    if self.lease.is_cold() {
                        // The answer may be here before the news of the start.
                        self.lease.instance().settled(NEWS).await;
                    }
                    return Ok(head);
                }
                Err(failure) => failure,
            };
            let lost = matches!(
                failure,
                HeadFailure::Exchange(ExchangeError::Lost(_) | ExchangeError::Reset(_))
            );
            let now = Instant::now();
            let again = match lost && now < seeker.deadline {
                true if self.was_unread().await => self.attempts.once_more(&mut self.exchange),
                true => self.attempts.next(&mut self.exchange, now),
                false => None,
            };
            let Some(again) = again else {
                if failure.blames_instance() {
                    self.lease.failed();
                }
                return Err(failure.problem(&self.lease, &self.deadlines).await);
            };
            let body = self.exchange.body_mut();
            let connection = seeker.connection(&mut self.lease, body).await?;
            match again {
                Again::Unsent => self.exchange.retarget(connection),
                Again::Whole(head, framing) => self.exchange.restart(connection, head, framing),
            }
            record.connected();
        }
    }

    /// True if the connection broke because no program was executed that could have accepted it.
    async fn was_unread(&self) -> bool {
        let instance = self.lease.instance();
        if !instance.is_settled() {
            // Whoever closed the socket says why.
            instance.ended(Duration::ZERO).await;
        }
        instance.never_ran()
    }
}

/// How long a request may take, by what it is.
struct Patience {
    first_byte: Duration,
    /// In place of the gateway's own setting.
    body: Option<Duration>,
    idle: Duration,
    total: Duration,
}

impl Patience {
    /// `call` is a gRPC call's own deadline.
    fn of(timeouts: &FunctionTimeouts, stream: bool, call: Option<Duration>) -> Self {
        let total = match stream {
            true => timeouts.stream_total,
            false => timeouts.total,
        };
        let total = call.map_or(total, |call| call.min(total));
        if stream {
            Patience {
                first_byte: timeouts.stream_idle,
                body: Some(timeouts.stream_idle),
                idle: timeouts.stream_idle,
                total,
            }
        } else {
            Patience {
                first_byte: timeouts.first_byte,
                body: None,
                idle: timeouts.idle,
                total,
            }
        }
    }
}

/// Server-sent events have no end of their own.
fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        let name = value.split(|&byte| byte == b';').next().unwrap_or(value);
        name.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
    })
}

/// Until when the head of the answer must be there.
struct Deadlines {
    total: Instant,
    /// From the end of the request.
    first_byte: Duration,
    /// For the next piece of the request.
    body: Duration,
}

impl Deadlines {
    async fn head(
        &self,
        exchange: &mut Exchange,
        watchdog: &mut Watchdog,
        method: &http::Method,
        limit: usize,
    ) -> Result<ResponseHead, HeadFailure> {
        poll_fn(|cx| {
            if let Poll::Ready(head) = exchange.poll_head(cx, method, limit) {
                return Poll::Ready(head.map_err(HeadFailure::Exchange));
            }
            let patience = if exchange.is_sent() {
                self.first_byte
            } else {
                self.body
            };
            let due = (exchange.last_progress() + patience).min(self.total);
            watchdog.poll_expired(cx, due).map(|()| {
                Err(if due == self.total {
                    HeadFailure::Total
                } else if exchange.is_sent() {
                    HeadFailure::FirstByte
                } else {
                    HeadFailure::Body
                })
            })
        })
        .await
    }
}

/// Why there is no answer.
enum HeadFailure {
    Exchange(ExchangeError),
    FirstByte,
    Body,
    Total,
}

impl HeadFailure {
    fn blames_instance(&self) -> bool {
        match self {
            HeadFailure::Exchange(error) => health::blames_instance(error),
            HeadFailure::FirstByte => true,
            HeadFailure::Body | HeadFailure::Total => false,
        }
    }

    async fn problem(self, lease: &Lease<Connection>, deadlines: &Deadlines) -> Problem {
        match self {
            HeadFailure::Exchange(ExchangeError::Lost(error)) => lost(lease, &error).await,
            HeadFailure::Exchange(ExchangeError::Reset(error)) => lost(lease, &error).await,
            HeadFailure::Exchange(ExchangeError::Invalid(cause)) => {
                Problem::new(ProblemKind::InvalidResponse, cause)
            }
            HeadFailure::Exchange(ExchangeError::Caller(error)) => caller_failed(&error),
            HeadFailure::FirstByte => {
                let detail = format!("no answer began within {:?}", deadlines.first_byte);
                Problem::new(ProblemKind::FirstByteTimeout, detail)
            }
            HeadFailure::Body => {
                let detail = format!("no byte of the body came within {:?}", deadlines.body);
                Problem::new(ProblemKind::RequestTimeout, detail)
            }
            HeadFailure::Total => Problem::new(
                ProblemKind::TotalTimeout,
                "the total timeout passed before an answer",
            ),
        }
    }
}

/// The connection broke: says how the instance ended, if it did.
async fn lost(lease: &Lease<Connection>, error: &(dyn std::error::Error + Send + Sync)) -> Problem {
    match lease.instance().ended(NEWS).await {
        Some(failure)
            if failure.kind == FailureKind::NeverListened || lease.instance().never_ran() =>
        {
            Problem::new(ProblemKind::StartFailed, &*failure.detail)
        }
        Some(failure) => {
            let detail = format!(
                "the function's instance ended in mid-request: {}",
                failure.detail
            );
            Problem::new(ProblemKind::InstanceLost, detail)
        }
        None => {
            let detail = format!("the connection to the function broke: {error}");
            Problem::new(ProblemKind::InstanceLost, detail)
        }
    }
}
