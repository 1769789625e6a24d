//! `PUT` of a function: its package is taken in, checked, and served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoker_registry::{Revision, Shift, revision_alias};

use super::super::App;
use super::super::problem::{Kind, Problem};
use super::super::query::query;
use super::super::token::Caller;
use super::receive::{Received, receive};
use super::revisions::Told;
use super::{ask, author, noted, own, pipeline};
use crate::wire::Published;

/// Of a publish, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct PublishQuery {
    /// What is new; at most 4 KiB.
    message: Option<String>,
    /// How much of the requests the new revision gets: `all`, `none` or a percentage; `all` if left
    /// out.
    #[schemars(regex(pattern = r"^(all|none|[0-9]{1,2}(\.[0-9]{1,3})?|100)$"))]
    traffic: Option<String>,
    /// Whether it is started once before it is served; `true` if left out.
    #[schemars(with = "Option<bool>")]
    prove: Option<String>,
}

/// How a package is published.
pub(in crate::admin) struct Options {
    pub(in crate::admin) message: String,
    pub(in crate::admin) shift: Shift,
    pub(in crate::admin) prove: bool,
}

pub(in crate::admin) async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: Result<Query<PublishQuery>, QueryRejection>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let (head, body) = request.into_parts();
    let mut options = query(asked)?.options()?;
    own(&app, &name)?;
    let received = receive(&app, &head.headers, body).await?;
    if let (true, Some(message)) = (options.message.is_empty(), &received.message) {
        options.message.clone_from(message);
    }
    let (revision, notes) = publish(&app, &name, received, (&caller, options)).await?;
    let number = revision.number;
    let published = told(&app, revision, begun.elapsed(), notes).await?;
    let location = format!("/v1/functions/{name}/revisions/{number}");
    let answer = (StatusCode::CREATED, [(LOCATION, location)], Json(published));
    Ok(noted(format!("revision {number} of {name}"), answer))
}

/// Checks and serves what was received; the revision, and what was done on the way.
pub(in crate::admin) async fn publish(
    app: &Arc<App>,
    name: &str,
    received: Received,
    (caller, options): (&Caller, Options),
) -> Result<(Revision, Vec<String>), Problem> {
    let (app, name, author) = (
        Arc::clone(app),
        name.to_owned(),
        author(caller, &options.message),
    );
    // To its end, also if the caller leaves meanwhile: half of it would not be in force.
    let published =
        tokio::spawn(async move { pipeline::run(&app, &name, received, (author, options)).await });
    published.await.unwrap_or_else(|error| {
        let detail = format!("the publish broke off: {error}");
        Err(Problem::new(Kind::Internal, detail))
    })
}

/// As programs see it.
pub(in crate::admin) async fn told(
    app: &Arc<App>,
    revision: Revision,
    took: Duration,
    notes: Vec<String>,
) -> Result<Published, Problem> {
    let prefix = app.state.gateway.snapshot().gateway.function_prefix.clone();
    let name = revision.function.clone();
    let alias = revision_alias(revision.number);
    let summary = ask(app, &name, move |store, name| {
        Ok(Told::of(store, name)?.summary(&revision))
    });
    Ok(Published {
        revision: summary.await?,
        url: format!("{prefix}/{name}"),
        revision_url: format!("{prefix}/{name}:{alias}"),
        took_ms: took.as_secs_f64() * 1000.0,
        notes,
    })
}

impl PublishQuery {
    fn options(self) -> Result<Options, Problem> {
        let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
        let shift = match self.traffic.as_deref() {
            None | Some("all") => Shift::All,
            Some("none") => Shift::Nothing,
            Some(text) => {
                let percent = text.parse().ok();
                let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
                Shift::Percent(percent.ok_or_else(|| {
                    bad(format!(
                        "traffic is all, none or a percentage from 0 to 100, not {text:?}"
                    ))
                })?)
            }
        };
        let prove = match self.prove.as_deref() {
            None | Some("true" | "") => true,
            Some("false") => false,
            Some(text) => return Err(bad(format!("prove is true or false, not {text:?}"))),
        };
        Ok(Options {
            message: self.message.unwrap_or_default(),
            shift,
            prove,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_bounds() {
        let options = |traffic: &str, prove: &str| {
            let asked = PublishQuery {
                message: None,
                traffic: Some(traffic.to_owned()),
                prove: Some(prove.to_owned()),
            };
            asked.options().ok().map(|it| (it.shift, it.prove))
        };
        assert_eq!(options("all", "true"), Some((Shift::All, true)));
        assert_eq!(options("none", "false"), Some((Shift::Nothing, false)));
        assert_eq!(options("12.5", ""), Some((Shift::Percent(12.5), true)));
        for (traffic, prove) in [
            ("101", ""),
            ("-1", ""),
            ("x", ""),
            ("NaN", ""),
            ("all", "1"),
        ] {
            assert_eq!(options(traffic, prove), None, "{traffic} {prove}");
        }
    }
}
