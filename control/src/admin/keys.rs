//! Keys that open functions: made, listed, rotated and revoked.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use stoker_gateway::{KeyError, KeyInfo, KeyScope, KeyStore, NewKey, Snapshot};

use super::problem::{Kind, Problem, find};
use super::{App, aside, query};
use crate::wire::{CreatedKey, KeyRequest, KeySummary, RotationRequest};

/// The name of a key without one.
const NAME: &str = "default";
/// How long an old key stays valid if nothing is said.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<KeySummary>>, Problem> {
    let keys = store(&app);
    let list = aside(move || keys.list())
        .await?
        .map_err(|error| refused(&error))?;
    Ok(Json(list.into_iter().map(summary).collect()))
}

pub(super) async fn create(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let form = "send {\"scope\": \"function\", \"function\": \"NAME\", \"name\": \"ci\", \
                \"expires_in\": 86400}, or the scope \"host\" or \"master\" without a function";
    let wanted: KeyRequest = query::json_body(body, form).await?;
    let snapshot = app.state.gateway.snapshot();
    let scope = scope(&wanted, &snapshot, form)?;
    let name = wanted.name.unwrap_or_else(|| NAME.to_owned());
    let life = wanted.expires_in.map(Duration::from_secs);
    let (keys, limit) = (store(&app), snapshot.gateway.access.keys);
    let made = aside(move || keys.create(scope, &name, life, limit)).await?;
    created(made)
}

pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "send {\"overlap\": 3600}, in seconds, or {}";
    let wanted: RotationRequest = query::json_body(body, form).await?;
    let overlap = wanted.overlap.map_or(OVERLAP, Duration::from_secs);
    let limit = app.state.gateway.snapshot().gateway.access.keys;
    let keys = store(&app);
    let made = aside(move || keys.rotate(&id, overlap, limit)).await?;
    created(made)
}

pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<KeySummary>, Problem> {
    let keys = store(&app);
    let revoked = aside(move || keys.revoke(&id)).await?;
    Ok(Json(summary(revoked.map_err(|error| refused(&error))?)))
}

fn store(app: &App) -> Arc<KeyStore> {
    Arc::clone(app.state.gateway.keys())
}

fn scope(wanted: &KeyRequest, snapshot: &Snapshot, form: &str) -> Result<KeyScope, Problem> {
    match (wanted.scope.as_str(), &wanted.function) {
        ("function", Some(name)) => {
            let entry = find(snapshot, name)?;
            Ok(KeyScope::Function(Arc::clone(&entry.spec.name)))
        }
        ("host", None) => Ok(KeyScope::Host),
        ("master", None) => Ok(KeyScope::Master),
        _ => Err(Problem::new(
            Kind::InvalidKey,
            format!("the scope is not valid; {form}"),
        )),
    }
}

/// The key itself is in this answer and nowhere else, so nobody may keep the answer.
fn created(made: Result<NewKey, KeyError>) -> Result<Response, Problem> {
    let NewKey { info, secret } = made.map_err(|error| refused(&error))?;
    let created = CreatedKey {
        summary: summary(info),
        key: secret,
    };
    let no_store = [(CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, no_store, Json(created)).into_response())
}

fn refused(error: &KeyError) -> Problem {
    let kind = match error {
        KeyError::Unknown(_) => Kind::UnknownKey,
        KeyError::Taken(_) | KeyError::Rotating(_) | KeyError::Full(_) => Kind::KeyConflict,
        KeyError::Name(_) | KeyError::Expiry => Kind::InvalidKey,
        KeyError::Store(..) => Kind::Internal,
    };
    Problem::new(kind, error.to_string())
}

fn summary(info: KeyInfo) -> KeySummary {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (scope, function) = match &info.scope {
        KeyScope::Function(name) => ("function", Some(name.to_string())),
        KeyScope::Host => ("host", None),
        KeyScope::Master => ("master", None),
    };
    KeySummary {
        expired: info.is_expired(now),
        scope: scope.to_owned(),
        function,
        id: info.id,
        name: info.name,
        created: info.created,
        expires: info.expires,
    }
}
