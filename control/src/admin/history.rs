//! What functions did of late.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::names::NamesQuery;
use super::problem::Problem;
use super::query::query;
use super::{App, aside};

/// Of a request for what functions did, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// Only functions of these names, with commas between them, at most 100; all if left out.
    names: Option<String>,
    /// Only looks later than this, in milliseconds since 1970, such as the last one of the answer
    /// before.
    since: Option<u64>,
    /// Only the last looks, so many; all that are remembered if left out.
    last: Option<u32>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    asked: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let HistoryQuery { names, since, last } = query(asked)?;
    let last = last.map_or(usize::MAX, |last| last as usize);
    let names = NamesQuery { names }.names(&app.state.gateway.snapshot())?;
    aside(move || {
        let which = (since.unwrap_or(0), last);
        Json(app.history.read(|name| names.has(name), which)).into_response()
    })
    .await
}
