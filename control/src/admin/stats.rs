//! The counters of requests as numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use super::{App, aside};
use crate::wire::{FunctionStats, Latencies, Stats};

pub(super) async fn show(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    aside(move || {
        let stats = Stats {
            since_ms: app.since_ms,
            functions: app.state.gateway.stats().into_iter().map(of).collect(),
        };
        Json(stats).into_response()
    })
    .await
}

fn of(stats: stoker_gateway::FunctionStats) -> FunctionStats {
    FunctionStats {
        function: stats.function,
        revision: stats.revision,
        from_function: stats.from_function,
        from_gateway: stats.from_gateway,
        incomplete: stats.incomplete,
        started: stats.started,
        start_failures: stats.start_failures,
        warm: latencies(stats.warm),
        cold: latencies(stats.cold),
        thawed: latencies(stats.thawed),
    }
}

fn latencies(latencies: stoker_gateway::Latencies) -> Latencies {
    Latencies {
        count: latencies.count,
        sum_seconds: latencies.sum_seconds,
        buckets: latencies.buckets,
    }
}
