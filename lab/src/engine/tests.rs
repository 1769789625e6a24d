use std::time::Duration;

use stoker_config::{Changes, ScheduleSpec, WindowSpec};

use crate::{Arrival, Engine, Report, Setup, Times, World, replay};
use stoker_core::{StartLimits, Timestamp};

/// As a command line has it.
fn setup(text: &str) -> Setup {
    let changes: Changes = text.parse().unwrap();
    Setup::new(changes.apply(None).unwrap().scaling)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(millis * 1_000_000)
}

fn call(millis: u64, service_millis: u64) -> Arrival {
    Arrival {
        at: at(millis),
        function: 0,
        service: Duration::from_millis(service_millis),
        start: None,
    }
}

fn run(text: &str, calls: &[Arrival]) -> Report {
    let start: Times = "20ms".parse().unwrap();
    replay(setup(text).spec, calls.iter().copied(), &start, 1)
}

fn is(value: f64, wanted: f64) {
    assert!((value - wanted).abs() < 1e-6, "{value} is not {wanted}");
}

/// Quantiles have three digits.
fn about(value: Option<f64>, wanted: f64) {
    let value = value.unwrap();
    assert!(
        (value - wanted).abs() <= wanted * 1e-3,
        "{value} is not {wanted}"
    );
}

/// Starts at 0, serves from 20 to 120 ms, is idle for 10 s, and takes 10 ms to end.
#[test]
fn one_call_on_arrival() {
    let report = run("on-arrival,idle=10s", &[call(0, 100)]);
    assert_eq!((report.calls, report.served, report.cold), (1, 1, 1));
    about(report.wait.p50, 0.02);
    about(report.wait.p999, 0.02);
    is(report.instance_seconds, 10.13);
    is(report.busy_seconds, 0.1);
    is(report.gb_seconds, 10.13 * 0.134_217_728);
    assert_eq!((report.starts, report.reversals), (1, 1));
    // (20 + 100) / 100.
    is(report.slowdown.geometric_mean, 1.2);
    assert_eq!(report.span, Duration::from_secs(900));
}

/// The second call finds the instance of the first one, the third finds it busy.
#[test]
fn a_warm_call_waits_for_nothing() {
    let calls = [call(0, 100), call(1_000, 100), call(1_050, 10)];
    let report = run("on-arrival,idle=10s", &calls);
    assert_eq!((report.starts, report.peak_instances), (2, 2));
    assert_eq!((report.delayed, report.cold), (2, 2));
    // The third starts at 1,050 an instance, that is ready at 1,070; from 1,080 on it is idle.
    is(report.instance_seconds, 11.11 + 10.04);
    is(report.busy_seconds, 0.21);
    about(report.wait.p50, 0.02);
    is(report.wait.mean, 0.04 / 3.0);
    // Sizes of 1.2, 1 and 3.
    is(report.slowdown.max, 3.6_f64.cbrt());
}

/// A call that waits takes the slot that is free first, which is not that of its own start.
#[test]
fn a_busy_instance_that_ends_serves_who_waits() {
    let report = run("on-arrival", &[call(0, 100), call(110, 100)]);
    assert_eq!((report.starts, report.cold), (2, 1));
    // It waits from 110 to 120, and its start is in vain.
    about(report.wait.p50, 0.01);
    about(report.wait.p99, 0.02);
}

/// Empty since 120 ms; stable window and grace are over at 90.12 s, and a decision is made each 2 s.
#[test]
fn kpa_keeps_its_last_instance_for_window_and_grace() {
    let report = run("kpa", &[call(0, 100)]);
    is(report.instance_seconds, 92.01);
    assert_eq!((report.starts, report.cold), (1, 1));
}

#[test]
fn with_max_scale_calls_queue() {
    let calls = [call(0, 100), call(0, 100), call(0, 100)];
    let report = run("on-arrival,max-scale=1,admission=off", &calls);
    assert_eq!((report.starts, report.delayed, report.cold), (1, 3, 3));
    about(report.wait.p50, 0.12);
    is(report.wait.max, 0.22);
}

/// Two at once on one instance; it is busy from 20 to 220 ms and not twice.
#[test]
fn busy_time_counts_instances_not_calls() {
    let calls = [call(0, 100), call(0, 200)];
    let report = run("on-arrival,concurrency=2,idle=1s", &calls);
    assert_eq!((report.starts, report.peak_instances), (1, 1));
    is(report.busy_seconds, 0.2);
    is(report.instance_seconds, 1.23);
}

#[test]
fn who_waits_too_long_is_refused_and_counts_as_waiting_for_ever() {
    let world = World::default();
    let mut engine = Engine::new(world);
    let slow = Setup {
        patience: Duration::from_millis(50),
        start: std::sync::Arc::new(Times::Fixed(Duration::from_millis(200))),
        ..setup("on-arrival")
    };
    assert_eq!(engine.add("f", slow), 0);
    engine.feed(call(0, 10));
    engine.feed(call(1_000, 10));
    let report = engine.finish();
    assert_eq!((report.served, report.refused_expired), (1, 1));
    assert_eq!((report.wait.p50, report.wait.p99), (Some(0.0), None));
    is(report.delayed_share(), 0.5);
}

#[test]
fn recorded_starts_are_taken_in_order() {
    let recorded = |millis, start| Arrival {
        start: Some(Duration::from_millis(start)),
        ..call(millis, 10)
    };
    let calls = [recorded(0, 300), recorded(60_000, 100)];
    let report = run("on-arrival,idle=1s", &calls);
    about(report.wait.p50, 0.1);
    is(report.wait.max, 0.3);
}

#[test]
fn instances_are_paid_for_until_the_end_of_the_tail() {
    let report = run("on-arrival,min-scale=1", &[call(100_000, 0)]);
    // From the first call on, for 15 minutes.
    is(report.instance_seconds, 900.0);
}

/// Two calls share one processor; each takes twice as long, and nothing waits for a slot once the
/// instances are there.
#[test]
fn on_a_small_machine_calls_slow_each_other_down() {
    let world = World {
        millicpus: Some(1_000),
        ..World::default()
    };
    let mut engine = Engine::new(world);
    engine.add("f", setup("on-arrival,idle=1s"));
    engine.feed(call(0, 100));
    engine.feed(call(0, 100));
    let report = engine.finish();
    // From 20 to 220 ms.
    is(report.busy_seconds, 0.4);
    is(report.instance_seconds, 2.0 * 1.23);
    // 220 of 100 each.
    is(report.slowdown.geometric_mean, 2.2);
}

/// Starts of which all is processor time take twice as long if there are two.
#[test]
fn starts_compute_too() {
    let world = World {
        millicpus: Some(1_000),
        service_cpu: 0.0,
        ..World::default()
    };
    let mut engine = Engine::new(world);
    let busy = Setup {
        start_cpu: Duration::from_millis(20),
        ..setup("on-arrival,idle=1s")
    };
    engine.add("f", busy);
    engine.feed(call(0, 100));
    engine.feed(call(0, 100));
    let report = engine.finish();
    about(report.wait.p50, 0.04);
    is(report.busy_seconds, 0.2);
    assert_eq!(report.start_cpu, Duration::from_millis(40));
}

/// Two instances from one to two o'clock each day, by a clock that begins on a Monday.
#[test]
fn a_schedule_goes_by_the_clock() {
    let directory = std::env::temp_dir().join(format!("stoker-lab-cron-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let manifest = directory.join("function.toml");
    let text = "name = \"f\"\ncommand = [\"x\"]\n[scaling]\nidle-timeout = \"10s\"\n\
        [[scaling.schedule]]\nfrom = \"0 1 * * *\"\nto = \"0 2 * * *\"\ntime-zone = \"UTC\"\n\
        min-scale = 2\n";
    std::fs::write(&manifest, text).unwrap();
    let function = Changes::default().apply(Some(&manifest));
    std::fs::remove_dir_all(&directory).unwrap();
    let function = function.unwrap();
    let mut engine = Engine::new(World::default());
    let scheduled = Setup {
        schedule: function.schedule.clone(),
        ..Setup::new(function.scaling)
    };
    engine.add("f", scheduled);
    let hour = 3_600_000;
    engine.feed(call(0, 0));
    engine.feed(call(5 * 24 * hour + 12 * hour, 0));
    let report = engine.finish();
    // Six windows of two instances, which go at once when their time is over, for they were idle
    // for long; and two calls.
    is(report.instance_seconds, 6.0 * 2.0 * 3_600.01 + 2.0 * 10.03);
    assert_eq!(report.starts, 14);
}

/// A window that begins again every minute while it is open changes nothing for hours, and still
/// ends.
#[test]
fn a_schedule_that_begins_again_and_again_ends() {
    let schedule = ScheduleSpec {
        windows: vec![WindowSpec {
            from: "* 8-17 * * *".parse().unwrap(),
            to: "0 18 * * *".parse().unwrap(),
            zone: "UTC".parse().unwrap(),
            min_scale: 1,
        }],
    };
    let mut engine = Engine::new(World::default());
    engine.add(
        "f",
        Setup {
            schedule,
            ..setup("on-arrival,idle=10s")
        },
    );
    let hour = 3_600_000;
    engine.feed(call(9 * hour, 0));
    engine.feed(call(3 * 24 * hour, 0));
    let report = engine.finish();
    // Nine hours of the first day, ten of both others, and one call at midnight.
    is(report.instance_seconds, 29.0 * 3_600.0 + 3.0 * 0.01 + 10.03);
    assert_eq!(report.starts, 4);
}

/// A world in which so many start at once.
fn gated(at_once: u32) -> World {
    let starts = StartLimits {
        at_once,
        ..StartLimits::default()
    };
    World {
        starts: Some(starts),
        ..World::default()
    }
}

fn play(world: World, text: &str, calls: &[Arrival]) -> Report {
    let mut engine = Engine::new(world);
    engine.add("f", setup(text));
    for arrival in calls {
        engine.feed(*arrival);
    }
    engine.finish()
}

/// One at a time, of 20 ms each. The first instance is free again at 35 ms and takes the second call;
/// the second one takes the third at 40 ms, and the third start never begins.
#[test]
fn a_start_that_waits_at_the_gate_is_given_up_when_nobody_needs_it() {
    let calls = [call(0, 15), call(0, 100), call(0, 10)];
    let report = play(gated(1), "on-arrival,idle=1s", &calls);
    assert_eq!((report.starts, report.served), (2, 3));
    assert_eq!((report.peak_instances, report.cold), (2, 3));
    is(report.wait.max, 0.04);
    // In use from 0 to 135 ms and from 20 to 50 ms: what waits at the gate costs nothing.
    is(report.instance_seconds, 0.135 + 0.03 + 2.0 * 1.01);
    let free = play(World::default(), "on-arrival,idle=1s", &calls);
    assert_eq!((free.starts, free.peak_instances), (3, 3));
}

/// It takes longer than a second, so that the next one begins beside it.
#[test]
fn a_start_that_takes_long_leaves_its_place_to_another() {
    let slow = |millis| Arrival {
        start: Some(Duration::from_millis(5_000)),
        ..call(millis, 10_000)
    };
    let report = play(gated(1), "on-arrival,idle=1s", &[slow(0), slow(0)]);
    assert_eq!(report.starts, 2);
    is(report.wait.max, 6.0);
}

/// Two per second after a burst of one.
#[test]
fn the_rate_of_starts_is_held() {
    let starts = StartLimits {
        per_second: 2,
        burst: 1,
        ..StartLimits::default()
    };
    let world = World {
        starts: Some(starts),
        ..World::default()
    };
    let calls = [call(0, 10_000), call(0, 10_000), call(0, 10_000)];
    let report = play(world, "on-arrival,idle=1s", &calls);
    assert_eq!(report.starts, 3);
    about(Some(report.wait.max), 1.02);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Any calls, small enough for queues and refusals.
    fn any_calls() -> impl Strategy<Value = Vec<Arrival>> {
        prop::collection::vec((0_u64..5_000, 0_u64..400, 0_u32..3), 1..60).prop_map(|all| {
            let mut now = 0;
            let calls = all.into_iter().map(|(gap, service, function)| {
                now += gap * gap / 5_000;
                Arrival {
                    function,
                    ..call(now, service)
                }
            });
            calls.collect()
        })
    }

    fn play(calls: &[Arrival], text: &str, world: &World) -> Report {
        let world = world.clone();
        let mut engine = Engine::new(world);
        for name in ["a", "b", "c"] {
            let start = "lognormal(200ms,1)".parse::<Times>().unwrap();
            engine.add(
                name,
                Setup {
                    start: start.into(),
                    start_cpu: Duration::from_millis(10),
                    patience: Duration::from_secs(2),
                    ..setup(text)
                },
            );
        }
        for arrival in calls {
            engine.feed(*arrival);
        }
        engine.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every call is answered once, an instance is alive while it is busy, and equal seeds give
        /// equal reports, whatever the policy.
        #[test]
        fn nothing_is_lost(
            calls in any_calls(),
            policy in prop::sample::select(stoker_config::policies()),
            rest in prop::sample::select(vec!["", ",max-scale=1", ",concurrency=3", ",max-waiters=2"]),
            millicpus in prop::option::of(200_u32..3_000),
            starts in prop::option::of((1_u32..5, prop::sample::select(vec![1, 5, 100]))),
            seed: u64,
        ) {
            let text = format!("{policy}{rest}");
            let starts = starts.map(|(at_once, per_second)| StartLimits {
                at_once,
                per_second,
                burst: 1,
                ..StartLimits::default()
            });
            let world = World { seed, millicpus, starts, ..World::default() };
            let report = play(&calls, &text, &world);
            prop_assert_eq!(report.calls, calls.len() as u64);
            prop_assert_eq!(report.calls, report.served + report.refused);
            prop_assert!(report.cold <= report.delayed && report.delayed <= report.served);
            prop_assert!(report.instance_seconds >= report.busy_seconds - 1e-6);
            prop_assert_eq!(report.timeline.calls.iter().sum::<u64>(), report.calls);
            prop_assert_eq!(report.timeline.starts.iter().sum::<u64>(), report.starts);
            let alive: f64 = report.timeline.instances.iter().sum();
            let alive = alive * report.timeline.width_seconds;
            prop_assert!((alive - report.instance_seconds).abs() < 1e-3 * alive.max(1.0));
            prop_assert_eq!(&play(&calls, &text, &world), &report);
        }
    }
}
