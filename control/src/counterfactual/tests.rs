use stoker_config::{ScheduleSpec, WindowSpec};
use stoker_core::Outcome as Found;
use stoker_scaler::StartCause;
use stoker_scaler::record::{Entry, Request};

use super::*;

const SECOND: u64 = 1_000_000;

fn request(end: u64, waited: Duration, service: Duration) -> Entry {
    Entry {
        at: end,
        what: What::Request(Request {
            waited,
            service,
            outcome: Found::Answered,
            first: false,
        }),
    }
}

/// A request every 30 s, each of which found the same instance; the first one waited for it.
/// No start is held.
fn free() -> StartLimits {
    StartLimits::default()
}

fn record() -> Recorded {
    let (start, service) = (Duration::from_millis(200), Duration::from_millis(100));
    let instance = InstanceId::new(1, 1);
    let mut entries = vec![Entry {
        at: SECOND + 200_000,
        what: What::Started {
            instance,
            took: start,
            cause: StartCause::Request,
        },
    }];
    for number in 0..20 {
        let (waited, at) = match number {
            0 => (start, SECOND + 300_000),
            _ => (Duration::ZERO, SECOND + number * 30 * SECOND + 100_000),
        };
        entries.push(request(at, waited, service));
    }
    let chunk = Chunk::of("f", "r", SECOND, &entries);
    Recorded::new(vec![Arc::new(chunk)], &[(instance, SECOND)], 0)
}

fn spec(changes: &str) -> Setup {
    let changes: Changes = changes.parse().unwrap();
    setup(&changes.apply(None).unwrap())
}

#[test]
fn what_happened_is_told_as_it_was() {
    let outcome = record().outcome();
    assert_eq!(
        outcome,
        Outcome {
            requests: 20,
            delayed: 1,
            refused: 0,
            wait_p50_ms: Some(0.0),
            wait_p99_ms: Some(200.0),
            wait_max_ms: 200.0,
            starts: 1,
            instance_seconds: 570.0,
        }
    );
}

#[test]
fn the_settings_in_force_give_what_happened() {
    let record = record();
    let replayed = outcome(&record.replay(spec("on-arrival"), &free()));
    let recorded = record.outcome();
    assert_eq!(replayed.starts, recorded.starts);
    assert_eq!(replayed.delayed, recorded.delayed);
    assert!((replayed.instance_seconds - recorded.instance_seconds).abs() < 1.0);
}

#[test]
fn other_settings_equal_a_direct_replay() {
    let record = record();
    let brief = spec("on-arrival,idle-timeout=10s");
    let replayed = record.replay(brief.clone(), &free());
    // Every request finds no instance any more.
    assert_eq!((replayed.starts, replayed.delayed), (20, 20));
    let arrivals = record.rows.iter().map(|row| Arrival {
        at: Timestamp::ZERO + Duration::from_micros(row.arrived - record.from),
        function: 0,
        service: Duration::from_millis(100),
        start: row.start,
    });
    let start = Times::Fixed(Duration::from_millis(200));
    let direct = stoker_lab::replay(brief.spec, arrivals, &start, 1);
    assert_eq!(direct.starts, replayed.starts);
    assert_eq!(direct.wait, replayed.wait);
}

/// The record is of the first ten minutes of the 1st of January 1970, which was a Thursday.
#[test]
fn a_schedule_is_part_of_the_settings() {
    let record = record();
    for (day, starts) in [(4, 3), (5, 1)] {
        let schedule = ScheduleSpec {
            windows: vec![WindowSpec {
                from: format!("0 0 * * {day}").parse().unwrap(),
                to: format!("0 12 * * {day}").parse().unwrap(),
                zone: "UTC".parse().unwrap(),
                min_scale: 3,
            }],
        };
        let replayed = record.replay(
            Setup {
                schedule,
                ..spec("on-arrival")
            },
            &free(),
        );
        assert_eq!(replayed.starts, starts, "day {day}");
    }
}

#[test]
fn nothing_recorded_is_nothing() {
    let nothing = Recorded::new(Vec::new(), &[], 5);
    assert_eq!(nothing.outcome(), Outcome::default());
    let replayed = nothing.replay(spec("on-arrival"), &free());
    assert_eq!(replayed.calls, 0);
}
