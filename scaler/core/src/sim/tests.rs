use std::time::Duration;

use super::*;
use crate::testing::spec;
use crate::{Admission, Freeze, Health, Policy, ScaleSpec, Timestamp};

/// How many seeds a plain test run plays.
const SEEDS: u64 = 1_000;

fn seconds(count: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the seed to play again comes from the outside"
)]
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// `SIM_SEED=7` plays that one; `SIM_SEEDS=1000000` plays that many.
#[test]
fn whatever_goes_wrong_everybody_is_answered_and_everything_ends() {
    let seeds = match from_environment("SIM_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=from_environment("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut total = Report::default();
    for seed in seeds {
        // A violation panics within `apply` in debug builds, and that must name the seed too.
        let play = || run(&Scenario::random(seed), seed);
        let report = match std::panic::catch_unwind(play) {
            Ok(Ok(report)) => report,
            Ok(Err(defect)) => panic!("{defect}"),
            Err(_) => panic!("SIM_SEED={seed}"),
        };
        total.granted += report.granted;
        total.expired += report.expired;
        total.start_failed += report.start_failed;
        total.queue_full += report.queue_full;
        total.too_late += report.too_late;
        total.failed += report.failed;
        total.shutting_down += report.shutting_down;
        total.left += report.left;
        total.killed += report.killed;
        total.cold += report.cold;
        total.frozen += report.frozen;
        total.thawed += report.thawed;
        total.reclaimed += report.reclaimed;
    }
    // The worlds are wild enough to see every outcome.
    if total.granted > 10_000 {
        let rare = [
            total.expired,
            total.start_failed,
            total.queue_full,
            total.too_late,
            total.failed,
            total.shutting_down,
            total.left,
            total.killed,
            total.granted - total.cold,
            total.frozen,
            total.thawed,
            total.reclaimed,
        ];
        assert!(rare.iter().all(|&count| count > 50), "{rare:?}");
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    for seed in 1..=20 {
        let scenario = Scenario::random(seed);
        assert_eq!(scenario, Scenario::random(seed));
        assert_eq!(run(&scenario, seed), run(&scenario, seed));
    }
    let scenario = Scenario::random(3);
    assert_ne!(
        run(&scenario, 1).unwrap().digest,
        run(&scenario, 2).unwrap().digest
    );
}

/// 500 requests at once to a function at zero, eight instances, 20 ms of work each.
#[test]
fn a_burst_from_zero_takes_its_turns() {
    let spec = ScaleSpec {
        max_scale: 8,
        max_starting: 8,
        ..spec()
    };
    let report = run(
        &Scenario::new(spec, burst(seconds(1), 500, millis(20), millis(60_000))),
        1,
    );
    let report = report.unwrap();
    assert_eq!(
        (report.granted, report.live_peak, report.started),
        (500, 8, 8)
    );
    // 100 ms to start, then 63 rounds of eight; the last four begin after 62 rounds.
    assert_eq!(report.wait_quantile(0.0), millis(100));
    assert_eq!(report.wait_quantile(1.0), millis(100 + 62 * 20));
    assert!(report.waits.is_sorted());
}

#[test]
fn on_arrival_answers_a_burst_before_kpa_has_looked() {
    let arrivals = burst(seconds(1), 20, millis(500), millis(60_000));
    let play = |policy| {
        let spec = ScaleSpec {
            policy,
            max_scale: 20,
            max_starting: 20,
            ..spec()
        };
        let scenario = Scenario {
            retire_at: seconds(60),
            ..Scenario::new(spec, arrivals.clone())
        };
        run(&scenario, 1).unwrap()
    };
    let (arrival, kpa) = (play(Policy::OnArrival), play(Policy::Kpa));
    assert_eq!((arrival.granted, kpa.granted), (20, 20));
    assert_eq!(arrival.wait_quantile(1.0), millis(100));
    assert!(
        kpa.wait_quantile(0.99) > millis(1_500),
        "{:?}",
        kpa.wait_quantile(0.99)
    );
}

/// Four instances and 50 requests a second of 100 ms each: a quarter more than they can do.
#[test]
fn under_overload_admission_spares_callers_the_wait_for_nothing() {
    let play = |admission| {
        let mut random = Random::new(23);
        let service = Spread::Exponential(millis(100));
        let length = Duration::from_secs(120);
        let mut arrivals = poisson(seconds(0), length, 50.0, service, &mut random);
        for arrival in &mut arrivals {
            arrival.patience = millis(1_000);
        }
        let spec = ScaleSpec {
            admission,
            ..spec()
        };
        run(&Scenario::new(spec, arrivals), 1).unwrap()
    };
    let (off, on) = (play(Admission::Off), play(Admission::Deadline));
    for (name, report) in [("off", &off), ("deadline", &on)] {
        println!(
            "admission {name}: {} arrived, {} served, {} refused at once, {} timed out after 1s",
            report.arrived, report.granted, report.too_late, report.expired
        );
    }
    assert_eq!((off.arrived, off.too_late), (on.arrived, 0));
    // Few wait in vain, and as many are served.
    assert!(
        on.expired * 3 < off.expired,
        "{} {}",
        on.expired,
        off.expired
    );
    assert!(
        on.granted * 100 >= off.granted * 98,
        "{} {}",
        on.granted,
        off.granted
    );
    assert!(off.expired > 500);
}

/// Of four instances one in four fails nine requests of ten.
#[test]
fn sick_instances_get_few_requests() {
    let play = |failures| {
        let mut random = Random::new(29);
        let service = Spread::Exponential(millis(50));
        let length = Duration::from_secs(300);
        let arrivals = poisson(seconds(0), length, 20.0, service, &mut random);
        let spec = ScaleSpec {
            min_scale: 4,
            health: Health {
                failures,
                ..spec().health
            },
            ..spec()
        };
        let mut scenario = Scenario::new(spec, arrivals);
        scenario.faults.sick = 0.25;
        scenario.faults.fail = 0.9;
        (0..20)
            .map(|seed| run(&scenario, seed).unwrap().failed)
            .sum::<u64>()
    };
    let (off, on) = (play(0), play(5));
    println!("failed requests: {off} without, {on} with passive health");
    assert!(on * 4 < off, "{on} {off}");
}

#[test]
fn the_surplus_goes_after_a_peak() {
    let mut random = Random::new(11);
    let service = Spread::Fixed(millis(100));
    let mut arrivals = poisson(
        seconds(0),
        Duration::from_secs(30),
        20.0,
        service,
        &mut random,
    );
    arrivals.extend(poisson(
        seconds(30),
        Duration::from_secs(300),
        1.0,
        service,
        &mut random,
    ));
    let spec = ScaleSpec {
        max_scale: 20,
        ..spec()
    };
    let report = run(&Scenario::new(spec, arrivals), 1).unwrap();
    assert_eq!(report.answered(), report.arrived);
    assert!(report.live_peak >= 4, "{}", report.live_peak);
    // Some 2.1 instances for 30 s, then one or two: far from the peak for 330 s.
    assert!(
        report.instance_time < Duration::from_secs(800),
        "{:?}",
        report.instance_time
    );
    assert!(report.busy_time < report.instance_time);
}

/// Ten minutes of one request in five seconds: between two of them an instance needs no CPU.
#[test]
fn an_instance_that_is_seldom_used_is_frozen_for_most_of_its_time() {
    let mut random = Random::new(31);
    let service = Spread::Fixed(millis(50));
    let arrivals = poisson(
        seconds(0),
        Duration::from_secs(600),
        0.2,
        service,
        &mut random,
    );
    let play = |after| {
        let spec = ScaleSpec {
            idle_timeout: Duration::from_secs(60),
            freeze: Freeze { after, keep_hot: 0 },
            ..spec()
        };
        run(&Scenario::new(spec, arrivals.clone()), 1).unwrap()
    };
    let (off, on) = (play(None), play(Some(millis(500))));
    // Freezing starts and stops nothing.
    assert_eq!((off.started, off.cold), (on.started, on.cold));
    assert_eq!((off.waits, off.frozen), (on.waits, 0));
    assert!(
        on.frozen_time * 10 > on.instance_time * 8,
        "{:?} of {:?}",
        on.frozen_time,
        on.instance_time
    );
}

#[test]
fn spreads_have_the_means_they_promise() {
    let mut random = Random::new(5);
    let mut mean = |spread: Spread| {
        let total: Duration = (0..20_000).map(|_| spread.sample(&mut random)).sum();
        total.as_secs_f64() / 20_000.0
    };
    let second = Duration::from_secs(1);
    let three = Duration::from_secs(3);
    assert_eq!(mean(Spread::Fixed(second)), 1.0);
    assert!((mean(Spread::Uniform(second, three)) - 2.0).abs() < 0.05);
    assert!((mean(Spread::Exponential(second)) - 1.0).abs() < 0.05);
    // exp(sigma^2 / 2) = 1.1331.
    assert!((mean(Spread::LogNormal(second, 0.5)) - 1.1331).abs() < 0.05);
}
