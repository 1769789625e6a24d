//! What differs between two revisions.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use schemars::JsonSchema;
use serde::Deserialize;
use stoker_registry::{Revision, Settings};

use super::super::problem::{Kind, Problem};
use super::super::query::query;
use super::{App, ask, code, lines};
use crate::wire::{FilesDiff, RevisionDiff};

/// Of a request for a difference, as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct DiffQuery {
    /// A revision.
    #[schemars(with = "u32", range(min = 1))]
    from: String,
    /// Another one.
    #[schemars(with = "u32", range(min = 1))]
    to: String,
}

pub(in crate::admin) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: Result<Query<DiffQuery>, QueryRejection>,
) -> Result<Json<RevisionDiff>, Problem> {
    let asked = query(asked)?;
    let number = |text: &str| {
        text.parse::<u32>().map_err(|_| {
            let shown: String = text.chars().take(100).collect();
            let detail = format!("from and to are the numbers of revisions, not {shown:?}");
            Problem::new(Kind::BadRequest, detail)
        })
    };
    let (from, to) = (number(&asked.from)?, number(&asked.to)?);
    let place = app.export_place()?;
    let registry = app.registry()?;
    let diff = ask(&app, &name, move |store, name| {
        let (old, new) = (store.revision(name, from)?, store.revision(name, to)?);
        let files = match old.digest() == new.digest() {
            true => FilesDiff::default(),
            false => {
                let code = |it: &Revision| registry.files().code(it.digest());
                code::diff(&code(&old), &code(&new))
            }
        };
        drop(place);
        Ok(RevisionDiff {
            from,
            to,
            manifest: lines::diff(&old.manifest, &new.manifest),
            settings: lines::diff(&text(&old.settings), &text(&new.settings)),
            files,
        })
    });
    diff.await.map(Json)
}

fn text(settings: &Settings) -> String {
    let lines = settings.iter();
    lines
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect()
}
