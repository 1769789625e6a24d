//! The starts of late, newest first.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use stoker_scaler::driver::StartTimings;
use stoker_scaler::{StartCause, StartRecord};

use super::address::Address;
use super::functions::{kind, millis};
use super::problem::Problem;
use super::query::{StartsQuery, query};
use super::{App, aside};
use crate::wire::{StartInfo, StartedInfo};

pub(super) async fn list(
    State(app): State<Arc<App>>,
    asked: Result<Query<StartsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let snapshot = app.state.gateway.snapshot();
    // One of a function that is gone is remembered too.
    let asked = query(asked)?.function;
    let address = asked
        .map(|name| Address::of(&snapshot, &name))
        .transpose()?;
    aside(move || {
        let function = address.as_ref().map(|it| it.function.as_str());
        let mut starts = app.state.gateway.scaler().starts(function);
        if let Some(address) = &address {
            starts.retain(|start| address.has(&start.function, &start.revision));
        }
        Json(starts.iter().map(started).collect::<Vec<_>>()).into_response()
    })
    .await
}

fn started(record: &StartRecord) -> StartedInfo {
    let since = record.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let failure = record.result.as_ref().err();
    let first = record.first_answer();
    StartedInfo {
        instance: record.instance.to_string(),
        function: record.function.to_string(),
        revision: record.revision.to_string(),
        at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        cause: match record.cause {
            StartCause::Request => "request".to_owned(),
            StartCause::Policy => "policy".to_owned(),
        },
        result: failure
            .map_or("ready", |failure| kind(failure.kind))
            .to_owned(),
        detail: failure.map(|failure| failure.detail.to_string()),
        pid: record.result.as_ref().ok().copied().flatten(),
        total_ms: millis(record.took),
        phases: phases(&record.timings),
        connect_ms: first.map(|first| millis(first.connect)),
        first_byte_ms: first.map(|first| millis(first.first_byte)),
    }
}

/// None for a start that nobody here has seen, or that failed.
pub(super) fn phases(timings: &StartTimings) -> Option<StartInfo> {
    (*timings != StartTimings::default()).then(|| StartInfo {
        decide_ms: millis(timings.decide),
        gate_ms: millis(timings.gate),
        prepare_ms: millis(timings.prepare),
        spawn_ms: millis(timings.spawn),
        clone_ms: millis(timings.clone),
        exec_ms: millis(timings.exec),
        listen_ms: millis(timings.listen),
        total_ms: millis(timings.total()),
    })
}
