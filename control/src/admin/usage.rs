//! What functions use, and how much they may.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::App;
use super::problem::{Kind, Problem, find};
use super::query::{self, UsageQuery};
use crate::metering::{NoReport, check_budget, now};
use crate::wire::{BudgetInfo, Usage};

/// Everything up to now is in it.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    asked: Result<Query<UsageQuery>, QueryRejection>,
) -> Result<Json<Usage>, Problem> {
    let asked = query::query(asked)?.asked(now())?;
    let metering = &app.metering;
    metering.books().map_err(no_books)?;
    metering.update().await.map_err(internal)?;
    let usage = metering
        .aside(move |metering| Ok(metering.usage(&asked)))
        .await;
    match usage.map_err(internal)? {
        Ok(usage) => Ok(Json(usage)),
        Err(NoReport::Failed(error)) => Err(internal(error)),
        Err(NoReport::TooLong(most)) => {
            let detail = format!(
                "that is more than {most} rows: ask for less time, for longer periods or for one function"
            );
            Err(Problem::new(Kind::BadRequest, detail))
        }
    }
}

pub(super) async fn show_budget(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<BudgetInfo>, Problem> {
    let name = function(&app, &name)?;
    app.metering.books().map_err(no_books)?;
    app.metering.update().await.map_err(internal)?;
    let shown = app
        .metering
        .aside(move |metering| metering.budget(&name))
        .await;
    shown.map(Json).map_err(internal)
}

pub(super) async fn set_budget(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<BudgetInfo>, Problem> {
    let body = query::body(body).await?;
    let name = function(&app, &name)?;
    app.metering.books().map_err(no_books)?;
    let change: BudgetInfo = serde_json::from_slice(&body).map_err(|error| {
        let form = "{\"budget\": {\"period\": \"month\", \"invocations\": 1000000}}";
        let detail = format!("the body is no budget ({error}); send such as {form}");
        Problem::new(Kind::BadRequest, detail)
    })?;
    if let Some(budget) = &change.budget {
        check_budget(budget).map_err(|why| Problem::new(Kind::InvalidBudget, why))?;
    }
    let set = move |metering: &crate::metering::Metering| {
        metering.set_budget(&name, change.budget.as_ref())?;
        metering.budget(&name)
    };
    app.metering.aside(set).await.map(Json).map_err(internal)
}

/// A budget is its function's, whichever revision is named.
fn function(app: &App, name: &str) -> Result<String, Problem> {
    let snapshot = app.state.gateway.snapshot();
    Ok(find(&snapshot, name)?.spec.name.to_string())
}

fn no_books(why: String) -> Problem {
    Problem::new(Kind::NoBooks, why)
}

fn internal(error: String) -> Problem {
    Problem::new(
        Kind::Internal,
        format!("the books of usage failed: {error}"),
    )
}
