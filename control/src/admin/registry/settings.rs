//! What instances are told in their environment, and is no secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::Response;

use super::super::problem::Problem;
use super::super::query::json_body_of;
use super::super::token::Caller;
use super::{App, ask, author, change, noted};

/// Of the JSON; the store bounds what it says.
const MOST_BYTES: usize = 512 << 10;

pub(in crate::admin) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<BTreeMap<String, String>>, Problem> {
    let settings = ask(&app, &name, |store, name| match store.function(name)? {
        Some(_) => store.settings(name),
        None => Err(stoker_registry::StoreError::UnknownFunction(
            name.to_owned(),
        )),
    });
    settings.await.map(Json)
}

pub(in crate::admin) async fn set(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "send {\"KEY\": \"value\"} with all settings that the function is to have";
    let settings: BTreeMap<String, String> = json_body_of(body, form, MOST_BYTES).await?;
    let keys: Vec<&str> = settings.keys().map(String::as_str).collect();
    let keys = keys.join(" ");
    let author = author(&caller, "new settings");
    let (made, now) = change(&app, &name, move |store, name| {
        let made = store.set_settings(name, &settings, &author)?;
        Ok((made, settings))
    })
    .await?;
    let revision = made.map_or(String::new(), |made| format!(", revision {}", made.number));
    Ok(noted(format!("settings {keys}{revision}"), Json(now)))
}
