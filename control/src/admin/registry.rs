//! Published functions: their revisions, traffic, settings and secrets.

pub(super) mod aliases;
pub(super) mod canary;
mod code;
pub(super) mod diff;
mod lines;
mod pipeline;
pub(super) mod publish;
pub(super) mod receive;
pub(super) mod revisions;
pub(super) mod secrets;
pub(super) mod settings;
pub(super) mod traffic;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use stoker_registry::{Author, Store, StoreError, is_function_name};

use super::problem::{Kind, Problem};
use super::token::Caller;
use super::{App, aside};
use crate::reload::ReloadError;

/// What a change was about, for the audit log: an extension of the response.
#[derive(Clone, Debug)]
pub(super) struct Noted(pub(super) String);

/// An answer, and what it was about.
pub(super) fn noted(what: impl Into<String>, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(Noted(what.into()));
    response
}

/// Asks the store, away from the threads that drive the scaler.
pub(super) async fn ask<T: Send + 'static>(
    app: &Arc<App>,
    name: &str,
    question: impl FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let registry = app.registry()?;
    let owned = name.to_owned();
    let answer = aside(move || question(registry.store(), &owned)).await?;
    answer.map_err(|error| refused(app, name, &error))
}

/// Changes what the store has, which must not be about a function of files, and takes it into effect.
pub(super) async fn change<T: Send + 'static>(
    app: &Arc<App>,
    name: &str,
    how: impl FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    own(app, name)?;
    let done = ask(app, name, how).await?;
    in_force(app).await?;
    Ok(done)
}

/// The name can be that of a published function.
pub(super) fn own(app: &App, name: &str) -> Result<(), Problem> {
    if !is_function_name(name) {
        let shown: String = name.chars().take(100).collect();
        let detail = format!(
            "a function cannot be called {shown:?}, but by 1 to 63 lower-case letters, digits and \
             \"-\", beginning with a letter"
        );
        return Err(Problem::new(Kind::InvalidRevision, detail));
    }
    match of_files(app, name) {
        None => Ok(()),
        Some(manifest) => {
            let detail = format!(
                "{name:?} is a function of files, in {manifest}: change it there, or publish under \
                 another name"
            );
            Err(Problem::new(Kind::FunctionConflict, detail))
        }
    }
}

/// Where the manifest of a function is that was not published.
fn of_files(app: &App, name: &str) -> Option<String> {
    let snapshot = app.state.gateway.snapshot();
    let entry = snapshot.functions.get(name)?;
    let published = entry.spec.number.is_some();
    (!published).then(|| entry.spec.manifest.display().to_string())
}

/// What the store has is what the gateway does.
pub(super) async fn in_force(app: &App) -> Result<(), Problem> {
    let Err(error) = app.state.reloader.reload().await else {
        return Ok(());
    };
    let detail = "it is kept, and takes effect once the configuration is valid";
    let kind = match &error {
        ReloadError::Invalid(_) => Kind::InvalidConfiguration,
        ReloadError::Ended => Kind::Internal,
    };
    let errors = match &error {
        ReloadError::Invalid(errors) => errors.iter().map(ToString::to_string).collect(),
        ReloadError::Ended => vec![error.to_string()],
    };
    Err(Problem::new(kind, detail).with_errors(errors))
}

/// Who changes something, and why.
pub(super) fn author(caller: &Caller, message: &str) -> Author {
    Author {
        name: caller.name.to_string(),
        message: message.to_owned(),
    }
}

/// What the store says.
pub(super) fn refused(app: &App, name: &str, error: &StoreError) -> Problem {
    let kind = match error {
        StoreError::UnknownFunction(_) => match of_files(app, name) {
            None => return Problem::unknown_function(name, &app.state.gateway.snapshot()),
            Some(manifest) => {
                let detail = format!(
                    "{name:?} is a function of files, in {manifest}, and has no revisions, \
                     settings or secrets here"
                );
                return Problem::new(Kind::NotPublished, detail);
            }
        },
        StoreError::UnknownRevision(..) => Kind::UnknownRevision,
        StoreError::UnknownAlias(..) => Kind::UnknownAlias,
        StoreError::UnknownSecret(..) => Kind::UnknownSecret,
        StoreError::NothingBefore(_) | StoreError::InUse(..) => Kind::RevisionConflict,
        StoreError::Full(..) => Kind::RegistryFull,
        StoreError::Invalid(_) => Kind::InvalidRevision,
        StoreError::Key(_) | StoreError::Newer(..) | StoreError::Failed(_) => Kind::Internal,
    };
    let cause = std::error::Error::source(error);
    let detail = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    let listed = match error {
        StoreError::UnknownRevision(..) => "revisions",
        StoreError::UnknownAlias(..) => "alias",
        StoreError::UnknownSecret(..) => "secrets",
        _ => return Problem::new(kind, detail),
    };
    Problem::new(
        kind,
        format!("{detail}; \"stoker {listed} {name}\" lists those it has"),
    )
}
