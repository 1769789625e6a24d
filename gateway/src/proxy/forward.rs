//! Step four: to the instance and back.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::header;
use http::request::Parts;
use stoker_core::FailureKind;
use stoker_scaler::Lease;

use super::Ready;
use super::acquire::{NEWS, Seeker, caller_failed};
use crate::Connection;
use crate::caller::{Caller, passes};
use crate::gateway::{Entry, Gateway};
use crate::health;
use crate::identity::RequestId;
use crate::metrics::Record;
use crate::phases::Phases;
use crate::problem::{Problem, ProblemKind};
use crate::response::Transfer;
use crate::retry::{Again, Attempts};
use crate::router::Routed;
use crate::upstream::{Exchange, ExchangeError, Framing, RequestHead, ResponseHead, line};
use crate::watchdog::Watchdog;

/// The head of a function's answer, and what carries the rest.
pub(super) struct Answer {
    pub(super) head: ResponseHead,
    pub(super) phases: Phases,
    pub(super) transfer: Box<Transfer>,
}

/// What the head of the request is made of.
pub(super) struct HeadParts<'a> {
    pub(super) parts: &'a Parts,
    pub(super) caller: &'a Caller,
    pub(super) host: &'a str,
    pub(super) id: &'a RequestId,
    pub(super) framing: Framing,
}

/// Writes the head as the function is to see it.
pub(super) fn encode_head(from: &HeadParts<'_>, routed: &Routed<'_, Entry>) -> BytesMut {
    let HeadParts {
        parts,
        caller,
        host,
        id,
        framing,
    } = from;
    let mut out = BytesMut::new();
    let head = RequestHead {
        method: &parts.method,
        target: (routed.path, parts.uri.query()),
        headers: &parts.headers,
        framing: *framing,
    };
    let absolute = parts.uri.authority().is_some();
    head.encode(&mut out, |name| {
        passes(name) && !(absolute && *name == header::HOST)
    });
    if absolute {
        line(&mut out, "host", host.as_bytes());
    }
    for (name, value) in &routed.parameters {
        line(
            &mut out,
            &format!("stoker-parameter-{name}"),
            value.as_bytes(),
        );
    }
    caller.encode(&mut out, &parts.headers, host);
    id.encode(&mut out);
    out.extend_from_slice(b"\r\n");
    out
}

/// Brings the request to an instance and waits for the head of its answer.
///
/// While the instance cannot have seen a byte of it, the request goes to another connection or
/// another instance; after that it is repeated only where `retry.idempotent` allows it. Both take
/// from the function's budget of retries.
pub(super) async fn forward(
    gateway: &Gateway,
    ready: Ready,
    mut phases: Phases,
    watchdog: &mut Watchdog,
) -> Result<Answer, Problem> {
    let Ready {
        entry,
        method,
        head,
        mut body,
        framing,
        limits,
        patience,
    } = ready;
    let timeouts = &entry.spec.timeouts;
    let total = phases.arrived + timeouts.total;
    let queue = patience.map_or(timeouts.queue, |patience| patience.min(timeouts.queue));
    let deadline = (phases.arrived + queue).min(total);
    let seeker = Seeker {
        gateway,
        entry: &entry,
        deadline,
    };

    let mut lease = seeker.slot(&mut body).await?;
    let leased = Instant::now();
    let connection = seeker.connection(&mut lease, &mut body).await?;
    let connected = Instant::now();
    let budget = (&entry.spec.retry, &entry.load.retries);
    let attempts = Attempts::new(budget, &method, (&head, framing), connected);
    if attempts.wants_body() {
        body.keep();
    }
    let mut exchange = Exchange::new(connection, head, body, framing, connected);
    let mut course = Course {
        seeker,
        deadlines: Deadlines {
            total,
            first_byte: timeouts.first_byte,
            body: limits.body_timeout,
        },
        attempts,
        method: &method,
        header_bytes: limits.header_bytes,
    };
    let (head, sent) = course.head(&mut exchange, &mut lease, watchdog).await?;
    let connected = sent.unwrap_or(connected);
    let verdict = (head.status, &head.headers);
    health::note_head(&mut lease, verdict, entry.spec.server_errors_fail);

    let now = Instant::now();
    phases.queue = leased - phases.arrived;
    phases.connect = connected - leased;
    phases.first_byte = now - connected;
    if lease.is_cold() {
        phases.set_start(lease.instance().timings());
    }
    let record = Record::new(&entry.metrics, &phases, lease.is_cold(), head.status);
    let transfer = Box::new(Transfer {
        exchange,
        lease,
        record,
        idle: timeouts.idle,
        deadline: total,
    });
    Ok(Answer {
        head,
        phases,
        transfer,
    })
}

/// What leads from a request that has a connection to the head of its answer.
struct Course<'a> {
    seeker: Seeker<'a>,
    deadlines: Deadlines,
    attempts: Attempts<'a>,
    method: &'a http::Method,
    header_bytes: usize,
}

impl Course<'_> {
    /// The head, and when the request was sent on another connection than the first, if it was.
    async fn head(
        &mut self,
        exchange: &mut Exchange,
        lease: &mut Lease<Connection>,
        watchdog: &mut Watchdog,
    ) -> Result<(ResponseHead, Option<Instant>), Problem> {
        let mut reconnected = None;
        loop {
            let failure = match self
                .deadlines
                .head(exchange, watchdog, self.method, self.header_bytes)
                .await
            {
                Ok(head) => return Ok((head, reconnected)),
                Err(failure) => failure,
            };
            let lost = matches!(failure, HeadFailure::Exchange(ExchangeError::Lost(_)));
            let now = Instant::now();
            let again = match lost && now < self.seeker.deadline {
                true => self.attempts.next(exchange, now),
                false => None,
            };
            let Some(again) = again else {
                if failure.blames_instance() {
                    lease.failed();
                }
                return Err(failure.problem(lease, &self.deadlines).await);
            };
            let body = exchange.body_mut();
            let connection = self.seeker.connection(lease, body).await?;
            match again {
                Again::Unsent => exchange.retarget(connection),
                Again::Whole(head, framing) => exchange.restart(connection, head, framing),
            }
            reconnected = Some(Instant::now());
        }
    }
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
async fn lost(lease: &Lease<Connection>, error: &io::Error) -> Problem {
    match lease.instance().ended(NEWS).await {
        Some(failure) if failure.kind == FailureKind::NeverListened => {
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
