//! Other settings of `[scaling]`: tried on what was recorded, and put in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::Value;
use stoker_config::Changes;

use super::explain::replayed;
use super::policy::newest;
use super::problem::{Kind, Problem, find};
use super::query::{self, json_body};
use super::registry::{in_force, noted};
use super::{App, aside};
use crate::policies;
use crate::wire::{Counterfactual, PolicyHistory};

const FORM: &str = "send keys of [scaling] and their values, as JSON such as {\"max-scale\": 20, \
    \"idle-timeout\": \"5m\"}, or in a manifest's words as application/toml";

/// The media type of TOML.
pub(super) const TOML: &str = "application/toml";

/// Keys of `[scaling]` and their values, as in a manifest.
pub(super) type ScalingKeys = BTreeMap<String, Value>;

/// Puts them in force, beside what was put in force before, as a version of the policy.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let changes = changes(&headers, body).await?;
    let _one = app.policies.lock().await;
    let snapshot = app.state.gateway.snapshot();
    let spec = Arc::clone(&find(&snapshot, &name)?.spec);
    let what = format!("scaling {changes}");
    let history: PolicyHistory = aside(move || {
        let state_dir = &snapshot.gateway.state_dir;
        let all = policies::active(state_dir, &spec).and(&changes);
        // It may have its name from elsewhere.
        all.apply_to(&spec).map_err(|errors| {
            let errors = errors.iter().map(ToString::to_string).collect();
            Problem::new(Kind::InvalidScale, "these settings are not valid").with_errors(errors)
        })?;
        let newest = newest(&snapshot, &spec.name);
        let set = policies::set(state_dir, (&spec, newest), &changes);
        set.map_err(|detail| Problem::new(Kind::PolicyConflict, detail))
    })
    .await??;
    in_force(&app).await?;
    Ok(noted(what, Json(history)))
}

/// Tells what they would have given in the last hour.
pub(super) async fn simulate(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Counterfactual>, Problem> {
    let changes = changes(&headers, body).await?;
    let entry = Arc::clone(find(&app.state.gateway.snapshot(), &name)?);
    let place = app.export_place()?;
    let told = aside(move || {
        let told = replayed(&app, &entry, &changes);
        drop(place);
        told
    });
    told.await?.map(Json)
}

async fn changes(headers: &HeaderMap, body: Body) -> Result<Changes, Problem> {
    let content = headers.get(CONTENT_TYPE).map(|it| it.as_bytes());
    let content = content.unwrap_or_default().to_ascii_lowercase();
    let changes = match content.starts_with(TOML.as_bytes()) {
        true => of_toml(&query::body(body).await?)?,
        false => of_json(&json_body(body, FORM).await?)?,
    };
    if let Some((key, _)) = changes.iter().find(|(key, _)| !key.starts_with("scaling.")) {
        return Err(wrong(format!("{key} is no key of [scaling]; {FORM}")));
    }
    match changes.is_empty() {
        true => Err(wrong(format!("nothing is changed; {FORM}"))),
        false => Ok(changes),
    }
}

fn of_toml(body: &[u8]) -> Result<Changes, Problem> {
    let text = str::from_utf8(body).map_err(|error| {
        Problem::new(
            Kind::BadRequest,
            format!("the body is no UTF-8 text: {error}"),
        )
    })?;
    Changes::of_scaling(text).map_err(wrong)
}

fn of_json(keys: &ScalingKeys) -> Result<Changes, Problem> {
    let mut changes = Changes::default();
    for (key, value) in keys {
        let text = match value {
            Value::Null | Value::Object(_) => {
                return Err(wrong(format!("the value of {key:?} is none; {FORM}")));
            }
            // A text in JSON is one in TOML, and so are the others.
            value => value.to_string(),
        };
        changes.set(key, &text).map_err(wrong)?;
    }
    Ok(changes)
}

fn wrong(detail: String) -> Problem {
    Problem::new(Kind::InvalidScale, detail)
}
