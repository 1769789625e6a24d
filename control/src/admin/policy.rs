//! Promoting what was tried, and going back.

use std::path::Path as File;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use stoker_config::FunctionSpec;
use stoker_gateway::Snapshot;

use super::problem::{Kind, Problem, find};
use super::{App, aside};
use crate::policies;
use crate::wire::PolicyHistory;

pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<PolicyHistory>, Problem> {
    let snapshot = app.state.gateway.snapshot();
    let spec = Arc::clone(&find(&snapshot, &name)?.spec);
    let read = aside(move || {
        let state_dir = &snapshot.gateway.state_dir;
        let mut history = policies::history(state_dir, &spec)?;
        let revisions = snapshot.functions.get(&spec.name).map(|it| it.revisions());
        let revisions = revisions.unwrap_or_default().iter().map(|it| &it.spec);
        history.apart = policies::apart(state_dir, revisions);
        Ok(history)
    });
    let read: std::io::Result<PolicyHistory> = read.await?;
    read.map(Json).map_err(|error| {
        let detail = format!("the history of policies cannot be read: {error}");
        Problem::new(Kind::Internal, detail)
    })
}

pub(super) async fn promote(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<PolicyHistory>, Problem> {
    change(&app, &name, policies::promote).await
}

pub(super) async fn roll_back(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<PolicyHistory>, Problem> {
    change(&app, &name, policies::roll_back).await
}

/// The newest revision of a function that was published.
pub(super) fn newest(snapshot: &Snapshot, function: &str) -> Option<u32> {
    let deployment = snapshot.functions.get(function)?.deployment()?;
    deployment.revisions.iter().map(|it| it.number).max()
}

/// Changes what is remembered, one at a time, and takes it into effect.
async fn change(
    app: &Arc<App>,
    name: &str,
    how: fn(&File, &FunctionSpec, Option<u32>) -> Result<PolicyHistory, String>,
) -> Result<Json<PolicyHistory>, Problem> {
    let _one = app.policies.lock().await;
    let snapshot = app.state.gateway.snapshot();
    let spec = Arc::clone(&find(&snapshot, name)?.spec);
    let newest = newest(&snapshot, &spec.name);
    let changed = aside(move || how(&snapshot.gateway.state_dir, &spec, newest)).await?;
    let history = changed.map_err(|detail| Problem::new(Kind::PolicyConflict, detail))?;
    app.state.reloader.reload().await.map_err(|error| {
        let detail =
            format!("it is remembered, and takes effect once the configuration is valid: {error}");
        Problem::new(Kind::InvalidConfiguration, detail)
    })?;
    Ok(Json(history))
}
