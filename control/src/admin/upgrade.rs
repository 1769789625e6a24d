//! Having another gateway take over.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;

use super::App;
use super::problem::{Kind, Problem};
use super::query;
use crate::wire::{Upgrade, Upgraded};

pub(super) async fn upgrade(
    State(app): State<Arc<App>>,
    body: Body,
) -> Result<Json<Upgraded>, Problem> {
    let body = query::body(body).await?;
    let asked = match body.is_empty() {
        true => Upgrade::default(),
        false => serde_json::from_slice(&body).map_err(|error| {
            let form = "send {\"binary\": \"/absolute/path\"}, or nothing for the same path";
            Problem::new(
                Kind::BadRequest,
                format!("the body is not valid ({error}); {form}"),
            )
        })?,
    };
    let Some(takeover) = &app.state.takeover else {
        let detail = "this gateway was not started in a way that lets another one take over";
        return Err(Problem::new(Kind::UpgradeFailed, detail));
    };
    let binary = asked.binary.map(PathBuf::from);
    match takeover.upgrade(binary).await {
        Ok(pid) => {
            // Whoever hears of the new one finds it, not this one, where administrators connect.
            app.accepting.closed().await;
            Ok(Json(Upgraded { pid }))
        }
        Err(error) => {
            let detail = format!("{error}; the former gateway serves on");
            Err(Problem::new(Kind::UpgradeFailed, detail))
        }
    }
}
