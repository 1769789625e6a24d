//! One request: route, admit, acquire, forward, record.

mod acquire;
mod admit;
mod forward;
mod route;

use std::sync::Arc;
use std::time::Instant;

use http::header::HeaderValue;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;

use crate::access::{Admission, Refusal};
use crate::body::RequestBody;
use crate::caller::Caller;
use crate::gateway::{Entry, Gateway};
use crate::identity::{REQUEST_ID, RequestId};
use crate::io::OurTurn;
use crate::phases::Phases;
use crate::problem::{ORIGIN, Problem, ProblemKind};
use crate::response::ResponseBody;

/// Says whether the request waited for an instance to start: `cold` or `warm`.
const START: HeaderName = HeaderName::from_static("stoker-start");
/// Where the time went, in milliseconds.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Answers one request.
pub(crate) async fn serve(
    gateway: &Gateway,
    caller: &Caller,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let phases = Phases::new(Instant::now());
    let mut turn = caller.turns().take();
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    let (mut body, mut waited) = (Some(body), false);
    let mut ready = loop {
        match prepare(gateway, caller, &parts, &mut body, &id) {
            Ok(ready) => break ready,
            Err(Stop {
                refusal: Refusal::Wait(keys),
                ..
            }) if !waited => {
                waited = true;
                keys.done().await;
            }
            Err(stop) => return stop.into_response(gateway, &id, turn),
        }
    };
    let entry = Arc::clone(&ready.entry);
    let mut admission = ready.admission.take();
    let mut response = match forward::forward(gateway, ready, phases, &mut turn.watchdog).await {
        Ok(answer) => answer.into_response(&id, turn),
        Err(problem) => {
            if let Some(metrics) = entry.metrics.get() {
                metrics.problem(problem.kind.status());
            }
            problem.into_response(Some(&entry.spec.name), &id, turn)
        }
    };
    if let Some(admission) = &mut admission {
        admission.decorate(response.headers_mut());
        if let Some(place) = admission.take_place() {
            response.body_mut().hold(place);
        }
    }
    response
}

/// A request that does not go on, and the function that it was for if that is known.
struct Stop {
    entry: Option<Arc<Entry>>,
    refusal: Refusal,
}

impl Stop {
    /// The answer, counted.
    fn into_response(
        self,
        gateway: &Gateway,
        id: &RequestId,
        turn: OurTurn,
    ) -> Response<ResponseBody> {
        let problem = match self.refusal {
            Refusal::Preflight(headers) => return preflight(headers, id, turn),
            Refusal::Problem(problem) => problem,
            // It waited once, and that is enough.
            Refusal::Wait(_) => {
                Problem::new(ProblemKind::KeysUnavailable, "keys are being fetched")
            }
        };
        let status = problem.kind.status();
        match &self.entry {
            Some(entry) => {
                let metrics = || gateway.metrics().function(&entry.spec.name);
                entry.metrics.get_or_init(metrics).problem(status);
                problem.into_response(Some(&entry.spec.name), id, turn)
            }
            None => {
                gateway.metrics().unrouted(status);
                problem.into_response(None, id, turn)
            }
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop {
            entry: None,
            refusal: problem.into(),
        }
    }
}

/// The answer to a page's question whether it may ask.
fn preflight(headers: http::HeaderMap, id: &RequestId, turn: OurTurn) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(bytes::Bytes::new(), turn));
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
    headers.insert(REQUEST_ID, id.to_header());
    response
}

/// A request whose function is known and which may wait for a slot.
struct Ready {
    entry: Arc<Entry>,
    method: http::Method,
    /// The encoded head as the function is to see it.
    head: bytes::BytesMut,
    body: RequestBody,
    framing: crate::upstream::Framing,
    limits: Limits,
    /// Of a function that not everybody may call.
    admission: Option<Box<Admission>>,
}

/// The gateway's settings that the request goes by.
#[derive(Clone, Copy)]
struct Limits {
    header_bytes: usize,
    waiters: u32,
    body_timeout: std::time::Duration,
}

/// Routes and admits: everything that needs no waiting, under one snapshot. The body is taken only
/// from a request that goes on.
fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    body: &mut Option<Incoming>,
    id: &RequestId,
) -> Result<Ready, Stop> {
    let snapshot = gateway.load();
    admit::head(parts, snapshot.gateway.limits.header_bytes)?;
    let host = admit::host(parts)?;
    let path = route::path(parts)?;
    let routed = route::route(&snapshot, host, &path, parts)?;
    let entry = Arc::clone(routed.target);
    let admission = admit::access(gateway, &snapshot, &entry, (caller, parts))?;
    let announced = admit::length(
        parts,
        entry.spec.limits.body_bytes,
        caller.turns().has_both(),
    )
    .map_err(|mut problem| {
        if let Some(admission) = &admission {
            admission.decorate(&mut problem.headers);
        }
        problem
    })?;

    let body = body
        .take()
        .expect("the body is taken once, as the request goes on once");
    let body = RequestBody::new(body, entry.spec.limits.body_bytes);
    let framing = body.framing(announced);
    let head = forward::encode_head(
        &forward::HeadParts {
            parts,
            caller,
            host,
            id,
            framing,
            admission: admission.as_deref(),
        },
        &routed,
    );
    entry
        .metrics
        .get_or_init(|| gateway.metrics().function(&entry.spec.name));
    let limits = Limits {
        header_bytes: snapshot.gateway.limits.header_bytes,
        waiters: snapshot.gateway.limits.waiters,
        body_timeout: snapshot.gateway.timeouts.body,
    };
    Ok(Ready {
        entry,
        method: parts.method.clone(),
        head,
        body,
        framing,
        limits,
        admission,
    })
}

impl forward::Answer {
    fn into_response(self, id: &RequestId, turn: OurTurn) -> Response<ResponseBody> {
        let forward::Answer {
            mut head,
            phases,
            transfer,
        } = self;
        let start = if transfer.lease.is_cold() {
            "cold"
        } else {
            "warm"
        };
        head.headers.insert(REQUEST_ID, id.to_header());
        head.headers
            .insert(ORIGIN, HeaderValue::from_static("function"));
        head.headers.insert(START, HeaderValue::from_static(start));
        head.headers.append(SERVER_TIMING, phases.server_timing());
        let mut response = Response::new(ResponseBody::transfer(transfer, turn));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
