//! The counters of requests as numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};

use super::names::NamesQuery;
use super::problem::Problem;
use super::query::query;
use super::{App, aside};
use crate::wire::Stats;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    asked: Result<Query<NamesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let names = query(asked)?.names(&app.state.gateway.snapshot())?;
    aside(move || {
        let mut functions = app.state.gateway.stats();
        functions.retain(|stats| names.has_revision(&stats.function, &stats.revision));
        let stats = Stats {
            since_ms: app.since_ms,
            functions,
        };
        Json(stats).into_response()
    })
    .await
}
