//! One request: route, admit, acquire, forward, record.

mod acquire;
mod admit;
mod forward;
mod patience;
mod route;

use std::sync::Arc;
use std::time::Instant;

use http::header::HeaderValue;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;

use crate::body::RequestBody;
use crate::caller::Caller;
use crate::gateway::{Entry, Gateway};
use crate::identity::{REQUEST_ID, RequestId};
use crate::io::OurTurn;
use crate::phases::Phases;
use crate::problem::{ORIGIN, Problem};
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
    let ready = match prepare(gateway, caller, &parts, body, &id) {
        Ok(ready) => ready,
        Err(problem) => {
            gateway.metrics().unrouted(problem.kind.status());
            return problem.into_response(None, &id, turn);
        }
    };
    let entry = Arc::clone(&ready.entry);
    match forward::forward(gateway, ready, phases, &mut turn.watchdog).await {
        Ok(answer) => answer.into_response(&id, turn),
        Err(problem) => {
            if let Some(metrics) = entry.metrics.get() {
                metrics.problem(problem.kind.status());
            }
            problem.into_response(Some(&entry.spec.name), &id, turn)
        }
    }
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
    /// How long the caller says that it waits.
    patience: Option<std::time::Duration>,
}

/// The gateway's settings that the request goes by.
#[derive(Clone, Copy)]
struct Limits {
    header_bytes: usize,
    body_timeout: std::time::Duration,
}

/// Routes and admits: everything that needs no waiting, under one snapshot.
fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    body: Incoming,
    id: &RequestId,
) -> Result<Ready, Problem> {
    let snapshot = gateway.load();
    admit::head(parts, snapshot.gateway.limits.header_bytes)?;
    let host = admit::host(parts)?;
    let path = route::path(parts)?;
    let routed = route::route(&snapshot, host, &path, parts)?;
    let entry = Arc::clone(routed.target);
    let announced = admit::length(
        parts,
        entry.spec.limits.body_bytes,
        caller.turns().has_both(),
    )?;

    let body = RequestBody::new(body, entry.spec.limits.body_bytes);
    let framing = body.framing(announced);
    let head = forward::encode_head(
        &forward::HeadParts {
            parts,
            caller,
            host,
            id,
            framing,
        },
        &routed,
    );
    entry
        .metrics
        .get_or_init(|| gateway.metrics().function(&entry.spec.name));
    let limits = Limits {
        header_bytes: snapshot.gateway.limits.header_bytes,
        body_timeout: snapshot.gateway.timeouts.body,
    };
    Ok(Ready {
        entry,
        method: parts.method.clone(),
        head,
        body,
        framing,
        limits,
        patience: patience::of(&parts.headers),
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
