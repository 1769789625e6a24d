use std::time::{Duration, Instant};

use super::*;
use crate::wire::{Latencies, Stats};

pub(crate) fn summary(name: &str) -> FunctionSummary {
    let mut summary = nobody(name);
    summary.policy = "on-arrival".to_owned();
    summary.states.ready = 1;
    summary.desired = 1;
    summary
}

pub(crate) fn stats(function: &str, revision: &str, count: u64) -> FunctionStats {
    FunctionStats {
        function: function.to_owned(),
        revision: revision.to_owned(),
        from_function: [0, count, 0, 0, 0],
        warm: Latencies {
            count,
            sum_seconds: 0.0,
            buckets: vec![(0.001, 0), (0.002, count)],
        },
        ..FunctionStats::default()
    }
}

pub(crate) fn sample(at: Instant, functions: Vec<FunctionStats>) -> Sample {
    let mut names: Vec<&str> = functions.iter().map(|one| &*one.function).collect();
    names.dedup();
    let known = names.into_iter().filter(|name| *name != "_other");
    Sample {
        at,
        functions: known.map(summary).collect(),
        stats: Stats {
            since_ms: 7,
            functions,
        },
        detail: None,
    }
}

#[test]
fn rates_are_of_what_came_between() {
    let at = Instant::now();
    let later = at + Duration::from_secs(2);
    let before = sample(at, vec![stats("a", "1", 10), stats("b", "1", 5)]);
    let mut now = sample(
        later,
        vec![
            stats("a", "1", 14),
            stats("a", "2", 6),
            stats("b", "1", 5),
            stats("_other", "_other", 4),
        ],
    );
    now.stats.functions[0].incomplete = 2;
    let rows = between(Some(&before), &now);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (&*row.name, row.requests_per_second, row.errors_per_second))
        .collect();
    assert_eq!(
        shown,
        [("a", 6.0, 1.0), ("b", 0.0, 0.0), ("_other", 2.0, 0.0)]
    );
    assert!((rows[0].warm_p50_seconds.unwrap() - 0.0015).abs() < 1e-9);
    assert_eq!(rows[1].warm_p50_seconds, None, "none came between");
}

#[test]
fn another_gateway_counts_anew() {
    let at = Instant::now();
    let before = sample(at, vec![stats("a", "1", 100)]);
    let mut now = sample(at + Duration::from_secs(1), vec![stats("a", "1", 3)]);
    now.stats.since_ms = 8;
    for before in [None, Some(&before)] {
        assert_eq!(between(before, &now)[0].requests_per_second, 0.0);
    }
}

#[test]
fn orders() {
    let row = |name: &str, requests_per_second: f64, waiting: u32| Row {
        name: name.to_owned(),
        requests_per_second,
        waiting,
        ..Row::default()
    };
    let mut rows = [row("b", 1.0, 0), row("a", 1.0, 2), row("c", 5.0, 1)];
    let mut ordered = |by| {
        sort(&mut rows, by);
        rows.each_ref().map(|row| row.name.clone()).concat()
    };
    assert_eq!(ordered(Sort::Requests), "cab");
    assert_eq!(ordered(Sort::Waiting), "acb");
    assert_eq!(ordered(Sort::Name), "abc");
    assert_eq!("waiting".parse(), Ok(Sort::Waiting));
    assert!("size".parse::<Sort>().unwrap_err().contains("in-flight"));
}
