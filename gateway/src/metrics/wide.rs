//! What concerns the gateway as a whole.

use std::sync::Arc;
use std::time::SystemTime;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use stoker_config::CertificateSpec;
use stoker_scaler::HeldBy;

use super::families::Families;

/// What concerns the gateway as a whole.
pub(super) struct Wide {
    pub(super) unrouted: IntCounterVec,
    pub(super) waiting: IntGauge,
    pub(super) wait_buffer: IntGauge,
    pub(super) wait_buffer_limit: IntGauge,
    pub(super) handshakes: IntCounterVec,
    pub(super) shed: IntCounterVec,
    pub(super) held_starts: IntCounterVec,
    expiry: IntGaugeVec,
    open: IntGaugeVec,
    accepted: IntCounterVec,
    refused: IntCounterVec,
    pub(super) functions: IntGauge,
    pub(super) telemetry: TelemetryCounters,
}

/// How the access log and the traces fare.
#[derive(Clone)]
pub(crate) struct TelemetryCounters {
    /// Lines that the access log took.
    pub(crate) lines: IntCounter,
    /// Lines that found no room, or could not be written.
    pub(crate) lines_dropped: IntCounter,
    /// Spans that the collector took.
    pub(crate) spans: IntCounter,
    /// Spans that found no room.
    pub(crate) spans_dropped: IntCounter,
    /// Spans that the collector did not take.
    pub(crate) spans_failed: IntCounter,
}

/// The connections of one listener.
#[derive(Clone)]
pub(crate) struct ListenerMetrics {
    open: IntGauge,
    accepted: IntCounter,
    refused: IntCounter,
}

/// One open connection, counted until this is dropped.
pub(crate) struct OpenConnection(Arc<ListenerMetrics>);

impl Wide {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        let listener = &["listener"];
        let build = families.gauges(
            "stoker_build_info",
            "1, with the version as a label.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let (handshakes, expiry, shed) = edge(families)?;
        Ok(Wide {
            unrouted: families.counters(
                "stoker_unrouted_requests_total",
                "Requests answered by the gateway before a function was found.",
                &["code", "problem"],
            )?,
            waiting: families.gauge(
                "stoker_gateway_waiting_requests",
                "Requests waiting now, all together.",
            )?,
            wait_buffer: families.gauge(
                "stoker_wait_buffer_bytes",
                "Bytes of waiting requests' bodies that are held now.",
            )?,
            wait_buffer_limit: families.gauge(
                "stoker_wait_buffer_limit_bytes",
                "Bytes of waiting requests' bodies that may be held.",
            )?,
            handshakes,
            expiry,
            shed,
            held_starts: held_starts(families)?,
            open: families.gauges(
                "stoker_open_connections",
                "Callers' connections that are open now.",
                listener,
            )?,
            accepted: families.counters(
                "stoker_connections_total",
                "Callers' connections that were accepted.",
                listener,
            )?,
            refused: families.counters(
                "stoker_refused_connections_total",
                "Callers' connections that were closed at once, for there were too many.",
                listener,
            )?,
            functions: families.gauge("stoker_functions", "Functions of the configuration.")?,
            telemetry: TelemetryCounters {
                lines: families.counter(
                    "stoker_access_log_lines_total",
                    "Lines that the access log took.",
                )?,
                lines_dropped: families.counter(
                    "stoker_access_log_dropped_total",
                    "Lines of the access log that found no room or could not be written.",
                )?,
                spans: families.counter(
                    "stoker_spans_exported_total",
                    "Spans that the collector took.",
                )?,
                spans_dropped: families.counter(
                    "stoker_spans_dropped_total",
                    "Spans that found no room in the queue.",
                )?,
                spans_failed: families.counter(
                    "stoker_spans_failed_total",
                    "Spans that the collector did not take.",
                )?,
            },
        })
    }

    /// The connections of the listener of this name.
    pub(super) fn listener(&self, name: &str) -> Arc<ListenerMetrics> {
        let labels = &[name];
        Arc::new(ListenerMetrics {
            open: self.open.with_label_values(labels),
            accepted: self.accepted.with_label_values(labels),
            refused: self.refused.with_label_values(labels),
        })
    }

    /// Sets the certificates that are in force.
    pub(super) fn note_certificates(&self, certificates: &[CertificateSpec]) {
        self.expiry.reset();
        for certificate in certificates {
            let since = certificate.expires.duration_since(SystemTime::UNIX_EPOCH);
            let seconds = since.map_or(0, |since| since.as_secs());
            let file = certificate.certificate.to_string_lossy();
            self.expiry
                .with_label_values(&[&*file])
                .set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
    }
}

/// What there is to count before a request is known: handshakes, certificates, what is turned away.
fn edge(
    families: &Families,
) -> Result<(IntCounterVec, IntGaugeVec, IntCounterVec), prometheus::Error> {
    let handshakes = families.counters(
        "stoker_tls_handshakes_total",
        "TLS handshakes, by result: ok, failed, timeout.",
        &["result"],
    )?;
    let expiry = families.gauges(
        "stoker_certificate_expiry_timestamp_seconds",
        "When the certificate expires, in seconds since 1970.",
        &["certificate"],
    )?;
    let shed = families.counters(
        "stoker_shed_total",
        "Connections and requests turned away for the gateway itself had too much to do.",
        &["reason"],
    )?;
    Ok((handshakes, expiry, shed))
}

/// All reasons are there at zero, so that the first one is seen as a rise.
fn held_starts(families: &Families) -> Result<IntCounterVec, prometheus::Error> {
    let held = families.counters(
        "stoker_starts_held_total",
        "Starts that had to wait before they began, by what they waited for at first.",
        &["reason"],
    )?;
    for by in HeldBy::ALL {
        held.with_label_values(&[by.name()]);
    }
    Ok(held)
}

impl ListenerMetrics {
    /// Counts a connection that is open until the answer is dropped.
    pub(crate) fn open(self: &Arc<Self>) -> OpenConnection {
        self.accepted.inc();
        self.open.inc();
        OpenConnection(Arc::clone(self))
    }

    /// Counts a connection that was closed at once.
    pub(crate) fn refuse(&self) {
        self.refused.inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}
