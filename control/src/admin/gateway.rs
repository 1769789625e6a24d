//! The gateway itself and its configuration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use stoker_config::ConfigError;

use super::App;
use super::problem::{Kind, Problem};
use crate::reload::ReloadError;
use crate::wire::{ConfigurationInfo, GatewayInfo, Reloaded};

pub(super) async fn show(State(app): State<Arc<App>>) -> Json<GatewayInfo> {
    let state = &app.state;
    let snapshot = state.gateway.snapshot();
    Json(GatewayInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listen: state.listen.iter().map(ToString::to_string).collect(),
        prefix: snapshot.gateway.function_prefix.clone(),
        functions: snapshot.functions.len(),
        configuration: ConfigurationInfo {
            file: state.reloader.file().display().to_string(),
            errors: state
                .reloader
                .errors()
                .iter()
                .flatten()
                .map(words)
                .collect(),
        },
    })
}

pub(super) async fn reload(State(app): State<Arc<App>>) -> Result<Json<Reloaded>, Problem> {
    match app.state.reloader.reload().await {
        Ok(applied) => Ok(Json(Reloaded::from(&applied))),
        Err(ReloadError::Invalid(errors)) => {
            let detail = "the former configuration stays in force until every error is mended";
            let errors = errors.iter().map(words).collect();
            Err(Problem::new(Kind::InvalidConfiguration, detail).with_errors(errors))
        }
        Err(error) => Err(Problem::new(Kind::Internal, error.to_string())),
    }
}

fn words(error: &ConfigError) -> String {
    error.to_string()
}
