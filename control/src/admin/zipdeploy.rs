//! Zip push, as tools for other platforms do it: an archive is posted, and how it went is asked for
//! under an address of its own. The store remembers it: the address answers after the gateway's end, too.

mod owner;
mod push;
mod pushes;

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
use super::registry::{Noted, ask, noted, own};
use super::route::Route;
use super::token::Caller;
use super::{App, aside, audit};
use crate::wire::{ZipDeployLine, ZipDeployment};
use pushes::{Known, Turn};

pub(super) use pushes::Pushes;

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
    let message = asked.message.clone().unwrap_or_default();
    let push = begin(&app, &name, (caller.clone(), asked)).await?;
    let received = match receive(&app, &headers, body).await {
        Ok(received) => received,
        Err(problem) => {
            push.failed(&problem.to_string());
            end(push).await?;
            return Err(problem);
        }
    };
    push.say(&format!("received {} bytes", received.bytes));
    if is_async {
        let known = push.known();
        let url = format!("/api/deployments/{}", known.id());
        let told = known.told();
        tokio::spawn(async move {
            let done = run(&app, (&name, message), push, (received, &caller)).await;
            let status = match &done {
                Ok(_) => StatusCode::OK,
                Err(problem) => problem.status(),
            };
            let what = match done {
                Ok((number, _)) => format!("revision {number} of {name}, by zip push"),
                Err(problem) => problem.to_string(),
            };
            let route = (PUSH, "/api/zipdeploy");
            audit::write(&app, &caller, route, (status, Some(Noted(what)))).await;
        });
        let answer = (StatusCode::ACCEPTED, [(LOCATION, url)], Json(told));
        return Ok(noted("zip push has begun", answer));
    }
    let owned = name.clone();
    // To its end, also if the caller leaves meanwhile.
    let work =
        tokio::spawn(async move { run(&app, (&owned, message), push, (received, &caller)).await });
    let done = work.await.unwrap_or_else(|error| {
        let detail = format!("the push broke off: {error}");
        Err(Problem::new(Kind::Internal, detail))
    });
    let (number, known) = done?;
    let what = format!("revision {number} of {name}, by zip push");
    Ok(noted(what, Json(known.told())))
}

async fn begin(
    app: &Arc<App>,
    name: &str,
    (caller, asked): (Caller, ZipDeployQuery),
) -> Result<Arc<Turn>, Problem> {
    let (registry, pushes) = (app.registry()?, Arc::clone(&app.pushes));
    let turn = ask(app, name, move |_, name| {
        pushes.begin(registry, name, (&caller, &asked))
    });
    turn.await?.map(Arc::new).ok_or_else(|| {
        let detail = format!("{name:?} is being published already; try again after that");
        Problem::new(Kind::PublishConflict, detail)
    })
}

/// Remembers how it went.
async fn end(push: Arc<Turn>) -> Result<(), Problem> {
    aside(move || drop(push)).await
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
    push: Arc<Turn>,
    (received, caller): (Received, &Caller),
) -> Result<(u32, Known), Problem> {
    let begun = Arc::clone(&push);
    aside(move || begun.deploying()).await?;
    let options = Options {
        message,
        shift: Shift::All,
        prove: true,
    };
    let done = publish(app, name, received, (caller, options)).await;
    match &done {
        Ok((revision, notes)) => {
            notes.iter().for_each(|note| push.say(note));
            push.succeeded(revision.number);
        }
        Err(problem) => push.failed(&problem.to_string()),
    }
    let known = push.known();
    end(push).await?;
    done.map(|(revision, _)| (revision.number, known))
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<ZipDeployment>>, Problem> {
    let pushes = Arc::clone(&app.pushes);
    let all = ask(&app, "", move |store, _| pushes.all(store)).await?;
    Ok(Json(all.iter().map(Known::told).collect()))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<ZipDeployment>, Problem> {
    Ok(Json(find(&app, &id).await?.told()))
}

pub(super) async fn log(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Vec<ZipDeployLine>>, Problem> {
    Ok(Json(find(&app, &id).await?.log()))
}

async fn find(app: &Arc<App>, id: &str) -> Result<Known, Problem> {
    let pushes = Arc::clone(&app.pushes);
    let found = ask(app, id, move |store, id| pushes.find(store, id)).await?;
    found.ok_or_else(|| {
        let shown: String = id.chars().take(100).collect();
        let detail = format!(
            "there is no deployment {shown:?}; GET /api/deployments lists those that are remembered"
        );
        Problem::new(Kind::UnknownDeployment, detail)
    })
}
