use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{Request, StatusCode};
use stoker_config::{AccessLogFormat, AccessLogSpec};
use stoker_core::InstanceId;

use super::super::Telemetry;
use super::super::journal::{Journal, Outcome};
use super::*;
use crate::identity::RequestId;
use crate::phases::Phases;
use crate::problem::ProblemKind;

pub(crate) fn spec(format: AccessLogFormat) -> AccessLogSpec {
    AccessLogSpec {
        target: None,
        format,
        sample: 1.0,
        keep_errors: true,
        slow: Duration::from_secs(1),
        headers: vec!["x-tenant".to_owned(), "authorization".to_owned()],
        redact: vec!["token".to_owned()],
        buffer_bytes: 1 << 20,
        file_bytes: 1 << 20,
        files: 2,
    }
}

/// A request with all that a line can show.
pub(crate) fn journal() -> Journal {
    let request = Request::get("/function/f/a%20b?code=secret&x=1&token=t")
        .header("host", "example.org")
        .header("x-request-id", "id-1")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("user-agent", "a \"quoted\" agent")
        .header("referer", "http://r/?code=other")
        .header("x-tenant", "shop")
        .header("authorization", "Bearer secret");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let id = RequestId::of(&parts.headers);
    let phases = Phases::new(Instant::now());
    let mut journal = Journal::new(
        Telemetry::off(),
        Arc::from("192.0.2.1"),
        parts,
        (&id, phases),
    );
    journal.arrived = UNIX_EPOCH + Duration::from_millis(1_795_223_045_007);
    journal.key_id = Some(Arc::from("00c0ffee00c0ffee"));
    journal.tls = true;
    journal.instance = Some(InstanceId::new(12, 3));
    journal.cold = true;
    journal.connected = true;
    journal.status = Some(StatusCode::OK);
    journal.outcome = Outcome::Complete;
    journal.phases.queue = Duration::from_micros(12_345);
    journal.phases.connect = Duration::from_micros(7);
    journal.phases.first_byte = Duration::from_millis(2);
    journal.total = Duration::from_millis(20);
    journal.request_bytes = 5;
    journal.response_bytes = 42;
    journal
}

fn line(format: AccessLogFormat, journal: &Journal) -> String {
    let mut out = Vec::new();
    LineFormat::new(&spec(format)).write(&mut out, journal);
    let text = String::from_utf8(out).unwrap();
    text.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn json_has_everything_and_no_secret() {
    assert_eq!(
        line(AccessLogFormat::Json, &journal()),
        "{\"time\":\"2026-11-21T01:04:05.007Z\",\"id\":\"id-1\",\
         \"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"client\":\"192.0.2.1\",\
         \"method\":\"GET\",\"scheme\":\"https\",\"host\":\"example.org\",\
         \"path\":\"/function/f/a%20b?code=***&x=1&token=***\",\"protocol\":\"HTTP/1.1\",\
         \"status\":200,\"origin\":\"function\",\"instance\":\"12-3\",\"cold\":true,\
         \"queue_ms\":12.345,\"connect_ms\":0.007,\"first_byte_ms\":2.000,\"total_ms\":20.000,\
         \"request_bytes\":5,\"response_bytes\":42,\"user_agent\":\"a \\\"quoted\\\" agent\",\
         \"referer\":\"http://r/?code=***\",\
         \"headers\":{\"x-tenant\":\"shop\",\"authorization\":\"***\"},\"key_id\":\"00c0ffee00c0ffee\",\
         \"outcome\":\"complete\"}"
    );
}

#[test]
fn combined_is_what_others_read() {
    assert_eq!(
        line(AccessLogFormat::Combined, &journal()),
        "192.0.2.1 - 00c0ffee00c0ffee [21/Nov/2026:01:04:05 +0000] \
         \"GET /function/f/a%20b?code=***&x=1&token=*** HTTP/1.1\" 200 42 \
         \"http://r/?code=***\" \"a \\x22quoted\\x22 agent\""
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut journal = journal();
    journal.instance = None;
    journal.connected = false;
    journal.status = None;
    journal.outcome = Outcome::ClientLeft;
    let left = line(AccessLogFormat::Json, &journal);
    assert!(
        left.contains("\"status\":499,\"queue_ms\":20.000,\"total_ms\":20.000,"),
        "{left}"
    );
    assert!(left.ends_with("\"outcome\":\"client-left\"}"), "{left}");
    assert!(journal.is_error());

    journal.problem = Some(ProblemKind::QueueFull);
    journal.status = Some(StatusCode::SERVICE_UNAVAILABLE);
    let refused = line(AccessLogFormat::Json, &journal);
    let expected = "\"status\":503,\"origin\":\"gateway\",\"problem\":\"queue-full\",";
    assert!(refused.contains(expected), "{refused}");
}

/// A measurement, for a release build: `cargo test --release -- --ignored --nocapture a_line`.
#[test]
#[ignore = "a measurement, for a release build"]
fn a_line_costs_less_than_a_microsecond() {
    let journal = journal();
    let format = LineFormat::new(&spec(AccessLogFormat::Json));
    let mut out = Vec::new();
    let begun = std::time::Instant::now();
    for _ in 0..1_000_000 {
        out.clear();
        format.write(&mut out, std::hint::black_box(&journal));
    }
    println!("{:?} for {} bytes", begun.elapsed() / 1_000_000, out.len());
}
