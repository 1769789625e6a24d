use stoker_config::{Changes, ScheduleSpec, WindowSpec};
use stoker_core::{InstanceId, Outcome};
use stoker_scaler::StartCause;
use stoker_scaler::record::{Entry, Request};

use super::*;

const SECOND: u64 = 1_000_000;

fn spec(settings: &str) -> Arc<ScaleSpec> {
    let changes: Changes = settings.parse().unwrap();
    changes.apply(None).unwrap().scaling
}

fn request(end: u64, waited: u64) -> Entry {
    Entry {
        at: end,
        what: What::Request(Request {
            waited: Duration::from_micros(waited),
            service: Duration::from_millis(100),
            outcome: Outcome::Answered,
            first: false,
        }),
    }
}

/// A start and a request at 10 s, and then one every ten seconds.
fn entries() -> Vec<Entry> {
    let started = Entry {
        at: 10 * SECOND + 200_000,
        what: What::Started {
            instance: InstanceId::new(1, 1),
            took: Duration::from_millis(200),
            cause: StartCause::Request,
        },
    };
    let later = (2..=6).map(|number| request(number * 10 * SECOND + 100_000, 0));
    [started, request(10 * SECOND + 300_000, 200_000)]
        .into_iter()
        .chain(later)
        .collect()
}

#[test]
fn another_policy_is_tried_over_the_same_requests() {
    let entries = entries();
    let brief = spec("on-arrival,idle-timeout=5s");
    let mut trial = Trial::new(
        (Setup::new(brief), &StartLimits::default()),
        &spec("on-arrival"),
        SECOND,
    );
    // The chunk grows from look to look, as those do that are still written.
    for (count, now) in [(0, 5), (2, 12), (4, 31), (7, 70), (7, 80)] {
        let chunk = Chunk::of("f", "r", SECOND, &entries[..count]);
        trial.step(&[Arc::new(chunk)], 1, now * SECOND);
    }
    let status = trial.status(80 * SECOND);
    assert_eq!(status.policy, "on-arrival");
    assert_eq!(status.age, Duration::from_secs(79));
    let (live, shadow) = (status.live, status.shadow);
    assert_eq!((live.requests, live.delayed, live.starts), (6, 1, 1));
    assert_eq!(live.wait_max, Duration::from_millis(200));
    assert_eq!(live.instance_seconds, 79.0);
    // Nothing stays for ten seconds, so that everybody waits.
    assert_eq!((shadow.requests, shadow.delayed, shadow.starts), (6, 6, 6));
    assert_eq!(shadow.instances, 0);
    assert!(shadow.instance_seconds < 40.0, "{shadow:?}");
    assert!(shadow.wait_p50 >= Duration::from_millis(199), "{shadow:?}");
}

/// Time zero is not the lab's own, but the 1st of January 1970, a Thursday.
#[test]
fn a_schedule_is_part_of_what_is_tried() {
    let always = |day: u32| ScheduleSpec {
        windows: vec![WindowSpec {
            from: format!("0 0 * * {day}").parse().unwrap(),
            to: format!("0 12 * * {day}").parse().unwrap(),
            zone: "UTC".parse().unwrap(),
            min_scale: 3,
        }],
    };
    for (day, instances) in [(4, 3), (5, 0)] {
        let setup = Setup {
            schedule: always(day),
            ..Setup::new(spec("on-arrival,idle-timeout=5s"))
        };
        let mut trial = Trial::new(
            (setup, &StartLimits::default()),
            &spec("on-arrival"),
            SECOND,
        );
        let chunk = Arc::new(Chunk::of("f", "r", SECOND, &entries()));
        trial.step(&[chunk], 1, 100 * SECOND);
        assert_eq!(trial.status(100 * SECOND).shadow.instances, instances);
    }
}

#[test]
fn what_came_before_it_began_is_not_its_own() {
    let setup = Setup::new(spec("kpa"));
    let mut trial = Trial::new(
        (setup, &StartLimits::default()),
        &spec("on-arrival"),
        35 * SECOND,
    );
    let chunk = Arc::new(Chunk::of("f", "r", SECOND, &entries()));
    trial.step(&[Arc::clone(&chunk)], 1, 100 * SECOND);
    trial.step(&[chunk], 1, 101 * SECOND);
    let status = trial.status(101 * SECOND);
    assert_eq!(status.policy, "kpa");
    assert_eq!((status.live.requests, status.shadow.requests), (3, 3));
}
