//! Why a function has the instances that it has, and what other settings would have given.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use stoker_config::{Changes, parse_duration};
use stoker_core::InstanceId;
use stoker_gateway::{Entry, Fare, ShadowStatus};
use stoker_scaler::logs::LogTime;
use stoker_scaler::record::{Chunk, RecordSettings};

use super::functions::millis;
use super::problem::{Kind, Problem, find};
use super::query::{ExplainQuery, query};
use super::{App, address, aside};
use crate::counterfactual::{Recorded, counterfactual};
use crate::explain::{now, past};
use crate::policies;
use crate::wire::{Counterfactual, Explanation, Outcome, ShadowInfo};

/// What counterfactuals replay.
const REPLAYED: Duration = Duration::from_secs(3600);

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = query(asked)?;
    let entry = Arc::clone(find(&app.state.gateway.snapshot(), &name)?);
    let at = asked.at.as_deref().map(time).transpose()?;
    if at.is_some_and(|at| at > RecordSettings::ago(Duration::ZERO)) {
        let detail = "at is a time that has passed, or how long ago".to_owned();
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let changes: Option<Changes> = match asked.counterfactual.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map_err(|error: String| {
            Problem::new(Kind::BadRequest, format!("the counterfactual: {error}"))
        })?),
    };
    let place = match (&at, &changes) {
        (None, None) => None,
        _ => Some(app.export_place()?),
    };
    let explanation = aside(move || {
        let mut explanation = match at {
            None => present(&app, &entry),
            Some(at) => {
                let chunks = recorded(&app, &entry, 0);
                past(&address::name(&entry), &chunks, &living(&app, &entry), at)
            }
        };
        if let Some(changes) = &changes {
            explanation.counterfactual = Some(replayed(&app, &entry, changes)?);
        }
        drop(place);
        Ok(Json(explanation).into_response())
    });
    explanation.await?
}

/// Why its primary revision has its instances, and then each of the others that has some.
fn present(app: &App, entry: &Arc<Entry>) -> Explanation {
    let revisions = entry.revisions();
    let name = match revisions {
        [_] => address::name(entry),
        _ => address::of_revision(entry),
    };
    let mut explanation = explained(app, entry, name);
    explanation.function = address::name(entry);
    let other = |it: &&Arc<Entry>| !Arc::ptr_eq(&it.function, &entry.function);
    for revision in revisions.iter().filter(other) {
        let more = explained(app, revision, address::of_revision(revision));
        if !more.instances.is_empty() {
            explanation.sentences.extend(more.sentences);
            explanation.instances.extend(more.instances);
        }
    }
    let shadows = app.state.gateway.shadows();
    let status = shadows.get(&entry.spec.name);
    explanation.shadow = status.map(|status| shadow(status, entry));
    explanation
}

/// Why one revision has its instances.
fn explained(app: &App, entry: &Entry, name: String) -> Explanation {
    let explained = entry.function.explain();
    let scaler = app.state.gateway.scaler();
    // After the look: an age is never negative.
    let time = scaler.clock().now();
    let mut explanation = now(&name, &explained, &entry.spec.scaling, time);
    explanation.at_us = scaler.record().unix_micros(time);
    explanation
}

/// As programs see it.
fn shadow(status: &ShadowStatus, entry: &Entry) -> ShadowInfo {
    let tried = Changes::of_shadow(&entry.spec.manifest);
    ShadowInfo {
        policy: status.policy.clone(),
        changes: tried.map_or_else(|_| String::new(), |(_, changes)| changes.to_string()),
        seconds: status.age.as_secs_f64(),
        instances: status.shadow.instances,
        shadow: fare(&status.shadow),
        live: fare(&status.live),
    }
}

fn fare(fare: &Fare) -> Outcome {
    Outcome {
        requests: fare.requests,
        delayed: fare.delayed,
        refused: fare.refused,
        wait_p50_ms: Some(millis(fare.wait_p50)),
        wait_p99_ms: Some(millis(fare.wait_p99)),
        wait_max_ms: millis(fare.wait_max),
        starts: fare.starts,
        instance_seconds: fare.instance_seconds,
    }
}

/// The last hour under other settings.
pub(super) fn replayed(
    app: &App,
    entry: &Arc<Entry>,
    changes: &Changes,
) -> Result<Counterfactual, Problem> {
    let spec = &entry.spec;
    let snapshot = app.state.gateway.snapshot();
    let state_dir = &snapshot.gateway.state_dir;
    let all = policies::active(state_dir, spec).and(changes);
    let changed = all.apply_to(spec).map_err(|errors| {
        let errors = errors.iter().map(ToString::to_string).collect();
        Problem::new(Kind::BadRequest, "these settings are not valid").with_errors(errors)
    })?;
    let since = RecordSettings::ago(REPLAYED);
    let chunks = recorded(app, entry, since);
    let record = Recorded::new(chunks, &living(app, entry), since);
    let starts = snapshot.gateway.starts.limits();
    Ok(counterfactual(
        (spec, &changed),
        changes,
        (&record, &starts),
    ))
}

/// What happened to all of its revisions, or to this one.
fn recorded(app: &App, entry: &Entry, since: u64) -> Vec<Arc<Chunk>> {
    let scaler = app.state.gateway.scaler();
    let mut chunks = scaler.recorded(Some(&entry.spec.name), since);
    if let Some(revision) = address::revision(entry) {
        chunks.retain(|chunk| chunk.revision == revision);
    }
    chunks
}

/// The instances, and when they were asked for.
fn living(app: &App, entry: &Arc<Entry>) -> Vec<(InstanceId, u64)> {
    let record = app.state.gateway.scaler().record();
    let revisions = entry.revisions().iter();
    let instances = revisions.flat_map(|it| it.function.view().pool.instances);
    let instances = instances.map(|view| (view.id, record.unix_micros(view.created)));
    instances.collect()
}

/// How long ago, or a time of day in UTC; microseconds since 1970.
fn time(text: &str) -> Result<u64, Problem> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(RecordSettings::ago(ago));
    }
    // To the second is enough for people.
    let whole = match text.len() {
        20 => text.replacen('Z', ".000000Z", 1),
        _ => text.to_owned(),
    };
    whole.parse().map(LogTime::as_unix_micros).map_err(|_| {
        let detail = format!(
            "at is how long ago, such as \"10m\", or a time such as \"2026-11-21T19:30:00Z\", not \
             {text:?}"
        );
        Problem::new(Kind::BadRequest, detail)
    })
}
