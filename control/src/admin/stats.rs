//! The counters of requests as numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use super::{App, aside};
use crate::wire::Stats;

pub(super) async fn show(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    aside(move || {
        let stats = Stats {
            since_ms: app.since_ms,
            functions: app.state.gateway.stats(),
        };
        Json(stats).into_response()
    })
    .await
}
