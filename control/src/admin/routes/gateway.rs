//! The routes of the gateway itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::on;
use serde_json::json;

use super::super::history::HistoryQuery;
use super::super::names::NamesQuery;
use super::super::problem::{Kind, Problem};
use super::super::query::{EvictQuery, RecordQuery, StartsQuery};
use super::super::route::{
    ADMIN, Answer, BLANK, LINES, READER, Route, Verb, body, json, schema, text,
};
use super::super::{
    App, aside, evict, functions, gateway, history, openapi, prepared, record, starts, stats,
    upgrade,
};
use crate::wire::{
    Evicted, GatewayInfo, Health, History, InstanceInfo, PreparedInfo, Reloaded, StartedInfo,
    Stats, Upgrade, Upgraded,
};

/// What Prometheus expects of the text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4";

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/healthz",
        role: None,
        id: "health",
        summary: "Whether the process lives",
        answers: &[json::<Health>(200, "It does")],
        handler: |method| on(method, healthz),
        ..BLANK
    },
    Route {
        path: "/readyz",
        role: None,
        id: "readiness",
        summary: "Whether the gateway takes requests",
        answers: &[json::<Health>(200, "It does")],
        problems: &[Kind::NotReady],
        handler: |method| on(method, readyz),
        ..BLANK
    },
    Route {
        path: "/v1/openapi.json",
        role: None,
        id: "openapi",
        summary: "This document",
        answers: &[json::<serde_json::Map<String, serde_json::Value>>(
            200,
            "OpenAPI 3.1",
        )],
        handler: |method| on(method, openapi::show),
        ..BLANK
    },
    Route {
        path: "/metrics",
        role: READER,
        id: "metrics",
        summary: "The metrics, for Prometheus",
        answers: &[text(200, "The text format of Prometheus", "text/plain")],
        handler: |method| on(method, metrics),
        ..BLANK
    },
    Route {
        path: "/v1/gateway",
        role: READER,
        id: "show_gateway",
        summary: "The gateway and its configuration",
        answers: &[json::<GatewayInfo>(200, "The gateway")],
        handler: |method| on(method, gateway::show),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/reload",
        role: ADMIN,
        id: "reload",
        summary: "Read the configuration again",
        answers: &[json::<Reloaded>(200, "What changed")],
        problems: &[Kind::InvalidConfiguration],
        handler: |method| on(method, gateway::reload),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/upgrade",
        role: ADMIN,
        id: "upgrade",
        summary: "Have a new process of the gateway take over",
        request: &[body::<Upgrade>()],
        answers: &[json::<Upgraded>(200, "It has taken over")],
        problems: &[Kind::UpgradeFailed],
        handler: |method| on(method, upgrade::upgrade),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/evict",
        role: ADMIN,
        id: "evict_all",
        summary: "Stop the instances of all functions",
        query: Some(schema::<EvictQuery>),
        answers: EVICTED,
        handler: |method| on(method, evict::all),
        ..BLANK
    },
    Route {
        path: "/v1/instances",
        role: READER,
        id: "list_instances",
        summary: "The instances of all functions",
        answers: &[json::<Vec<InstanceInfo>>(200, "Each of them")],
        handler: |method| on(method, functions::instances),
        ..BLANK
    },
    Route {
        path: "/v1/prepared",
        role: READER,
        id: "list_prepared",
        summary: "The processes that are kept ready to become instances",
        answers: &[json::<Vec<PreparedInfo>>(200, "Each of them")],
        handler: |method| on(method, prepared::list),
        ..BLANK
    },
    Route {
        path: "/v1/record",
        role: READER,
        id: "export_record",
        summary: "What happened to the functions, as far as it is kept",
        query: Some(schema::<RecordQuery>),
        answers: &[
            text(
                200,
                "A trace, or all that happened, line by line",
                "text/csv",
            ),
            LINES,
        ],
        problems: &[Kind::Busy, Kind::UnknownFunction],
        handler: |method| on(method, record::export),
        ..BLANK
    },
    Route {
        path: "/v1/starts",
        role: READER,
        id: "list_starts",
        summary: "The starts of late, newest first",
        query: Some(schema::<StartsQuery>),
        answers: &[json::<Vec<StartedInfo>>(200, "Each of them")],
        handler: |method| on(method, starts::list),
        ..BLANK
    },
    Route {
        path: "/v1/history",
        role: READER,
        id: "history",
        summary: "Rate, latency, instances and queue of the functions of late",
        query: Some(schema::<HistoryQuery>),
        answers: &[json::<History>(200, "Look by look")],
        handler: |method| on(method, history::show),
        ..BLANK
    },
    Route {
        path: "/v1/stats",
        role: READER,
        id: "stats",
        summary: "The counters of requests",
        query: Some(schema::<NamesQuery>),
        answers: &[json::<Stats>(200, "By function and revision")],
        handler: |method| on(method, stats::show),
        ..BLANK
    },
];

/// Of both evictions.
pub(super) const EVICTED: &[Answer] = &[
    json::<Evicted>(200, "They are gone"),
    json::<Evicted>(202, "Some are not gone yet"),
];

/// The process lives.
async fn healthz() -> Response {
    let alive = Json(json!({"status": "alive"}));
    ([(CACHE_CONTROL, "no-store")], alive).into_response()
}

/// The gateway takes requests.
async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    match app.state.readiness.hindrance() {
        Some(hindrance) => Err(Problem::new(Kind::NotReady, hindrance)),
        None => {
            let ready = Json(json!({"status": "ready"}));
            Ok(([(CACHE_CONTROL, "no-store")], ready).into_response())
        }
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    match aside(move || app.state.gateway.encode_metrics()).await? {
        Ok(text) => Ok(([(CONTENT_TYPE, METRICS_TYPE)], text).into_response()),
        Err(error) => Err(Problem::new(
            Kind::Internal,
            format!("the metrics cannot be encoded: {error}"),
        )),
    }
}
