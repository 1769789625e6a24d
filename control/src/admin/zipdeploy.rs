//! Zip push, as tools for other platforms do it: an archive is posted, and how it went is asked for
//! under an address of its own.

mod push;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoker_registry::Shift;

use super::problem::{Kind, Problem};
use super::query::query;
use super::registry::publish::{Options, publish};
use super::registry::receive::{Received, receive};
use super::registry::{Noted, noted, own};
use super::route::Route;
use super::token::Caller;
use super::{App, audit};
use crate::wire::{ZipDeployLine, ZipDeployment};
use push::Push;

pub(super) use push::Pushes;

/// Of a zip push, as written; what else tools send is for their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct ZipDeployQuery {
    /// The function; by default the user's name of Basic authentication, without its `$`.
    name: Option<String>,
    /// Answer at once, and tell how it went under the address in `Location`.
    #[serde(rename = "isAsync")]
    #[schemars(with = "Option<bool>")]
    is_async: Option<String>,
    /// Who pushes it, if that is not the token's bearer.
    author: Option<String>,
    /// The tool.
    #[serde(alias = "Deployer")]
    deployer: Option<String>,
    /// What is new.
    message: Option<String>,
}

pub(super) async fn push(
    State(app): State<Arc<App>>,
    asked: Result<Query<ZipDeployQuery>, QueryRejection>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked = query(asked)?;
    let user = caller
        .user
        .as_deref()
        .map(|user| user.trim_start_matches('$'));
    let name = asked
        .name
        .as_deref()
        .or(user)
        .unwrap_or_default()
        .to_owned();
    if name.is_empty() {
        let detail = "say which function it is: ?name=FUNCTION, or the user \"$FUNCTION\"";
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    own(&app, &name)?;
    let is_async = match asked.is_async.as_deref() {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) => {
            let detail = format!("isAsync is true or false, not {text:?}");
            return Err(Problem::new(Kind::BadRequest, detail));
        }
    };
    let push = app.pushes.begin(&name, &caller, &asked).ok_or_else(|| {
        let detail = format!("{name:?} is being published already; try again after that");
        Problem::new(Kind::PublishConflict, detail)
    })?;
    let received = match receive(&app, &headers, body).await {
        Ok(received) => received,
        Err(problem) => {
            push.failed(&problem.to_string());
            return Err(problem);
        }
    };
    push.say(&format!("received {} bytes", received.bytes));
    let message = asked.message.unwrap_or_default();
    if is_async {
        let url = format!("/api/deployments/{}", push.id());
        let told = push.told();
        tokio::spawn(async move {
            let done = run(&app, (&name, message), &push, (received, &caller)).await;
            let status = match &done {
                Ok(_) => StatusCode::OK,
                Err(problem) => problem.status(),
            };
            let what = match done {
                Ok(number) => format!("revision {number} of {name}, by zip push"),
                Err(problem) => problem.to_string(),
            };
            let route = (PUSH, "/api/zipdeploy");
            audit::write(&app, &caller, route, (status, Some(Noted(what)))).await;
        });
        let answer = (StatusCode::ACCEPTED, [(LOCATION, url)], Json(told));
        return Ok(noted("zip push has begun", answer));
    }
    let number = run(&app, (&name, message), &push, (received, &caller)).await?;
    let what = format!("revision {number} of {name}, by zip push");
    Ok(noted(what, Json(push.told())))
}

/// The route of pushes, as the audit log has it.
const PUSH: &Route = &Route {
    method: super::route::Verb::Post,
    path: "/api/zipdeploy",
    ..super::route::BLANK
};

async fn run(
    app: &Arc<App>,
    (name, message): (&str, String),
    push: &Push,
    (received, caller): (Received, &Caller),
) -> Result<u32, Problem> {
    push.deploying();
    let options = Options {
        message,
        shift: Shift::All,
        prove: true,
    };
    match publish(app, name, received, (caller, options)).await {
        Ok((revision, notes)) => {
            notes.iter().for_each(|note| push.say(note));
            push.succeeded(revision.number);
            Ok(revision.number)
        }
        Err(problem) => {
            push.failed(&problem.to_string());
            Err(problem)
        }
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Vec<ZipDeployment>> {
    Json(app.pushes.all().iter().map(|push| push.told()).collect())
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<ZipDeployment>, Problem> {
    find(&app, &id).map(|push| Json(push.told()))
}

pub(super) async fn log(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Vec<ZipDeployLine>>, Problem> {
    find(&app, &id).map(|push| Json(push.log()))
}

fn find(app: &App, id: &str) -> Result<Arc<Push>, Problem> {
    app.pushes.find(id).ok_or_else(|| {
        let shown: String = id.chars().take(100).collect();
        let detail = format!(
            "there is no deployment {shown:?}; GET /api/deployments lists those since the \
             gateway's start, as far as they are kept"
        );
        Problem::new(Kind::UnknownDeployment, detail)
    })
}
