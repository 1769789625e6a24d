//! One request: route, admit, acquire, forward, record.

mod acquire;
pub(crate) mod admit;
mod answer;
mod encode;
mod forward;
pub(crate) mod mirror;
pub(crate) mod patience;
mod redirect;
mod route;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HeaderValue, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::{HeaderName, Request, Response, StatusCode};
use hyper::body::Incoming;
use stoker_config::Contract;

use crate::access::{Admission, Refusal};
use crate::body::RequestBody;
use crate::caller::Caller;
use crate::gateway::{Entry, Gateway};
use crate::identity::{REQUEST_ID, RequestId};
use crate::link::OurTurn;
use crate::metrics::Record;
use crate::problem::{ORIGIN, Problem, ProblemKind, grpc};
use crate::response::ResponseBody;
use crate::tls::TlsInfo;
use crate::upgrade::Upgrade;
use crate::upstream::{Head, ResponseHead};

/// Where the time went, in milliseconds.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Answers one request as its listener wants it.
pub(crate) async fn answer(
    gateway: &Gateway,
    caller: &Caller,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let mut response = match caller.redirect() {
        Some(port) => redirect::redirect(gateway, caller, request, port),
        None => serve(gateway, caller, request).await,
    };
    if let Some(hsts) = caller.tls().and_then(TlsInfo::hsts) {
        let headers = response.headers_mut();
        headers
            .entry(STRICT_TRANSPORT_SECURITY)
            .or_insert_with(|| hsts.clone());
    }
    response
}

async fn serve(
    gateway: &Gateway,
    caller: &Caller,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let mut record = Record::new(Instant::now());
    let mut turn = caller.link().begin();
    let (mut parts, body) = request.into_parts();
    let mut id = RequestId::of(&parts.headers);
    let telemetry = gateway.telemetry();
    telemetry.sample(&mut id);
    let wish = Wish {
        grpc: grpc::is_call(&parts.headers),
        upgrade: Upgrade::take(&mut parts),
    };
    let prepared = ask(gateway, caller, &parts, body, (&id, &wish)).await;
    let (entry, key) = match &prepared {
        Ok(ready) => (Some(&*ready.entry), ready.key()),
        Err(stop) => (stop.entry.as_deref(), stop.key.as_ref()),
    };
    record.set_journal(telemetry.journal(gateway, caller, parts, (&id, entry, record.phases)));
    record.set_key(key);
    let mut ready = match prepared {
        Ok(ready) => ready,
        Err(stop) => return stop.into_response(gateway, record, (&id, wish.grpc), turn),
    };
    let entry = Arc::clone(&ready.entry);
    record.routed(Arc::clone(gateway.account(&entry)));
    let grace = ready.limits.stream_grace;
    let cookie = ready.cookie.take();
    let mut admission = ready.admission.take();
    turn.place = admission
        .as_mut()
        .and_then(|admission| admission.take_place());
    let answer = forward::forward(gateway, ready, &mut record, &mut turn.watchdog).await;
    let mut response = match answer {
        Ok(answer) if wish.mistakes(&answer.head) => {
            let detail = "the function answered a request for another protocol as a plain one";
            let problem = Problem::new(ProblemKind::InvalidResponse, detail);
            let mut transfer = answer.transfer;
            transfer.record.problem(problem.kind);
            problem.into_response(Some(&entry.spec.name), (&id, false), turn)
        }
        Ok(answer) => answer.complete(wish.upgrade, (caller, grace), (&id, turn)),
        Err(problem) => {
            record.problem(problem.kind);
            problem.into_response(Some(&entry.spec.name), (&id, wish.grpc), turn)
        }
    };
    if let Some(admission) = &admission {
        admission.decorate(response.headers_mut());
    }
    if let Some(told) = &entry.told {
        let headers = response.headers_mut();
        headers.append(SERVER_TIMING, told.clone());
        if let Some(cookie) = cookie {
            headers.append(SET_COOKIE, cookie);
        }
    }
    response
}

/// Routes and admits, waiting once for keys that are being fetched.
async fn ask(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    body: Incoming,
    of: (&RequestId, &Wish),
) -> Result<Ready, Stop> {
    let mut body = Some(body);
    match prepare(gateway, caller, parts, &mut body, of) {
        Err(Stop {
            refusal: Refusal::Wait(keys),
            ..
        }) => {
            keys.done().await;
            prepare(gateway, caller, parts, &mut body, of)
        }
        prepared => prepared,
    }
}

/// A request that does not go on, and the function that it was for if that is known.
struct Stop {
    entry: Option<Arc<Entry>>,
    /// The id of the key that was presented.
    key: Option<Arc<str>>,
    refusal: Refusal,
}

impl Stop {
    /// Of a request that was let in, and is refused for another reason.
    fn admitted(mut problem: Problem, admission: Option<&Admission>) -> Self {
        let Some(admission) = admission else {
            return Stop::from(problem);
        };
        admission.decorate(&mut problem.headers);
        Stop {
            key: admission.key.clone(),
            ..Stop::from(problem)
        }
    }

    /// The answer, counted.
    fn into_response(
        self,
        gateway: &Gateway,
        mut record: Record,
        (id, grpc): (&RequestId, bool),
        turn: OurTurn,
    ) -> Response<ResponseBody> {
        let problem = match self.refusal {
            Refusal::Preflight(headers) => {
                record.own(StatusCode::NO_CONTENT);
                return preflight(headers, id, turn);
            }
            Refusal::Problem(problem) => problem,
            // It waited once, and that is enough.
            Refusal::Wait(_) => {
                Problem::new(ProblemKind::KeysUnavailable, "keys are being fetched")
            }
        };
        match &self.entry {
            Some(entry) => record.routed(Arc::clone(gateway.account(entry))),
            None => gateway.metrics().unrouted(problem.kind),
        }
        record.problem(problem.kind);
        let function = self.entry.as_ref().map(|entry| &*entry.spec.name);
        problem.into_response(function, (id, grpc), turn)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop {
            entry: None,
            key: None,
            refusal: problem.into(),
        }
    }
}

/// The answer to a page's question whether it may ask.
fn preflight(headers: http::HeaderMap, id: &RequestId, turn: OurTurn) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(bytes::Bytes::new(), turn));
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
    headers.insert(REQUEST_ID, id.to_header());
    response
}

/// What the request is besides a plain one.
struct Wish {
    /// A gRPC call.
    grpc: bool,
    /// It asks for another protocol.
    upgrade: Option<Upgrade>,
}

impl Wish {
    fn mistakes(&self, head: &ResponseHead) -> bool {
        let upgrade = self.upgrade.as_ref().filter(|_| head.upgrade.is_none());
        upgrade.is_some_and(|upgrade| upgrade.is_mistaken_for(head.status))
    }
}

/// A request whose function is known and which may wait for a slot.
struct Ready {
    entry: Arc<Entry>,
    /// Keeps the caller at this revision.
    cookie: Option<HeaderValue>,
    method: http::Method,
    head: Head,
    body: RequestBody,
    framing: crate::upstream::Framing,
    limits: Limits,
    /// It may go on for as long as both sides like.
    stream: bool,
    /// Of a function that not everybody may call.
    admission: Option<Box<Admission>>,
    /// How long the caller says that it waits.
    patience: Option<Duration>,
    /// A gRPC call's own deadline.
    deadline: Option<Duration>,
}

impl Ready {
    /// The id of the key that was presented.
    fn key(&self) -> Option<&Arc<str>> {
        self.admission.as_ref()?.key.as_ref()
    }
}

/// The gateway's settings that the request goes by.
#[derive(Clone, Copy)]
struct Limits {
    header_bytes: usize,
    body_timeout: Duration,
    stream_grace: Duration,
}

/// Routes and admits: everything that needs no waiting, under one snapshot. The body is taken only
/// from a request that goes on.
fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    body: &mut Option<Incoming>,
    (id, wish): (&RequestId, &Wish),
) -> Result<Ready, Stop> {
    let snapshot = gateway.load();
    admit::head(parts, &snapshot.gateway.limits)?;
    let host = admit::host(parts)?;
    admit::authority(&snapshot, caller, host)?;
    let path = route::path(parts)?;
    let mut routed = route::route(&snapshot, host, &path, parts)?;
    let (split, cookie) = route::choose(&mut routed, (caller, parts));
    let entry = Arc::clone(routed.target);
    gateway
        .budgets
        .check(&entry.spec.name)
        .map_err(|problem| Stop {
            entry: Some(Arc::clone(&entry)),
            ..Stop::from(problem)
        })?;
    let admission = admit::access(gateway, &snapshot, &entry, (caller, parts))?;
    let both = caller.link().has_both();
    let announced = admit::length(parts, entry.spec.limits.body_bytes, both)
        .map_err(|problem| Stop::admitted(problem, admission.as_deref()))?;

    let body = body
        .take()
        .expect("the body is taken once, as the request goes on once");
    let mut body = RequestBody::new(body, entry.spec.limits.body_bytes);
    let framing = body.framing(announced);
    let upgrade = wish.upgrade.as_ref().map(|upgrade| &upgrade.protocol);
    let from = encode::HeadParts {
        parts,
        caller,
        host,
        id,
        framing,
        upgrade: upgrade.filter(|_| entry.spec.contract == Contract::Http),
        admission: admission.as_deref(),
        mirrored: false,
    };
    let head = encode::encode_head(&from, &routed)?;
    let limits = Limits {
        header_bytes: snapshot.gateway.limits.header_bytes,
        body_timeout: snapshot.gateway.timeouts.body,
        stream_grace: snapshot.gateway.timeouts.stream_grace,
    };
    let stream = wish.grpc || upgrade.is_some();
    if let Some(split) = split.filter(|_| !stream) {
        let on = (gateway, &**snapshot);
        mirror::copy(on, split, (&from, &routed), (&mut body, limits));
    }
    Ok(Ready {
        entry,
        cookie,
        method: parts.method.clone(),
        head,
        body,
        framing,
        limits,
        stream,
        admission,
        patience: patience::of(&parts.headers),
        deadline: wish
            .grpc
            .then(|| patience::of_call(&parts.headers))
            .flatten(),
    })
}
