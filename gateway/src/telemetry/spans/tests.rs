use std::collections::HashSet;

use stoker_scaler::driver::StartTimings;

use super::super::line::tests::journal as line_journal;
use super::super::otlp::Value;
use super::*;

fn journal() -> Journal {
    let mut journal = line_journal();
    journal.id.set_traced();
    journal.start = Some(StartTimings {
        gate: Duration::ZERO,
        prepare: Duration::from_millis(1),
        spawn: Duration::from_millis(2),
        listen: Duration::from_millis(4),
    });
    journal
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap()
}

fn nanos(span: &Span) -> u64 {
    span.end_time_unix_nano - span.start_time_unix_nano
}

#[test]
fn the_parts_are_the_whole() {
    let journal = journal();
    let spans = spans(&journal, &Redaction::new(&[]));
    assert_eq!(spans.len() as u64, count(&journal));
    let server = named(&spans, "GET");
    assert_eq!(server.parent_span_id, decode(b"00f067aa0ba902b7"));
    assert_eq!(server.kind(), Kind::Server);
    for (name, parent) in [
        ("queue", "GET"),
        ("start", "queue"),
        ("prepare", "start"),
        ("spawn", "start"),
        ("listen", "start"),
        ("connect", "GET"),
        ("function", "GET"),
    ] {
        let (span, parent) = (named(&spans, name), named(&spans, parent));
        assert_eq!(span.parent_span_id, parent.span_id, "{name}");
        assert_eq!(span.trace_id, decode(b"4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(
            span.start_time_unix_nano >= parent.start_time_unix_nano,
            "{name}"
        );
        assert!(
            span.end_time_unix_nano <= parent.end_time_unix_nano,
            "{name}"
        );
    }
    let sum = |names: &[&str]| {
        names
            .iter()
            .map(|name| nanos(named(&spans, name)))
            .sum::<u64>()
    };
    assert_eq!(sum(&["queue", "connect", "function"]), nanos(server));
    assert_eq!(
        sum(&["prepare", "spawn", "listen"]),
        nanos(named(&spans, "start"))
    );
    assert_eq!(
        named(&spans, "function").span_id,
        decode(journal.id.span_id())
    );
    let ids: HashSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), spans.len(), "ids differ");
}

#[test]
fn a_request_without_a_slot_only_waited() {
    let mut journal = journal();
    journal.instance = None;
    journal.start = None;
    journal.connected = false;
    journal.problem = Some(crate::problem::ProblemKind::QueueTimeout);
    journal.status = Some(http::StatusCode::GATEWAY_TIMEOUT);
    let spans = spans(&journal, &Redaction::new(&[]));
    assert_eq!((spans.len() as u64, count(&journal)), (2, 2));
    assert_eq!(nanos(named(&spans, "queue")), nanos(&spans[0]));
    let status = spans[0].status.as_ref().unwrap();
    assert_eq!((status.code, &*status.message), (ERROR, "queue-timeout"));
}

#[test]
fn a_start_that_began_earlier_is_shown_from_the_arrival_on() {
    let mut journal = journal();
    journal.phases.queue = Duration::from_millis(5);
    let spans = spans(&journal, &Redaction::new(&[]));
    let start = named(&spans, "start");
    assert_eq!(nanos(start), 5_000_000);
    assert_eq!(nanos(named(&spans, "prepare")), 0);
    assert_eq!(nanos(named(&spans, "spawn")), 1_000_000);
    assert_eq!(nanos(named(&spans, "listen")), 4_000_000);
}

#[test]
fn no_secret_is_exported() {
    let spans = spans(&journal(), &Redaction::new(&[]));
    let text = format!("{spans:?}");
    assert!(!text.contains("secret"), "{text}");
    let query = spans[0]
        .attributes
        .iter()
        .find(|one| one.key == "url.query");
    let value = query.and_then(|one| one.value.as_ref()?.value.clone());
    assert_eq!(value, Some(Value::Text("code=***&x=1&token=t".to_owned())));
}
