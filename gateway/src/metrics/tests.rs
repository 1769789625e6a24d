use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::series::Warmth;
use super::*;

fn name(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn nothing(shadows: &Shadows) -> Now<'_> {
    Now {
        prepared: Vec::new(),
        revisions: Vec::new(),
        functions: const { &BTreeMap::new() },
        waiting: 0,
        wait_buffer: (0, 0),
        shadows,
        budgets: Arc::default(),
        certificates: &[],
    }
}

#[test]
fn cold_and_warm_are_apart_and_problems_have_kinds() {
    let metrics = Metrics::new().unwrap();
    let series = metrics.series(&name("f"), &name("r1"));
    series.answered(
        Warmth::Cold,
        Duration::from_millis(3),
        Duration::from_millis(7),
    );
    series.completed(StatusCode::OK, Warmth::Cold, Duration::from_millis(8));
    series.problem(StatusCode::SERVICE_UNAVAILABLE, "queue-full");
    series.problem(StatusCode::SERVICE_UNAVAILABLE, "queue-full");
    series.moved(10, 20);
    metrics.unrouted(ProblemKind::NotFound);
    let text = metrics.encode(nothing(&Shadows::default())).unwrap();
    for line in [
        "stoker_requests_total{code=\"2xx\",function=\"f\",origin=\"function\",revision=\"r1\"} 1",
        "stoker_requests_total{code=\"5xx\",function=\"f\",origin=\"gateway\",revision=\"r1\"} 2",
        "stoker_requests_total{code=\"5xx\",function=\"f\",origin=\"function\",revision=\"r1\"} 0",
        "stoker_problems_total{function=\"f\",problem=\"queue-full\",revision=\"r1\"} 2",
        "stoker_first_byte_seconds_bucket{function=\"f\",revision=\"r1\",start=\"cold\",le=\"0.01\"} 1",
        "stoker_request_bytes_total{function=\"f\",revision=\"r1\"} 10",
        "stoker_response_bytes_total{function=\"f\",revision=\"r1\"} 20",
        "stoker_unrouted_requests_total{code=\"404\",problem=\"not-found\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("start=\"warm\""), "nothing was warm");
}

#[test]
fn what_was_frozen_is_neither_warm_nor_cold() {
    let metrics = Metrics::new().unwrap();
    let series = metrics.series(&name("f"), &name("r1"));
    let id = stoker_core::InstanceId::new(1, 1);
    series.note(&Notice::Frozen { id });
    series.note(&Notice::Thawed {
        id,
        took: Duration::from_micros(15),
    });
    series.note(&Notice::Relieved {
        available_percentage: 3.0,
        stalled_percentage: 0.0,
        reclaimed: 1,
        released: 2,
    });
    series.answered(Warmth::Thawed, Duration::ZERO, Duration::ZERO);
    let text = metrics.encode(nothing(&Shadows::default())).unwrap();
    for line in [
        "stoker_freezes_total{function=\"f\",revision=\"r1\"} 1",
        "stoker_thaw_duration_seconds_count{function=\"f\",revision=\"r1\"} 1",
        "stoker_memory_releases_total{function=\"f\",revision=\"r1\"} 2",
        "stoker_first_byte_seconds_count{function=\"f\",revision=\"r1\",start=\"thawed\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    drop(series);
    drop(metrics.encode(nothing(&Shadows::default())).unwrap());
    assert!(
        !metrics
            .encode(nothing(&Shadows::default()))
            .unwrap()
            .contains("r1")
    );
}

#[test]
fn a_revision_that_is_gone_is_shown_once_more() {
    let metrics = Metrics::new().unwrap();
    let series = metrics.series(&name("f"), &name("old"));
    series.interrupted();
    series.answered(Warmth::Warm, Duration::ZERO, Duration::ZERO);
    series.problem(StatusCode::BAD_GATEWAY, "start-failed");
    series.evicted(1);
    drop(series);
    let last = metrics.encode(nothing(&Shadows::default())).unwrap();
    assert!(last.contains("revision=\"old\""));
    let text = metrics.encode(nothing(&Shadows::default())).unwrap();
    assert!(!text.contains("revision=\"old\""), "{text}");

    metrics.series(&name("f"), &name("older"));
    metrics.prune(&HashSet::new());
    let text = metrics.encode(nothing(&Shadows::default())).unwrap();
    assert!(!text.contains("revision=\"older\""), "{text}");
}

#[test]
fn functions_beyond_the_bound_share_series() {
    let metrics = Metrics::new().unwrap();
    metrics.set_functions(2);
    let count = |function: &str, revision: &str| {
        let series = metrics.series(&name(function), &name(revision));
        series.completed(StatusCode::OK, Warmth::Warm, Duration::ZERO);
    };
    for (function, revision) in [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("a", "2")] {
        count(function, revision);
    }
    let stats = metrics.stats();
    let named: Vec<_> = stats
        .iter()
        .map(|one| (&*one.function, &*one.revision, one.from_function[1]))
        .collect();
    assert_eq!(
        named,
        [
            ("_other", "_other", 2),
            ("a", "1", 1),
            ("a", "2", 1),
            ("b", "1", 1)
        ]
    );
    // Room that is left is room for others.
    let alive = [(name("a"), name("2"))].into_iter().collect();
    metrics.prune(&alive);
    count("c", "1");
    let stats = metrics.stats();
    let functions: Vec<_> = stats.iter().map(|one| &*one.function).collect();
    assert_eq!(functions, ["_other", "a", "c"]);
}

#[test]
fn the_process_is_there() {
    let text = Metrics::new()
        .unwrap()
        .encode(nothing(&Shadows::default()))
        .unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse::<f64>().ok())
            .unwrap()
    };
    assert!(value("process_resident_memory_bytes ") > 1e5);
    assert!(value("process_open_fds ") >= 3.0);
    assert!(value("process_start_time_seconds ") > 1e9);
    assert!(text.contains("stoker_build_info{version="));
}

#[test]
fn latencies_are_cumulated() {
    let metrics = Metrics::new().unwrap();
    let series = metrics.series(&name("f"), &name("r"));
    for millis in [1, 3, 400_000] {
        series.answered(Warmth::Warm, Duration::ZERO, Duration::from_millis(millis));
    }
    let stats = metrics.stats();
    let warm = &stats[0].warm;
    assert_eq!(warm.count, 3);
    assert_eq!(warm.buckets.last().map(|bucket| bucket.1), Some(2));
    assert!(warm.buckets.contains(&(0.001, 1)), "{:?}", warm.buckets);
    assert_eq!(stats[0].cold, Latencies::default());
}
