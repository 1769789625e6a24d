//! One request: route, admit, acquire, forward, record.

mod acquire;
pub(crate) mod admit;
mod encode;
mod forward;
mod route;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::HeaderValue;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use stoker_config::Contract;

use crate::body::RequestBody;
use crate::caller::Caller;
use crate::drain;
use crate::gateway::{Entry, Gateway};
use crate::identity::{REQUEST_ID, RequestId};
use crate::link::OurTurn;
use crate::phases::Phases;
use crate::problem::{ORIGIN, Problem, grpc};
use crate::response::{ResponseBody, Transfer};
use crate::tunnel::{Drain, Tunnel};
use crate::upgrade::Upgrade;
use crate::upstream::Head;

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
    let mut turn = caller.link().begin();
    let (mut parts, body) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    let wish = Wish {
        grpc: grpc::is_call(&parts.headers),
        upgrade: Upgrade::take(&mut parts),
    };
    let ready = match prepare(gateway, caller, &parts, body, (&id, &wish)) {
        Ok(ready) => ready,
        Err(problem) => {
            gateway.metrics().unrouted(problem.kind.status());
            return problem.into_response(None, (&id, wish.grpc), turn);
        }
    };
    let entry = Arc::clone(&ready.entry);
    let grace = ready.limits.stream_grace;
    match forward::forward(gateway, ready, phases, &mut turn.watchdog).await {
        Ok(mut answer) => {
            let drain = answer
                .streams
                .then(|| drain::begun(caller.link().shutdown()));
            let upgrade = wish.upgrade.zip(answer.head.upgrade.take());
            match (drain, upgrade) {
                (Some(drain), Some(upgrade)) => {
                    answer.switch((drain, grace), upgrade, caller, (&id, turn))
                }
                (Some(drain), None) => {
                    answer.transfer.drained = Some(drain::over(drain, grace));
                    answer.into_response(&id, turn)
                }
                (None, _) => answer.into_response(&id, turn),
            }
        }
        Err(problem) => {
            if let Some(metrics) = entry.metrics.get() {
                metrics.problem(problem.kind.status());
            }
            problem.into_response(Some(&entry.spec.name), (&id, wish.grpc), turn)
        }
    }
}

/// What the request is besides a plain one.
struct Wish {
    /// A gRPC call.
    grpc: bool,
    /// It asks for another protocol.
    upgrade: Option<Upgrade>,
}

/// A request whose function is known and which may wait for a slot.
struct Ready {
    entry: Arc<Entry>,
    method: http::Method,
    head: Head,
    body: RequestBody,
    framing: crate::upstream::Framing,
    limits: Limits,
    /// It may go on for as long as both sides like.
    stream: bool,
}

/// The gateway's settings that the request goes by.
#[derive(Clone, Copy)]
struct Limits {
    header_bytes: usize,
    waiters: u32,
    body_timeout: Duration,
    stream_grace: Duration,
}

/// Routes and admits: everything that needs no waiting, under one snapshot.
fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    body: Incoming,
    (id, wish): (&RequestId, &Wish),
) -> Result<Ready, Problem> {
    let snapshot = gateway.load();
    admit::head(parts, &snapshot.gateway.limits)?;
    let host = admit::host(parts)?;
    let path = route::path(parts)?;
    let routed = route::route(&snapshot, host, &path, parts)?;
    let entry = Arc::clone(routed.target);
    let announced = admit::length(
        parts,
        entry.spec.limits.body_bytes,
        caller.link().has_both(),
    )?;

    let body = RequestBody::new(body, entry.spec.limits.body_bytes);
    let framing = body.framing(announced);
    let upgrade = wish.upgrade.as_ref().map(|upgrade| &upgrade.protocol);
    let head = encode::encode_head(
        &encode::HeadParts {
            parts,
            caller,
            host,
            id,
            framing,
            upgrade: upgrade.filter(|_| entry.spec.contract == Contract::Http),
        },
        &routed,
    )?;
    entry
        .metrics
        .get_or_init(|| gateway.metrics().function(&entry.spec.name));
    let limits = Limits {
        header_bytes: snapshot.gateway.limits.header_bytes,
        waiters: snapshot.gateway.limits.waiters,
        body_timeout: snapshot.gateway.timeouts.body,
        stream_grace: snapshot.gateway.timeouts.stream_grace,
    };
    Ok(Ready {
        entry,
        method: parts.method.clone(),
        head,
        body,
        framing,
        limits,
        stream: wish.grpc || upgrade.is_some(),
    })
}

impl forward::Answer {
    /// Adds what the gateway tells the caller.
    fn sign(&mut self, id: &RequestId) {
        let start = if self.transfer.lease.is_cold() {
            "cold"
        } else {
            "warm"
        };
        let headers = &mut self.head.headers;
        headers.insert(REQUEST_ID, id.to_header());
        headers.insert(ORIGIN, HeaderValue::from_static("function"));
        headers.insert(START, HeaderValue::from_static(start));
        headers.append(SERVER_TIMING, self.phases.server_timing());
    }

    /// Switches protocols: what follows goes through a tunnel, which takes the slot with it.
    fn switch(
        mut self,
        (drain, grace): (Drain, Duration),
        (upgrade, chosen): (Upgrade, HeaderValue),
        caller: &Caller,
        (id, turn): (&RequestId, OurTurn),
    ) -> Response<ResponseBody> {
        self.sign(id);
        let Transfer {
            exchange,
            lease,
            record,
            idle,
            deadline,
            ..
        } = *self.transfer;
        let tunnel = Tunnel {
            lease,
            record,
            turn,
            open: caller.link().hold(),
            websocket: upgrade.is_websocket(),
            idle,
            deadline,
            drain,
            grace,
        };
        let mut response = Response::new(ResponseBody::switched());
        *response.status_mut() = upgrade.answer(&mut self.head.headers, chosen);
        *response.headers_mut() = self.head.headers;
        // Only HTTP/1.1 switches, which has a socket.
        if let Some(socket) = exchange.into_socket() {
            tokio::spawn(tunnel.run(upgrade.on, socket));
        }
        response
    }

    fn into_response(mut self, id: &RequestId, turn: OurTurn) -> Response<ResponseBody> {
        self.sign(id);
        let forward::Answer { head, transfer, .. } = self;
        let mut response = Response::new(ResponseBody::transfer(transfer, turn));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
