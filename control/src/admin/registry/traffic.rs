//! Which revision gets which part of the requests.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use stoker_registry::{Mirror, StoreError};

use super::super::problem::Problem;
use super::super::query::json_body;
use super::{App, ask, change, noted};
use crate::wire::{RollbackRequest, Sticky, Traffic, Weight};

pub(in crate::admin) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Traffic>, Problem> {
    let traffic = ask(&app, &name, |store, name| store.traffic(name)).await?;
    Ok(Json(shown(traffic)))
}

pub(in crate::admin) async fn set(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "send {\"weights\": [{\"revision\": 3, \"percent\": 90}, {\"revision\": 4, \
                \"percent\": 10}]}, and \"sticky\": {\"cookie\": \"NAME\"} or {\"header\": \
                \"NAME\"}, and \"mirror\": {\"revision\": 5, \"percent\": 100}, if they are wanted";
    let wanted: Traffic = json_body(body, form).await?;
    let wanted = stored(wanted);
    let now = change(&app, &name, move |store, name| {
        store.set_traffic(name, &wanted, None)?;
        store.traffic(name)
    })
    .await?;
    let now = shown(now);
    Ok(noted(words(&now), Json(now)))
}

pub(in crate::admin) async fn roll_back(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let wanted: RollbackRequest = json_body(body, "send {\"to\": 3}, or {}").await?;
    let (to, now) = change(&app, &name, move |store, name| {
        let to = store.roll_back(name, wanted.to)?;
        Ok::<_, StoreError>((to, store.traffic(name)?))
    })
    .await?;
    Ok(noted(format!("back to revision {to}"), Json(shown(now))))
}

/// As `stoker traffic` takes it.
fn words(traffic: &Traffic) -> String {
    let weights = traffic.weights.iter();
    let weights = weights.map(|it| format!("{}={}", it.revision, it.percent));
    weights.collect::<Vec<_>>().join(" ")
}

/// As programs see it.
pub(super) fn shown(traffic: stoker_registry::Traffic) -> Traffic {
    let weights = traffic.weights.iter().map(|it| Weight {
        revision: it.revision,
        percent: it.percent,
    });
    Traffic {
        weights: weights.collect(),
        sticky: traffic.sticky.map(|sticky| match sticky {
            stoker_registry::Sticky::Header(name) => Sticky::Header(name),
            stoker_registry::Sticky::Cookie(name) => Sticky::Cookie(name),
        }),
        mirror: traffic.mirror.map(|it| Weight {
            revision: it.revision,
            percent: it.percent,
        }),
    }
}

fn stored(traffic: Traffic) -> stoker_registry::Traffic {
    let weights = traffic.weights.iter().map(|it| stoker_registry::Weight {
        revision: it.revision,
        percent: it.percent,
    });
    stoker_registry::Traffic {
        weights: weights.collect(),
        sticky: traffic.sticky.map(|sticky| match sticky {
            Sticky::Header(name) => stoker_registry::Sticky::Header(name),
            Sticky::Cookie(name) => stoker_registry::Sticky::Cookie(name),
        }),
        mirror: traffic.mirror.map(|it| Mirror {
            revision: it.revision,
            percent: it.percent,
        }),
    }
}
