//! A revision that is tried step by step.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::problem::{Kind, Problem};
use super::super::query::json_body;
use super::super::token::Caller;
use super::{App, aside, noted, own, refused};
use crate::canary::{Canaries, CanaryError, CanaryState, Plan};

const FORM: &str = "send {\"revision\": 4, \"steps\": [5, 25, 50, 100], \"interval\": \"5m\"}";

pub(in crate::admin) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<CanaryState>, Problem> {
    let state = ask(&app, &name, |canaries, name| canaries.status(name)).await?;
    let none = || {
        let detail = format!("no revision of {name:?} was ever tried step by step");
        Problem::new(Kind::UnknownCanary, detail)
    };
    state.map(Json).ok_or_else(none)
}

pub(in crate::admin) async fn begin(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, Problem> {
    let plan: Plan = json_body(body, FORM).await?;
    own(&app, &name)?;
    let what = format!("a canary of revision {}", plan.revision);
    let who = caller.name.to_string();
    let state = ask(&app, &name, move |canaries, name| {
        canaries.begin(name, &plan, &who)
    });
    let answer = (StatusCode::CREATED, Json(state.await?));
    Ok(noted(what, answer))
}

pub(in crate::admin) async fn end(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    own(&app, &name)?;
    let who = caller.name.to_string();
    let state = ask(&app, &name, move |canaries, name| {
        canaries.abort(name, &who)
    })
    .await?;
    let what = format!("the canary of revision {} is ended", state.revision);
    Ok(noted(what, Json(state)))
}

/// Asks the canaries, away from the threads that drive the scaler.
async fn ask<T: Send + 'static>(
    app: &Arc<App>,
    name: &str,
    question: impl FnOnce(&Canaries, &str) -> Result<T, CanaryError> + Send + 'static,
) -> Result<T, Problem> {
    app.registry()?;
    let canaries = app.state.canaries.clone().ok_or_else(|| {
        let detail = "the registry could not be opened when the gateway started";
        Problem::new(Kind::Unavailable, detail)
    })?;
    let owned = name.to_owned();
    let answer = aside(move || question(&canaries, &owned)).await?;
    answer.map_err(|error| match error {
        CanaryError::Invalid(detail) => Problem::new(Kind::InvalidRevision, detail),
        CanaryError::Conflict(detail) => Problem::new(Kind::RevisionConflict, detail),
        CanaryError::Store(error) => refused(app, name, &error),
    })
}
