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
use crate::identity::RequestId;
use crate::metrics::Record;
use crate::phases::Phases;
use crate::problem::{Problem, ProblemKind};
use crate::response::Transfer;
use crate::router::Routed;
use crate::upstream::{Exchange, ExchangeError, Framing, RequestHead, ResponseHead, line};
use crate::watchdog::Watchdog;

/// Connections that a request is tried on, as long as none has taken a byte of it: an instance that
/// closes every connection at once is not asked for ever.
const ATTEMPTS: u32 = 4;

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
/// another instance; after that it is never repeated.
pub(super) async fn forward(
    gateway: &Gateway,
    ready: Ready,
    record: &mut Record,
    watchdog: &mut Watchdog,
) -> Result<Answer, Problem> {
    let Ready {
        entry,
        method,
        head,
        mut body,
        framing,
        limits,
    } = ready;
    let timeouts = &entry.spec.timeouts;
    let total = record.phases.arrived + timeouts.total;
    let deadline = (record.phases.arrived + timeouts.queue).min(total);
    let seeker = Seeker {
        gateway,
        entry: &entry,
        waiters: limits.waiters,
        deadline,
    };

    let mut lease = seeker.slot(&mut body).await?;
    record.leased(&lease);
    let connection = seeker.connection(&mut lease, &mut body).await?;
    let mut exchange = Exchange::new(connection, head, body, framing, record.connected());
    let deadlines = Deadlines {
        total,
        first_byte: timeouts.first_byte,
        body: limits.body_timeout,
    };
    let mut attempts = 1;
    let head = loop {
        let failure = match deadlines
            .head(&mut exchange, watchdog, &method, limits.header_bytes)
            .await
        {
            Ok(head) => break head,
            Err(failure) => failure,
        };
        let lost = matches!(failure, HeadFailure::Exchange(ExchangeError::Lost(_)));
        let again = lost && exchange.is_unsent() && attempts < ATTEMPTS;
        if !again || Instant::now() >= deadline {
            return Err(failure.problem(&lease, &deadlines).await);
        }
        attempts += 1;
        let connection = seeker.connection(&mut lease, exchange.body_mut()).await?;
        exchange.retarget(connection);
        record.connected();
    };
    lease.answered();

    let record = record.answered(&lease, head.status);
    let phases = record.phases;
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
