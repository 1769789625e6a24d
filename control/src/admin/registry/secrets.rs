//! Secrets: set and deleted here, and told to nobody.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use stoker_registry::{Place, SecretInfo, SecretValue, StoreError};

use super::super::problem::Problem;
use super::super::query::secret_body;
use super::super::token::Caller;
use super::{App, ask, author, change, noted};
use crate::wire::{SecretPlace, SecretRequest, SecretSummary};

/// Of the JSON, in which each byte may take six.
const MOST_BYTES: usize = 512 << 10;

pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<SecretSummary>>, Problem> {
    let secrets = ask(&app, &name, |store, name| match store.function(name)? {
        Some(_) => store.secrets(name),
        None => Err(StoreError::UnknownFunction(name.to_owned())),
    });
    Ok(Json(secrets.await?.into_iter().map(summary).collect()))
}

pub(in crate::admin) async fn set(
    State(app): State<Arc<App>>,
    Path((name, key)): Path<(String, String)>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "send {\"value\": \"...\", \"as\": \"environment\"}, or \"file\"";
    let SecretRequest { value, place } = secret_body(body, form, MOST_BYTES).await?;
    let value = SecretValue::new(value);
    let place = match place {
        SecretPlace::Environment => Place::Environment,
        SecretPlace::File => Place::File,
    };
    let author = author(&caller, "");
    let what = format!("secret {key}");
    let info = change(&app, &name, move |store, name| {
        store.set_secret(name, (&key, place, &value), &author)
    })
    .await?;
    let what = format!("{what}, version {}", info.version);
    Ok(noted(what, Json(summary(info))))
}

pub(in crate::admin) async fn delete(
    State(app): State<Arc<App>>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let what = format!("secret {key} is gone");
    change(&app, &name, move |store, name| {
        store.delete_secret(name, &key)
    })
    .await?;
    Ok(noted(what, StatusCode::NO_CONTENT))
}

fn summary(info: SecretInfo) -> SecretSummary {
    SecretSummary {
        key: info.key,
        place: match info.place {
            Place::Environment => "environment".to_owned(),
            Place::File => "file".to_owned(),
        },
        version: info.version,
        updated_ms: info.updated_ms,
        updated_by: info.updated_by,
    }
}
