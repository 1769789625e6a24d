//! Who changed what.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use stoker_config::parse_duration;
use stoker_registry::{AuditEntry, AuditRow};

use super::problem::{Kind, Problem};
use super::query::query;
use super::registry::{Noted, ask};
use super::route::Route;
use super::token::Caller;
use super::{App, aside, now_ms};
use crate::wire::AuditRecord;

const ENTRIES: usize = 100;
const MOST_ENTRIES: usize = 10_000;
/// What is said of one change, at most.
const WHAT_CHARS: usize = 300;

/// Of a request for the audit log, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Only what was changed within this time, such as `1h`; all if left out.
    #[schemars(regex(pattern = r"^[0-9]{1,6}(ms|s|m|h)$"))]
    since: Option<String>,
    /// So many of the newest; 100 if left out.
    #[schemars(with = "Option<u32>", range(min = 1, max = 10_000))]
    limit: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    asked: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<Vec<AuditRecord>>, Problem> {
    let asked = query(asked)?;
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
    let since_ms = match &asked.since {
        None => 0,
        Some(text) => {
            let since = parse_duration(text).map_err(|_| {
                bad(format!(
                    "since is how far back, such as \"1h\", not {text:?}"
                ))
            })?;
            now_ms().saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        }
    };
    let limit = match &asked.limit {
        None => ENTRIES,
        Some(text) => {
            let limit = text.parse().ok();
            let limit = limit.filter(|limit| (1..=MOST_ENTRIES).contains(limit));
            limit.ok_or_else(|| {
                bad(format!(
                    "limit is a whole number from 1 to {MOST_ENTRIES}, not {text:?}"
                ))
            })?
        }
    };
    let rows = ask(&app, "", move |store, _| store.audit_log(since_ms, limit)).await?;
    Ok(Json(rows.into_iter().map(record).collect()))
}

/// Writes down what was asked for and how it was answered, before the answer goes out.
pub(super) async fn write(
    app: &Arc<App>,
    caller: &Caller,
    (route, path): (&Route, &str),
    (status, noted): (StatusCode, Option<Noted>),
) {
    let what = noted.map_or_else(|| route.summary.to_owned(), |noted| noted.0);
    let entry = AuditEntry {
        at_ms: now_ms(),
        who: caller.name.to_string(),
        role: caller.role.map_or("", |role| role.name()).to_owned(),
        method: route.method.name().to_ascii_uppercase(),
        path: path.chars().take(WHAT_CHARS).collect(),
        status: status.as_u16(),
        what: what.chars().take(WHAT_CHARS).collect(),
    };
    let Ok(registry) = app.registry() else {
        return;
    };
    let written = aside(move || registry.store().audit(&entry)).await;
    if let Ok(Err(error)) = written {
        eprintln!("stoker: the audit log cannot be written: {error}");
    }
}

fn record(row: AuditRow) -> AuditRecord {
    let entry = row.entry;
    AuditRecord {
        id: row.id,
        at_ms: entry.at_ms,
        who: entry.who,
        role: entry.role,
        method: entry.method,
        path: entry.path,
        status: entry.status,
        what: entry.what,
    }
}
