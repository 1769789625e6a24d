//! From a journal to the spans of its request.
//!
//! ```text
//! GET shop                 server
//! ├─ queue                 from the arrival to the slot
//! ├─ start                 cold requests: the start of the instance, as far as it fell into the
//! │  │                     request; it may go on beside connect and function
//! │  ├─ decide
//! │  ├─ prepare
//! │  ├─ spawn
//! │  ├─ clone
//! │  ├─ exec
//! │  └─ listen
//! ├─ connect               from the slot to the connection
//! └─ function              client: from the connection to the end; what the function is told
//! ```
//!
//! Attributes follow the semantic conventions for HTTP and FaaS spans.

use std::time::{Duration, UNIX_EPOCH};

use http::Version;
use http::header::USER_AGENT;
use stoker_scaler::driver::StartTimings;

use super::journal::{Journal, Outcome};
use super::otlp::{Event, KeyValue, Kind, Span, Status};
use super::redact::Redaction;
use crate::identity::random;

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;
/// Longest text of an attribute that a caller can choose, in bytes.
const TEXT_BYTES: usize = 2048;

/// How many spans [`spans`] makes.
pub(super) fn count(journal: &Journal) -> u64 {
    let parts = 1 + StartTimings::PHASES.len() as u64;
    let started = parts * u64::from(journal.start.is_some());
    2 + started + u64::from(journal.instance.is_some()) + u64::from(journal.connected)
}

/// The spans of a request that has ended; parents come first.
pub(super) fn spans(journal: &Journal, redaction: &Redaction) -> Vec<Span> {
    let maker = Maker::new(journal);
    let total = journal.total;
    let root = new_id();
    let parent = journal.id.parent().map(|(id, _)| decode(id));
    let mut spans = Vec::with_capacity(8);
    let mut server = maker.span(name(journal), (Duration::ZERO, total), parent.as_deref());
    server.span_id.clone_from(&root);
    server.kind = Kind::Server.into();
    server.trace_state = tracestate(journal);
    server.attributes = server_attributes(journal, redaction);
    server.status = status(journal);
    spans.push(server);

    let queue = journal.queue().min(total);
    spans.push(maker.span("queue", (Duration::ZERO, queue), Some(&root)));
    start(&maker, &mut spans, &root);
    if journal.instance.is_some() {
        let end = match journal.connected {
            true => (queue + journal.phases.connect).min(total),
            false => total,
        };
        spans.push(maker.span("connect", (queue, end), Some(&root)));
        if journal.connected {
            let mut function = maker.span("function", (end, total), Some(&root));
            function.span_id = decode(journal.id.span_id());
            function.kind = Kind::Client.into();
            function.attributes = function_attributes(journal);
            function.status = status(journal);
            if journal.origin() == Some("function") {
                function.events.push(Event {
                    time_unix_nano: maker.at((end + journal.phases.first_byte).min(total)),
                    name: "first byte".to_owned(),
                });
            }
            spans.push(function);
        }
    }
    spans
}

/// The start that the request waited for. What of it came before the arrival, or after the end, is
/// cut off.
fn start(maker: &Maker<'_>, spans: &mut Vec<Span>, root: &[u8]) {
    let journal = maker.journal;
    let Some(timings) = journal.start else {
        return;
    };
    let total = journal.total;
    let parts = timings.phases();
    // Behind the arrival by so much, or before it.
    let arrived = journal.phases.arrived;
    let (ahead, behind) = match timings.called {
        Some(called) => (
            (arrived + timings.decide).saturating_duration_since(called),
            called.saturating_duration_since(arrived + timings.decide),
        ),
        // It ended with the wait.
        None => (
            timings.total().saturating_sub(journal.queue()),
            journal.queue().saturating_sub(timings.total()),
        ),
    };
    let place = |after: Duration| (behind + after).saturating_sub(ahead).min(total);
    let start = maker.span(
        "start",
        (place(Duration::ZERO), place(timings.total())),
        Some(root),
    );
    let id = start.span_id.clone();
    spans.push(start);
    let mut begin = Duration::ZERO;
    for (name, part) in StartTimings::PHASES.into_iter().zip(parts) {
        let end = begin + part;
        spans.push(maker.span(name, (place(begin), place(end)), Some(&id)));
        begin = end;
    }
}

/// What all spans of one request have.
struct Maker<'a> {
    journal: &'a Journal,
    trace: Vec<u8>,
    arrived_nanos: u64,
}

impl<'a> Maker<'a> {
    fn new(journal: &'a Journal) -> Self {
        let since = journal.arrived.duration_since(UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        Maker {
            journal,
            trace: decode(journal.id.trace_id()),
            arrived_nanos: u64::try_from(nanos).unwrap_or(u64::MAX),
        }
    }

    /// The time so long after the arrival.
    fn at(&self, after: Duration) -> u64 {
        self.arrived_nanos.saturating_add(after.as_nanos() as u64)
    }

    fn span(
        &self,
        name: impl Into<String>,
        (from, to): (Duration, Duration),
        parent: Option<&[u8]>,
    ) -> Span {
        Span {
            trace_id: self.trace.clone(),
            span_id: new_id(),
            parent_span_id: parent.map(<[u8]>::to_vec).unwrap_or_default(),
            name: name.into(),
            kind: Kind::Internal.into(),
            start_time_unix_nano: self.at(from),
            end_time_unix_nano: self.at(to),
            ..Span::default()
        }
    }
}

/// The method and the function, which are few: a span's name must not grow with its paths.
fn name(journal: &Journal) -> String {
    let method = method(journal);
    match &journal.launch {
        Some(launch) => format!("{method} {}", launch.function),
        None => method.to_owned(),
    }
}

/// Methods that nobody knows are all one, for the same reason.
fn method(journal: &Journal) -> &str {
    match journal.parts.method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE"
        | "PATCH") => known,
        _ => "_OTHER",
    }
}

fn server_attributes(journal: &Journal, redaction: &Redaction) -> Vec<KeyValue> {
    let parts = &journal.parts;
    let version = match parts.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let mut all = vec![
        KeyValue::text("http.request.method", method(journal)),
        KeyValue::text("url.path", text(parts.uri.path().as_bytes())),
        KeyValue::text("url.scheme", journal.scheme()),
        KeyValue::text("network.protocol.version", version),
        KeyValue::text("client.address", &*journal.client),
        KeyValue::text("http.request.header.x-request-id", journal.id.as_str()),
        KeyValue::text("stoker.outcome", journal.outcome.name()),
        KeyValue::whole("http.response.status_code", journal.shown_status().into()),
        KeyValue::whole("http.response.body.size", journal.response_bytes),
        KeyValue::whole("http.request.body.size", journal.request_bytes),
    ];
    if method(journal) == "_OTHER" {
        let original = text(parts.method.as_str().as_bytes());
        all.push(KeyValue::text("http.request.method_original", original));
    }
    if let Some(query) = parts.uri.query() {
        let mut shown = Vec::new();
        redaction.query(&mut shown, query.as_bytes(), |out, part| {
            out.extend_from_slice(part)
        });
        all.push(KeyValue::text("url.query", text(&shown)));
    }
    if let Some(host) = journal.host() {
        all.push(KeyValue::text("server.address", text(host)));
    }
    if let Some(agent) = parts
        .headers
        .get(USER_AGENT)
        .filter(|_| !redaction.hides("user-agent"))
    {
        all.push(KeyValue::text(
            "user_agent.original",
            text(agent.as_bytes()),
        ));
    }
    if let Some(problem) = journal.problem {
        all.push(KeyValue::text("error.type", problem.name()));
    }
    all.extend(function_attributes(journal));
    all
}

fn function_attributes(journal: &Journal) -> Vec<KeyValue> {
    let mut all = Vec::new();
    if let Some(launch) = &journal.launch {
        all.push(KeyValue::text("faas.name", &*launch.function));
        all.push(KeyValue::text("faas.version", &*launch.label()));
    }
    if let Some(instance) = journal.instance {
        all.push(KeyValue::text("faas.instance", instance.to_string()));
        all.push(KeyValue::flag("faas.coldstart", journal.cold));
    }
    all
}

/// An error if the gateway or the function failed; what a caller does wrong is none of a server
/// (semantic conventions for HTTP server spans).
fn status(journal: &Journal) -> Option<Status> {
    let failed = journal
        .status
        .is_some_and(|status| status.is_server_error())
        || journal.outcome == Outcome::CutShort;
    failed.then(|| Status {
        message: journal
            .problem
            .map_or_else(String::new, |problem| problem.name().to_owned()),
        code: ERROR,
    })
}

/// The caller's, as it goes on to the function too.
fn tracestate(journal: &Journal) -> String {
    let parent = journal.id.parent();
    let value = parent.and_then(|_| journal.parts.headers.get("tracestate"));
    let value = value.and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES)]).into_owned()
}

/// Of a span: eight bytes that are not all zero.
fn new_id() -> Vec<u8> {
    random().max(1).to_be_bytes().to_vec()
}

/// Pairs of hexadecimal digits, which these are.
fn decode(digits: &[u8]) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a').wrapping_add(10) & 15,
    };
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| value(pair[0]) << 4 | value(pair[1]))
        .collect()
}

#[cfg(test)]
mod tests;
