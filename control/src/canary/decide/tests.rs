use super::*;

const INTERVAL: Duration = Duration::from_secs(60);

fn step(elapsed: Duration, last: bool) -> (Bounds, Duration, bool) {
    (Bounds::default(), elapsed, last)
}

fn decided((bounds, elapsed, last): (Bounds, Duration, bool), new: &Stats, old: &Stats) -> Move {
    let step = Step {
        elapsed,
        interval: INTERVAL,
        last,
        bounds: &bounds,
    };
    decide(&step, new, old)
}

/// Requests of which some failed, and 99 % of which took at most so many seconds.
fn stats(requests: u64, failures: u64, p99: f64) -> Stats {
    Stats {
        requests,
        failures,
        latencies: Latencies {
            count: requests,
            sum_seconds: p99 * requests as f64,
            buckets: vec![(p99 * 0.99, 0), (p99, requests)],
        },
    }
}

fn went_back(decided: &Move, word: &str) -> bool {
    matches!(decided, Move::RollBack(why) if why.contains(word))
}

#[test]
fn a_good_one_goes_on_when_its_time_is_over() {
    let (new, old) = (stats(500, 1, 0.1), stats(9_500, 20, 0.1));
    let early = decided(step(INTERVAL / 2, false), &new, &old);
    assert_eq!(early, Move::Wait("its time at this share is not over"));
    assert_eq!(decided(step(INTERVAL, false), &new, &old), Move::Advance);
    assert_eq!(decided(step(INTERVAL, true), &new, &old), Move::Succeed);
}

#[test]
fn one_that_nobody_calls_is_not_judged() {
    let old = stats(9_500, 20, 0.1);
    for requests in [0, 1, 49] {
        let waits = decided(step(INTERVAL * 9, false), &stats(requests, 0, 0.1), &old);
        assert_eq!(waits, Move::Wait("it had too few requests to judge by"));
    }
    // With nothing to compare it with, its own failures count.
    let none = Stats::default();
    assert_eq!(
        decided(step(INTERVAL, false), &stats(50, 0, 0.1), &none),
        Move::Advance
    );
    assert!(went_back(
        &decided(step(INTERVAL, false), &stats(50, 25, 0.1), &none),
        "failed"
    ));
}

#[test]
fn one_that_fails_goes_back_at_once_and_by_chance_it_does_not() {
    let old = stats(1_000, 10, 0.1);
    let at_once = Duration::from_secs(1);
    assert!(went_back(
        &decided(step(at_once, false), &stats(5, 5, 0.1), &old),
        "5 of its 5"
    ));
    assert!(went_back(
        &decided(step(at_once, true), &stats(200, 20, 0.1), &old),
        "10.00 %"
    ));
    for (requests, failures) in [(4, 4), (100, 3), (300, 6), (1_000, 15)] {
        let new = stats(requests, failures, 0.1);
        let waits = decided(step(at_once, false), &new, &old);
        assert!(
            matches!(waits, Move::Wait(_)),
            "{failures} of {requests}: {waits:?}"
        );
    }
    // One that is as bad as the old one is not worse.
    let bad = stats(1_000, 500, 0.1);
    assert_eq!(
        decided(step(INTERVAL, false), &stats(1_000, 510, 0.1), &bad),
        Move::Advance
    );
}

#[test]
fn one_that_is_slower_goes_back_once_that_is_known() {
    let old = stats(9_500, 0, 0.1);
    let slow = |requests| decided(step(INTERVAL, false), &stats(requests, 0, 0.2), &old);
    assert!(went_back(&slow(50), "200.0 ms"));
    assert!(matches!(slow(49), Move::Wait(_)));
    let little = decided(step(INTERVAL, false), &stats(500, 0, 0.14), &old);
    assert_eq!(little, Move::Advance);
    // Milliseconds are noise.
    let (new, old) = (stats(500, 0, 0.005), stats(9_500, 0, 0.001));
    assert_eq!(decided(step(INTERVAL, false), &new, &old), Move::Advance);
    // Without enough of the old ones there is nothing to compare with.
    let (new, old) = (stats(500, 0, 1.0), stats(10, 0, 0.001));
    assert_eq!(decided(step(INTERVAL, false), &new, &old), Move::Advance);
}

#[test]
fn what_was_counted_before_is_no_part_of_it() {
    let latencies = |count| Latencies {
        count,
        sum_seconds: count as f64,
        buckets: vec![(0.1, count / 2), (1.0, count)],
    };
    let counted = |good, bad, warm| FunctionStats {
        from_function: [0, good, 0, 0, bad],
        warm: latencies(warm),
        thawed: latencies(2),
        cold: latencies(100),
        ..FunctionStats::default()
    };
    let mut stats = Stats::since(&counted(90, 10, 100), &counted(50, 8, 60));
    assert_eq!((stats.requests, stats.failures), (42, 2));
    assert_eq!(stats.latencies.count, 40);
    assert_eq!(stats.latencies.buckets, [(0.1, 20), (1.0, 40)]);
    stats.add(&stats.clone());
    assert_eq!((stats.requests, stats.latencies.count), (84, 80));
    // A gateway that took over counts from zero.
    let fresh = Stats::since(&counted(1, 0, 1), &counted(90, 10, 100));
    assert_eq!(fresh.requests, 0);
}
