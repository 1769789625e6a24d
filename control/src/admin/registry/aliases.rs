//! Names of revisions.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::problem::Problem;
use super::super::query::json_body;
use super::{App, ask, change, noted};
use crate::wire::{AliasInfo, AliasRequest};

pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<AliasInfo>>, Problem> {
    let aliases = ask(&app, &name, |store, name| store.aliases(name)).await?;
    let info = |(alias, revision)| AliasInfo { alias, revision };
    Ok(Json(aliases.into_iter().map(info).collect()))
}

pub(in crate::admin) async fn set(
    State(app): State<Arc<App>>,
    Path((name, alias)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Problem> {
    let wanted: AliasRequest = json_body(body, "send {\"revision\": 3}").await?;
    let revision = wanted.revision;
    let info = AliasInfo { alias, revision };
    let alias = info.alias.clone();
    change(&app, &name, move |store, name| {
        store.set_alias(name, &alias, revision)
    })
    .await?;
    let what = format!("{name}:{} is revision {revision}", info.alias);
    Ok(noted(what, Json(info)))
}

pub(in crate::admin) async fn delete(
    State(app): State<Arc<App>>,
    Path((name, alias)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let what = format!("{name}:{alias} is gone");
    change(&app, &name, move |store, name| {
        store.delete_alias(name, &alias)
    })
    .await?;
    Ok(noted(what, StatusCode::NO_CONTENT))
}
