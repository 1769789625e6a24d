//! Functions and instances as they are now.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use stoker_config::RouteSpec;
use stoker_core::{FailureKind, InstanceState, PoolView, Standing, StartFailure, Timestamp};
use stoker_gateway::{BudgetStatus, Entry, Snapshot};
use stoker_scaler::driver::{Endpoint, Prepared};
use stoker_scaler::{Clock, FunctionView, InstanceStatus};

use super::names::NamesQuery;
use super::prepared::spares_of;
use super::problem::{Problem, find};
use super::query::query;
use super::starts::phases;
use super::{App, address, aside};
use crate::explain::decision;
use crate::wire::{
    BudgetUse, Failure, FunctionDetail, FunctionSummary, HeldStarts, InstanceInfo, Route, States,
};

pub(super) async fn list(
    State(app): State<Arc<App>>,
    asked: Result<Query<NamesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let snapshot = app.state.gateway.snapshot();
    let names = query(asked)?.names(&snapshot)?;
    aside(move || {
        let prepared = app.state.gateway.scaler().prepared();
        let budgets = app.state.gateway.budgets();
        let whole = snapshot.functions.values();
        let whole = whole.filter(|entry| names.has(&entry.spec.name));
        let single = names.revisions().filter_map(|name| snapshot.find(name));
        let list: Vec<_> = whole
            .chain(single)
            .map(|entry| FunctionSummary {
                budget: budgets.get(&entry.spec.name).map(budget),
                ..summary(&snapshot, entry, &entry.function.view(), &prepared)
            })
            .collect();
        Json(list).into_response()
    })
    .await
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<FunctionDetail>, Problem> {
    let snapshot = app.state.gateway.snapshot();
    let entry = find(&snapshot, &name)?;
    let view = entry.function.view();
    let now = app.state.gateway.scaler().clock().now();
    let spec = &entry.spec;
    let pool = &view.pool;
    Ok(Json(FunctionDetail {
        summary: FunctionSummary {
            budget: app.state.gateway.budgets().get(&spec.name).map(budget),
            ..summary(
                &snapshot,
                entry,
                &view,
                &app.state.gateway.scaler().prepared(),
            )
        },
        manifest: spec.manifest.display().to_string(),
        command: spec.command.clone(),
        routes: spec.routes.iter().map(route).collect(),
        instances: all_instances(entry, app.state.gateway.scaler().clock()),
        oldest_wait_ms: pool.oldest_wait.map(millis),
        backoff_ms: pool.backoff_until.map(|until| millis(until.since(now))),
        decision: pool.last_decision.as_ref().map(decision),
    }))
}

pub(super) async fn instances(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    aside(move || {
        let snapshot = app.state.gateway.snapshot();
        let clock = app.state.gateway.scaler().clock();
        let entries = snapshot.functions.values();
        let all: Vec<_> = entries
            .flat_map(|entry| all_instances(entry, clock))
            .collect();
        Json(all).into_response()
    })
    .await
}

pub(super) fn budget(status: &BudgetStatus) -> BudgetUse {
    BudgetUse {
        used_ratio: status.used_ratio,
        warned: status.used_ratio >= status.warn_ratio,
        stopped: status.stopped.clone(),
    }
}

/// What a list shows of a function: what its live revisions have together, and else what its primary
/// one is; without its budget.
pub(super) fn summary(
    snapshot: &Snapshot,
    entry: &Arc<Entry>,
    view: &FunctionView,
    prepared: &[Prepared],
) -> FunctionSummary {
    let FunctionView { pool, held, .. } = view;
    let scaling = &entry.spec.scaling;
    let name = &entry.spec.name;
    let mut summary = FunctionSummary {
        name: name.to_string(),
        revision: entry.function.launch().label().to_string(),
        policy: scaling.policy.name().to_owned(),
        url: format!(
            "{}/{}",
            snapshot.gateway.function_prefix,
            address::name(entry)
        ),
        concurrency: scaling.concurrency,
        min_scale: scaling.min_scale,
        max_scale: scaling.max_scale,
        states: states(pool),
        held_starts: held.map(|held| HeldStarts {
            count: held.count,
            reason: held.by.name().to_owned(),
        }),
        in_flight: pool.in_flight,
        waiting: pool.waiting,
        expected_wait_ms: pool.expected_wait.map(millis),
        desired: pool
            .last_decision
            .as_ref()
            .map_or(0, |decision| decision.desired),
        scale_override: pool.scale_override,
        last_failure: pool.last_failure.as_ref().map(failure),
        spares: spares_of(prepared, name, &entry.function.launch().revision),
        budget: None,
    };
    add_others(&mut summary, entry);
    summary
}

/// The instances of all its live revisions.
fn all_instances(entry: &Arc<Entry>, clock: Clock) -> Vec<InstanceInfo> {
    let mut all = Vec::new();
    for revision in entry.revisions() {
        let view = revision.function.view();
        // After the view: an age is never negative.
        let now = clock.now();
        let statuses = view.instances.iter();
        all.extend(statuses.map(|status| instance(revision, status, now)));
    }
    all
}

/// Adds what the live revisions besides the primary one have.
fn add_others(summary: &mut FunctionSummary, entry: &Arc<Entry>) {
    let others = entry.revisions().iter();
    for other in others.filter(|it| !Arc::ptr_eq(&it.function, &entry.function)) {
        let FunctionView { pool, held, .. } = other.function.view();
        let more = states(&pool);
        let sums = &mut summary.states;
        for (sum, more) in [
            (&mut sums.starting, more.starting),
            (&mut sums.ready, more.ready),
            (&mut sums.draining, more.draining),
            (&mut sums.stopping, more.stopping),
            (&mut sums.aside, more.aside),
            (&mut sums.frozen, more.frozen),
            (&mut summary.in_flight, pool.in_flight),
            (&mut summary.waiting, pool.waiting),
        ] {
            *sum += more;
        }
        summary.desired += pool.last_decision.as_ref().map_or(0, |last| last.desired);
        if let (Some(sum), Some(held)) = (&mut summary.held_starts, held) {
            sum.count += held.count;
        }
    }
}

/// One instance of a function.
pub(super) fn instance(entry: &Entry, status: &InstanceStatus, now: Timestamp) -> InstanceInfo {
    let view = &status.view;
    let launch = entry.function.launch();
    let endpoint = status.endpoint.as_ref().map(|endpoint| match endpoint {
        Endpoint::Unix(path) => format!("unix:{}", path.display()),
        Endpoint::Tcp(address) => address.to_string(),
    });
    InstanceInfo {
        id: view.id.to_string(),
        function: launch.function.to_string(),
        revision: launch.label().to_string(),
        state: view.state_name().to_owned(),
        pid: status.pid,
        endpoint,
        age_seconds: now.since(view.created).as_secs_f64(),
        state_seconds: now
            .since(view.frozen.map_or(view.since, |frozen| frozen.since))
            .as_secs_f64(),
        idle_seconds: view.idle_since.map(|since| now.since(since).as_secs_f64()),
        in_use: view.in_use,
        served: view.served,
        start: status.timings.as_ref().and_then(phases),
        start_kind: status.kind.map(|kind| kind.name().to_owned()),
    }
}

fn states(pool: &PoolView) -> States {
    let mut states = States::default();
    for instance in &pool.instances {
        let count = match instance.state {
            InstanceState::Starting => &mut states.starting,
            InstanceState::Ready => &mut states.ready,
            InstanceState::Draining => &mut states.draining,
            InstanceState::Stopping => &mut states.stopping,
        };
        *count += 1;
        states.aside += u32::from(instance.standing != Standing::Good);
        states.frozen += u32::from(instance.frozen.is_some());
    }
    states
}

/// As it is called in the API.
pub(super) fn kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NotExecutable => "not-executable",
        FailureKind::Exited => "exited",
        FailureKind::NeverListened => "never-listened",
        FailureKind::Resources => "resources",
    }
}

fn failure((failure, count): &(StartFailure, u32)) -> Failure {
    Failure {
        kind: kind(failure.kind).to_owned(),
        detail: failure.detail.to_string(),
        count: *count,
    }
}

fn route(route: &RouteSpec) -> Route {
    Route {
        host: route.host.clone(),
        path: route.path.to_string(),
        methods: route.methods.clone(),
        strip_prefix: route.strip_prefix,
    }
}

/// To the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
