//! The generator against servers that misbehave.

mod server;

use std::time::{Duration, Instant};

use super::tally::Sample;
use super::{Crew, Plan, Tally, Wanted, Work};
use crate::client::{Alpn, Endpoint, Reply, Request, Trust, Url};
use crate::schedule::{Arrivals, Schedule};
use crate::stop::Stop;
use server::{Act, Server};

const LONG: Duration = Duration::from_secs(60);

fn crew(server: &Server, threads: usize, keeps_connections: bool, stop: &Stop) -> Crew {
    let url = Url::parse(&format!("http://{}/", server.address)).unwrap();
    let request = Request {
        bytes: b"GET / HTTP/1.1\r\nhost: test\r\n\r\n".to_vec(),
        http2: None,
        head_only: false,
        repeatable: true,
    };
    let work = Work {
        endpoints: vec![Endpoint::resolve(&url, None, (&Trust::System, Alpn::Http1)).unwrap()],
        requests: vec![(0, request)],
        cold_header: ("stoker-start".into(), "cold".into()),
        keeps_connections,
        streams: 1,
        timeout: LONG,
        spin: Duration::ZERO,
    };
    Crew::start(work, threads, stop).unwrap()
}

fn closed(count: u64, connections: usize, wanted: Wanted) -> Plan {
    Plan {
        schedule: Schedule::Closed {
            count: Some(count),
            duration: None,
        },
        in_flight: connections,
        wanted,
        slot: 0,
    }
}

/// Everything that a server makes of a closed loop of so many requests.
fn measured(act: fn(u64) -> Act, count: u64, connections: usize, wanted: Wanted) -> Tally {
    let server = Server::start(act);
    let crew = crew(&server, 1, true, &Stop::new());
    let mut running = crew.begin(closed(count, connections, wanted));
    assert!(running.wait(LONG).unwrap());
    crew.harvest(0)
}

fn longer_than(tally: &Tally, limit: Duration) -> u64 {
    let limit = u64::try_from(limit.as_nanos()).unwrap();
    let buckets = tally.main.total.buckets();
    buckets
        .filter(|(nanoseconds, _)| *nanoseconds > limit)
        .map(|(_, count)| count)
        .sum()
}

fn stall_once(number: u64) -> Act {
    match number {
        20 => Act::Stall(Duration::from_secs(1)),
        _ => Act::Answer(""),
    }
}

/// Of 100 requests per second, the 90 that are due in the first 900 ms of a stall of one second wait
/// for 100 ms or more: they were due by the schedule, whether or not they could be sent. Slowness
/// of this machine can only add to them.
#[test]
fn a_stall_is_in_the_samples_of_all_who_were_due() {
    let server = Server::start(stall_once);
    let crew = crew(&server, 1, true, &Stop::new());
    let mut running = crew.begin(Plan {
        schedule: Schedule::Open {
            rate: 100.0,
            duration: Duration::from_secs(2),
            arrivals: Arrivals::Constant,
        },
        in_flight: 1,
        wanted: Wanted::Warm,
        slot: 0,
    });
    assert!(running.wait(LONG).unwrap());
    let tally = crew.harvest(0);
    assert_eq!(tally.main.answered, 200);
    let slow = longer_than(&tally, Duration::from_millis(100));
    assert!(slow >= 89, "{slow} samples know of the stall");
    assert!(tally.held_up >= 89, "{} were held up", tally.held_up);
    // The generator was not to blame for that.
    assert!(tally.main.late + tally.held_up <= 200);
}

/// What a closed loop makes of the same stall: one slow sample. This is why rates are scheduled.
#[test]
fn a_closed_loop_omits_a_stall() {
    let tally = measured(stall_once, 100, 1, Wanted::Warm);
    assert_eq!(tally.main.answered, 100);
    assert!(longer_than(&tally, Duration::from_secs(1)) >= 1);
    assert_eq!(tally.held_up, 0);
    assert_eq!(tally.lateness.count(), 0, "nothing was due");
}

#[test]
fn samples_of_the_wrong_kind_are_thrown_out_and_counted() {
    let act = |number| match number % 4 {
        0 => Act::Answer("Stoker-Start: cold\r\nServer-Timing: start;dur=1.5\r\n"),
        1 | 2 => Act::Answer("Stoker-Start: warm\r\n"),
        _ => Act::Answer(""),
    };
    let cold = measured(act, 100, 1, Wanted::Cold { trusting: false });
    assert_eq!(cold.main.answered, 25);
    assert_eq!(cold.main.first_byte.count(), 25);
    assert_eq!(cold.main.discarded["warm"], 50);
    assert_eq!(cold.main.discarded["untold"], 25);
    assert_eq!(cold.main.phases["start"].count(), 25);
    let trusting = measured(act, 100, 1, Wanted::Cold { trusting: true });
    assert_eq!(
        (trusting.main.answered, trusting.main.discarded["warm"]),
        (50, 50)
    );
    let warm = measured(act, 100, 1, Wanted::Warm);
    assert_eq!((warm.main.answered, warm.main.discarded["cold"]), (75, 25));
    let both = measured(act, 100, 1, Wanted::Both);
    assert_eq!((both.main.answered, both.apart["cold"].answered), (75, 25));
    let act = |number| match number % 2 {
        0 => Act::Answer("Stoker-Start: thawed\r\n"),
        _ => Act::Answer("Stoker-Start: warm\r\n"),
    };
    let warm = measured(act, 10, 1, Wanted::Warm);
    assert_eq!((warm.main.answered, warm.main.discarded["thawed"]), (5, 5));
    let both = measured(act, 10, 1, Wanted::Both);
    assert_eq!((both.main.answered, both.apart["thawed"].answered), (5, 5));
    assert!(both.main.discarded.is_empty());
    assert_eq!(measured(act, 100, 1, Wanted::Nothing).main.answered, 0);
}

#[test]
fn failures_are_counted_by_what_failed() {
    let act = |number| match number % 3 {
        0 => Act::Answer("X: broken\r\n"),
        1 => Act::Close,
        _ => Act::Answer(""),
    };
    let tally = measured(act, 30, 1, Wanted::Both);
    // A request on a kept connection that breaks is sent again, and is the next number then.
    let failed: u64 = tally.main.failed.values().sum();
    assert_eq!(failed + tally.main.answered, 30);
    assert!(tally.main.failed["status 503"] > 0);
    assert!(tally.resent > 0);
    assert_eq!(tally.failures.len() as u64, failed);
}

#[test]
fn connections_are_kept_or_new_as_wanted() {
    for (keeps, connections) in [(true, 1), (false, 20)] {
        let server = Server::start(|_| Act::Answer(""));
        let crew = crew(&server, 1, keeps, &Stop::new());
        let mut running = crew.begin(closed(20, 1, Wanted::Warm));
        assert!(running.wait(LONG).unwrap());
        assert_eq!(server.connections(), connections);
    }
}

#[test]
fn threads_share_the_work_exactly() {
    let server = Server::start(|_| Act::Answer(""));
    let crew = crew(&server, 3, true, &Stop::new());
    let mut running = crew.begin(closed(100, 6, Wanted::Warm));
    assert!(running.wait(LONG).unwrap());
    assert_eq!(crew.look(0).answered, 100);
    assert_eq!(crew.harvest(0).main.answered, 100);
    assert_eq!(crew.look(0).answered, 0, "it was taken");
    assert_eq!(server.requests(), 100);
}

#[test]
fn a_stopped_run_keeps_what_it_has() {
    let stop = Stop::new();
    let server = Server::start(|_| Act::Answer(""));
    let crew = crew(&server, 1, true, &stop);
    let mut running = crew.begin(closed(u64::MAX, 1, Wanted::Warm));
    while crew.look(0).answered == 0 {
        assert!(!running.wait(Duration::from_millis(1)).unwrap());
    }
    stop.set();
    assert!(running.wait(LONG).unwrap());
    assert!(crew.harvest(0).main.answered > 0);
}

fn sample(due: Option<Instant>, sent: Instant, held_up: bool) -> Sample {
    let reply = Reply {
        status: 200,
        first_byte: sent + Duration::from_millis(1),
        end: sent + Duration::from_millis(2),
        watched: None,
        phases: Vec::new(),
    };
    Sample {
        due,
        sent,
        held_up,
        result: Ok(reply),
    }
}

/// In virtual time: a sample counts from when it was due, and lateness is the generator's only if no
/// connection was waited for.
#[test]
fn lateness_is_accounted_to_whom_it_belongs() {
    let due = Instant::now();
    let sent = due + Duration::from_millis(10);
    let mut tally = Tally::default();
    tally.note(&sample(Some(due), due, false), Wanted::Warm, "cold");
    tally.note(&sample(Some(due), sent, false), Wanted::Warm, "cold");
    tally.note(&sample(Some(due), sent, true), Wanted::Warm, "cold");
    assert_eq!((tally.main.late, tally.held_up), (1, 1));
    assert_eq!(tally.lateness.count(), 2);
    let millis = |quantile: f64| {
        let total = tally.main.total.quantile(quantile).unwrap();
        (total.as_secs_f64() * 1000.0).round()
    };
    assert_eq!((millis(0.0), millis(1.0)), (2.0, 12.0));
    tally.note(&sample(None, sent, false), Wanted::Warm, "cold");
    assert_eq!((tally.main.late, tally.lateness.count()), (1, 2));
}
