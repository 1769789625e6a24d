//! One line of the access log.

use http::header::{HeaderName, REFERER, USER_AGENT};
use http::{HeaderMap, Version};
use stoker_config::{AccessLogFormat, AccessLogSpec};

use super::journal::Journal;
use super::redact::{HIDDEN, Redaction};
use super::text::{combined, combined_time, json, millis, number, rfc3339};

/// How lines look.
pub(super) struct LineFormat {
    format: AccessLogFormat,
    redaction: Redaction,
    /// Further request headers.
    headers: Vec<HeaderName>,
}

impl LineFormat {
    pub(super) fn new(spec: &AccessLogSpec) -> Self {
        let names = spec.headers.iter();
        LineFormat {
            format: spec.format,
            redaction: Redaction::new(&spec.redact),
            headers: names.filter_map(|name| name.parse().ok()).collect(),
        }
    }

    /// Appends the line of a request, with its end.
    pub(super) fn write(&self, out: &mut Vec<u8>, journal: &Journal) {
        match self.format {
            AccessLogFormat::Json => self.json(out, journal),
            AccessLogFormat::Combined => self.combined(out, journal),
        }
        out.push(b'\n');
    }

    fn json(&self, out: &mut Vec<u8>, journal: &Journal) {
        let parts = &journal.parts;
        out.extend_from_slice(b"{\"time\":\"");
        rfc3339(out, journal.arrived);
        out.extend_from_slice(b"\",\"id\":\"");
        json(out, journal.id.as_str().as_bytes());
        out.extend_from_slice(b"\",\"trace_id\":\"");
        out.extend_from_slice(journal.id.trace_id());
        plain(out, "\",\"client\":\"", journal.client.as_bytes());
        plain(out, "\",\"method\":\"", parts.method.as_str().as_bytes());
        plain(out, "\",\"scheme\":\"", journal.scheme().as_bytes());
        if let Some(host) = journal.host() {
            text(out, "\",\"host\":\"", host);
        }
        text(out, "\",\"path\":\"", parts.uri.path().as_bytes());
        if let Some(query) = parts.uri.query() {
            out.push(b'?');
            self.redaction.query(out, query.as_bytes(), json);
        }
        plain(out, "\",\"protocol\":\"", protocol(parts.version));
        out.extend_from_slice(b"\",\"status\":");
        number(out, journal.shown_status().into());
        if let Some(origin) = journal.origin() {
            plain(out, ",\"origin\":\"", origin.as_bytes());
            out.push(b'"');
        }
        if let Some(problem) = journal.problem {
            quoted(out, ",\"problem\":\"", problem.name().as_bytes());
        }
        if let Some(launch) = &journal.launch {
            plain(out, ",\"function\":\"", launch.function.as_bytes());
            plain(out, "\",\"revision\":\"", launch.label().as_bytes());
            out.push(b'"');
        }
        if let Some(instance) = journal.instance {
            out.extend_from_slice(b",\"instance\":\"");
            number(out, instance.pool().into());
            out.push(b'-');
            number(out, instance.count().into());
            out.extend_from_slice(b"\",\"cold\":");
            out.extend_from_slice(if journal.cold { b"true" } else { b"false" });
        }
        times(out, journal);
        out.extend_from_slice(b",\"request_bytes\":");
        number(out, journal.request_bytes);
        out.extend_from_slice(b",\"response_bytes\":");
        number(out, journal.response_bytes);
        self.json_headers(out, &parts.headers);
        if let Some(key) = &journal.key_id {
            plain(out, ",\"key_id\":\"", key.as_bytes());
            out.push(b'"');
        }
        plain(out, ",\"outcome\":\"", journal.outcome.name().as_bytes());
        out.extend_from_slice(b"\"}");
    }

    fn json_headers(&self, out: &mut Vec<u8>, headers: &HeaderMap) {
        if let Some(agent) = self.shown(headers, &USER_AGENT) {
            quoted(out, ",\"user_agent\":\"", agent);
        }
        if let Some(referer) = self.shown(headers, &REFERER) {
            out.extend_from_slice(b",\"referer\":\"");
            self.redaction.url(out, referer, json);
            out.push(b'"');
        }
        let mut any = false;
        for name in &self.headers {
            let Some(value) = self.shown(headers, name) else {
                continue;
            };
            out.extend_from_slice(if any { b"," } else { b",\"headers\":{" });
            any = true;
            // A header's name is a token: none of it needs to be escaped.
            quoted(out, "\"", name.as_str().as_bytes());
            quoted(out, ":\"", value);
        }
        if any {
            out.push(b'}');
        }
    }

    /// `CLIENT - KEY [TIME] "REQUEST" STATUS BYTES "REFERER" "USER-AGENT"`.
    fn combined(&self, out: &mut Vec<u8>, journal: &Journal) {
        let parts = &journal.parts;
        out.extend_from_slice(journal.client.as_bytes());
        out.extend_from_slice(b" - ");
        match &journal.key_id {
            Some(key) => combined(out, key.as_bytes()),
            None => out.push(b'-'),
        }
        out.extend_from_slice(b" [");
        combined_time(out, journal.arrived);
        out.extend_from_slice(b"] \"");
        combined(out, parts.method.as_str().as_bytes());
        out.push(b' ');
        combined(out, parts.uri.path().as_bytes());
        if let Some(query) = parts.uri.query() {
            out.push(b'?');
            self.redaction.query(out, query.as_bytes(), combined);
        }
        out.push(b' ');
        out.extend_from_slice(protocol(parts.version));
        out.extend_from_slice(b"\" ");
        number(out, journal.shown_status().into());
        out.push(b' ');
        number(out, journal.response_bytes);
        for name in [&REFERER, &USER_AGENT] {
            out.extend_from_slice(b" \"");
            match self.shown(&parts.headers, name) {
                Some(value) => self.redaction.url(out, value, combined),
                None => out.push(b'-'),
            }
            out.push(b'"');
        }
    }

    /// The value of a header, unless it is hidden.
    fn shown<'a>(&self, headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
        let value = headers.get(name)?;
        match self.redaction.hides(name.as_str()) {
            true => Some(HIDDEN),
            false => Some(value.as_bytes()),
        }
    }
}

fn times(out: &mut Vec<u8>, journal: &Journal) {
    let phases = &journal.phases;
    out.extend_from_slice(b",\"queue_ms\":");
    millis(out, journal.queue());
    if let Some(start) = &journal.start {
        out.extend_from_slice(b",\"start_ms\":");
        millis(out, start.total());
    }
    if let Some(thaw) = journal.phases.thaw {
        out.extend_from_slice(b",\"thaw_ms\":");
        millis(out, thaw);
    }
    if journal.connected {
        out.extend_from_slice(b",\"connect_ms\":");
        millis(out, phases.connect);
    }
    if journal.origin() == Some("function") {
        out.extend_from_slice(b",\"first_byte_ms\":");
        millis(out, phases.first_byte);
    }
    out.extend_from_slice(b",\"total_ms\":");
    millis(out, journal.total);
}

/// The end of the text before and the beginning of the next one.
fn text(out: &mut Vec<u8>, before: &str, value: &[u8]) {
    out.extend_from_slice(before.as_bytes());
    json(out, value);
}

/// Of values that never need to be escaped: names, addresses, words of ours, and methods, which are
/// tokens.
fn plain(out: &mut Vec<u8>, before: &str, value: &[u8]) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(value);
}

fn quoted(out: &mut Vec<u8>, before: &str, value: &[u8]) {
    text(out, before, value);
    out.push(b'"');
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        Version::HTTP_3 => b"HTTP/3.0",
        _ => b"HTTP/1.1",
    }
}

#[cfg(test)]
pub(super) mod tests;
