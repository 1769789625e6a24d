//! From two samples to what a function did between them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::str::FromStr;

use serde::Serialize;

use super::poll::Sample;
use crate::wire::{FunctionStats, FunctionSummary, HeldStarts, States};

/// What a function did between two samples, and how it is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) requests_per_second: f64,
    /// Answered with 5xx, or not to their end.
    pub(super) errors_per_second: f64,
    /// To the first byte.
    pub(super) warm_p50_seconds: Option<f64>,
    pub(super) warm_p99_seconds: Option<f64>,
    pub(super) cold_per_second: f64,
    pub(super) cold_p50_seconds: Option<f64>,
    pub(super) in_flight: u32,
    pub(super) waiting: u32,
    pub(super) states: States,
    /// Starting ones that do not begin yet.
    pub(super) held_starts: Option<HeldStarts>,
    pub(super) desired: u32,
    pub(super) policy: String,
    /// The number that an operator holds it at.
    pub(super) scale_override: Option<u32>,
    /// What the last failed start said, if the last one failed.
    pub(super) failure: Option<String>,
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Most requests first.
    Requests,
    /// Most errors first.
    Errors,
    /// Slowest warm requests first, by their 99th percentile.
    Warm,
    /// Slowest cold requests first, by their median.
    Cold,
    /// Most requests in flight first.
    InFlight,
    /// Longest queue first.
    Waiting,
    /// Most instances first.
    Instances,
    /// By name.
    Name,
}

impl Sort {
    pub(super) const ALL: [Sort; 8] = [
        Sort::Requests,
        Sort::Errors,
        Sort::Warm,
        Sort::Cold,
        Sort::InFlight,
        Sort::Waiting,
        Sort::Instances,
        Sort::Name,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Sort::Requests => "requests",
            Sort::Errors => "errors",
            Sort::Warm => "warm",
            Sort::Cold => "cold",
            Sort::InFlight => "in-flight",
            Sort::Waiting => "waiting",
            Sort::Instances => "instances",
            Sort::Name => "name",
        }
    }

    /// What it compares, the greatest first.
    fn value(self, row: &Row) -> f64 {
        let states = &row.states;
        match self {
            Sort::Requests => row.requests_per_second,
            Sort::Errors => row.errors_per_second,
            Sort::Warm => row.warm_p99_seconds.unwrap_or_default(),
            Sort::Cold => row.cold_p50_seconds.unwrap_or_default(),
            Sort::InFlight => row.in_flight.into(),
            Sort::Waiting => row.waiting.into(),
            Sort::Instances => {
                (states.ready + states.starting + states.draining + states.stopping).into()
            }
            Sort::Name => 0.0,
        }
    }
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Sort::ALL.into_iter().find(|sort| sort.name() == text);
        found.ok_or_else(|| {
            let names = Sort::ALL.map(Sort::name).join(", ");
            format!("give one of {names}")
        })
    }
}

/// What every function did between the samples. Without a former one, or with one of another
/// gateway, no rates are known.
pub(super) fn between(before: Option<&Sample>, now: &Sample) -> Vec<Row> {
    let before = before.filter(|before| before.stats.since_ms == now.stats.since_ms);
    let seconds = before.map_or(0.0, |before| (now.at - before.at).as_secs_f64());
    let mut done = done(before, now);
    let summaries = now.functions.iter();
    let mut rows: Vec<Row> = summaries
        .map(|summary| {
            let done = done.remove(&*summary.name).unwrap_or_default();
            row(summary, &done, seconds)
        })
        .collect();
    // All without series of their own; functions that have gone have nothing to show.
    if let Some(other) = done.remove("_other") {
        let summary = nobody("_other");
        rows.push(row(&summary, &other, seconds));
    }
    rows
}

/// What was counted between the samples, by function: revision by revision, for those that go
/// take their counts with them.
fn done<'a>(before: Option<&Sample>, now: &'a Sample) -> HashMap<&'a str, FunctionStats> {
    let mut done: HashMap<&str, FunctionStats> = HashMap::new();
    let Some(before) = before else {
        return done;
    };
    let key = |stats: &'a FunctionStats| (&*stats.function, &*stats.revision);
    let mut old = HashMap::new();
    for stats in &before.stats.functions {
        old.insert((&*stats.function, &*stats.revision), stats);
    }
    for stats in &now.stats.functions {
        let fresh = match old.get(&key(stats)) {
            Some(old) => since(stats, old),
            None => stats.clone(),
        };
        done.entry(&stats.function).or_default().add(&fresh);
    }
    done
}

fn since(now: &FunctionStats, before: &FunctionStats) -> FunctionStats {
    let less = |now: [u64; 5], before: [u64; 5]| {
        std::array::from_fn(|at| now[at].saturating_sub(before[at]))
    };
    FunctionStats {
        from_function: less(now.from_function, before.from_function),
        from_gateway: less(now.from_gateway, before.from_gateway),
        incomplete: now.incomplete.saturating_sub(before.incomplete),
        started: now.started.saturating_sub(before.started),
        start_failures: now.start_failures.saturating_sub(before.start_failures),
        warm: now.warm.since(&before.warm),
        cold: now.cold.since(&before.cold),
        thawed: now.thawed.since(&before.thawed),
        ..FunctionStats::default()
    }
}

fn row(summary: &FunctionSummary, done: &FunctionStats, seconds: f64) -> Row {
    let rate = |count: u64| match seconds > 0.0 {
        true => count as f64 / seconds,
        false => 0.0,
    };
    Row {
        name: summary.name.clone(),
        requests_per_second: rate(done.requests()),
        errors_per_second: rate(done.errors()),
        warm_p50_seconds: done.warm.quantile(0.5),
        warm_p99_seconds: done.warm.quantile(0.99),
        cold_per_second: rate(done.cold.count),
        cold_p50_seconds: done.cold.quantile(0.5),
        in_flight: summary.in_flight,
        waiting: summary.waiting,
        states: summary.states,
        held_starts: summary.held_starts.clone(),
        desired: summary.desired,
        policy: summary.policy.clone(),
        scale_override: summary.scale_override,
        failure: summary
            .last_failure
            .as_ref()
            .map(|last| last.detail.clone()),
    }
}

fn nobody(name: &str) -> FunctionSummary {
    FunctionSummary {
        name: name.to_owned(),
        revision: String::new(),
        policy: String::new(),
        url: String::new(),
        concurrency: 0,
        min_scale: 0,
        max_scale: 0,
        states: States::default(),
        held_starts: None,
        in_flight: 0,
        waiting: 0,
        expected_wait_ms: None,
        desired: 0,
        scale_override: None,
        last_failure: None,
        spares: 0,
        budget: None,
    }
}

/// Orders rows; those that are equal by name.
pub(super) fn sort(rows: &mut [Row], by: Sort) {
    rows.sort_by(|a, b| {
        let greatest_first = by.value(b).partial_cmp(&by.value(a));
        let equal = greatest_first.unwrap_or(Ordering::Equal);
        equal.then_with(|| a.name.cmp(&b.name))
    });
}

#[cfg(test)]
pub(super) mod tests;
