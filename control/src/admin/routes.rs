//! Which path is answered by what.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use serde_json::json;

use super::problem::{Kind, Problem};
use super::{
    App, aside, evict, explain, functions, gateway, keys, logs, policy, prepared, record, scale,
    starts, stats, upgrade,
};

/// What Prometheus expects of the text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4";

/// All routes, without any question who asks.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/gateway", get(gateway::show))
        .route("/v1/reload", post(gateway::reload))
        .route("/v1/upgrade", post(upgrade::upgrade))
        .route("/v1/functions", get(functions::list))
        .route("/v1/functions/{name}", get(functions::show))
        .route("/v1/functions/{name}/explain", get(explain::show))
        .route("/v1/functions/{name}/logs", get(logs::read))
        .route("/v1/functions/{name}/policy", get(policy::history))
        .route("/v1/functions/{name}/policy/promote", post(policy::promote))
        .route(
            "/v1/functions/{name}/policy/rollback",
            post(policy::roll_back),
        )
        .route("/v1/functions/{name}/scale", post(scale::scale))
        .route("/v1/functions/{name}/evict", post(evict::one))
        .route("/v1/evict", post(evict::all))
        .route("/v1/instances", get(functions::instances))
        .route("/v1/prepared", get(prepared::list))
        .route("/v1/keys", get(keys::list).post(keys::create))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/keys/{id}/rotate", post(keys::rotate))
        .route("/v1/record", get(record::export))
        .route("/v1/starts", get(starts::list))
        .route("/v1/stats", get(stats::show))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .with_state(app)
}

/// The process lives.
async fn healthz() -> Response {
    (
        [(CACHE_CONTROL, "no-store")],
        Json(json!({"status": "alive"})),
    )
        .into_response()
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

async fn unknown(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(100).collect();
    let detail = format!(
        "there is no {path:?} here; the admin API is /healthz, /readyz, /metrics, /v1/gateway, \
         /v1/functions, /v1/functions/NAME, its /logs, /scale and /evict, /v1/instances, /v1/starts, \
         /v1/stats, /v1/keys, /v1/evict, /v1/reload and /v1/upgrade"
    );
    Problem::new(Kind::UnknownRoute, detail)
}

async fn not_allowed(method: Method) -> Problem {
    let right = match method {
        Method::POST => "send GET",
        Method::GET | Method::HEAD => "send POST",
        _ => "the header \"allow\" names what does",
    };
    Problem::new(
        Kind::MethodNotAllowed,
        format!("{method} means nothing here; {right}"),
    )
}
