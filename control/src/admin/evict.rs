//! Making the next request cold.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use stoker_core::{InstanceId, InstanceState};
use stoker_gateway::Entry;
use tokio::time::Instant;

use super::functions::instance;
use super::problem::{Problem, find};
use super::query::{EvictQuery, query};
use super::{App, aside};
use crate::wire::{Evicted, InstanceInfo};

/// The first pause between two looks, doubled up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(50);

type Answer = Result<(StatusCode, Json<Evicted>), Problem>;
type Asked = Result<Query<EvictQuery>, QueryRejection>;

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Answer {
    let wait = query(asked)?.wait()?;
    let snapshot = app.state.gateway.snapshot();
    let entries = find(&snapshot, &name)?.revisions().to_vec();
    evict(&app, entries, wait).await
}

pub(super) async fn all(State(app): State<Arc<App>>, asked: Asked) -> Answer {
    let wait = query(asked)?.wait()?;
    let entries = app.state.gateway.snapshot().revisions().cloned().collect();
    evict(&app, entries, wait).await
}

/// Evicts and waits until what was told to go is gone, at most `wait`.
async fn evict(app: &App, entries: Vec<Arc<Entry>>, wait: Duration) -> Answer {
    let until = Instant::now() + wait;
    let telling = aside(|| entries.into_iter().filter_map(Leaving::tell).collect());
    let telling: Vec<Leaving> = telling.await?;
    let mut leaving: Vec<_> = telling.into_iter().map(|one| one.count(app)).collect();
    let evicted: usize = leaving.iter().map(|leaving| leaving.ids.len()).sum();
    let evicted = u32::try_from(evicted).unwrap_or(u32::MAX);
    let mut pause = FIRST_PAUSE;
    let mut ending = app.ending.clone();
    // Nothing tells when an instance of a pool is gone, so this looks: soon at first, for a quick
    // program is gone in a millisecond.
    loop {
        leaving.retain_mut(Leaving::look);
        let ended = *ending.borrow_and_update();
        if leaving.is_empty() || Instant::now() >= until || ended {
            break;
        }
        tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
    let left: Vec<InstanceInfo> = leaving
        .iter()
        .flat_map(|leaving| leaving.show(app))
        .collect();
    let status = if left.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(Evicted { evicted, left })))
}

/// The instances of a function that were told to go and are not gone yet.
struct Leaving {
    entry: Arc<Entry>,
    ids: HashSet<InstanceId>,
}

impl Leaving {
    /// Evicts; none if there was nothing to evict.
    fn tell(entry: Arc<Entry>) -> Option<Self> {
        let before = entry.function.view().pool.instances;
        entry.function.evict();
        let mut ids: HashSet<InstanceId> = before.iter().map(|instance| instance.id).collect();
        // Those that are starting for requests that wait stay for them.
        for instance in entry.function.view().pool.instances {
            if matches!(
                instance.state,
                InstanceState::Starting | InstanceState::Ready
            ) {
                ids.remove(&instance.id);
            }
        }
        (!ids.is_empty()).then_some(Leaving { entry, ids })
    }

    /// Has it counted.
    fn count(self, app: &App) -> Self {
        let metrics = app.state.gateway.metrics();
        metrics.evicted(self.entry.function.launch(), self.ids.len());
        self
    }

    /// Forgets those that are gone; false once all are.
    fn look(&mut self) -> bool {
        let present = self.entry.function.view().pool.instances;
        let present: HashSet<_> = present.iter().map(|instance| instance.id).collect();
        self.ids.retain(|id| present.contains(id));
        !self.ids.is_empty()
    }

    fn show(&self, app: &App) -> Vec<InstanceInfo> {
        let view = self.entry.function.view();
        let now = app.state.gateway.scaler().clock().now();
        let left = view
            .instances
            .iter()
            .filter(|status| self.ids.contains(&status.view.id));
        left.map(|status| instance(&self.entry, status, now))
            .collect()
    }
}
