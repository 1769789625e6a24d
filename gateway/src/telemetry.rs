//! What is told of single requests: the access log and traces.
//!
//! With both off a request pays for two looks at an option. With either on, its [`Journal`] is
//! filled as it goes and handed over at its end; writing and exporting happen elsewhere, behind
//! bounded buffers, and never hold a request up.

mod access_log;
mod export;
mod journal;
mod line;
mod otlp;
mod redact;
mod spans;
mod text;
mod trace;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use stoker_config::GatewaySpec;
use tokio::runtime::Handle;

use crate::caller::Caller;
use crate::gateway::{Entry, Gateway};
use crate::identity::RequestId;
use crate::metrics::Metrics;
use crate::phases::Phases;
use access_log::AccessLog;
use trace::Tracer;

pub(crate) use journal::{Journal, Outcome};

/// The access log and the traces, each if the configuration wants it.
pub struct Telemetry {
    access_log: Option<AccessLog>,
    tracer: Option<Tracer>,
}

/// The access log or the traces cannot be begun.
#[derive(Debug)]
pub struct TelemetryError {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Telemetry {
    /// Neither of them.
    pub fn off() -> Arc<Self> {
        Arc::new(Telemetry {
            access_log: None,
            tracer: None,
        })
    }

    /// What `spec` wants; traces are exported on `runtime`.
    ///
    /// # Errors
    /// If the file of the access log cannot be opened, or there is no TLS for the collector.
    pub fn start(
        spec: &GatewaySpec,
        metrics: &Metrics,
        runtime: &Handle,
    ) -> Result<Arc<Self>, TelemetryError> {
        let counters = metrics.telemetry();
        let access_log = AccessLog::start(&spec.access_log, counters)?;
        let tracer = Tracer::start(&spec.traces, &spec.access_log.redact, counters, runtime)?;
        Ok(Arc::new(Telemetry { access_log, tracer }))
    }

    /// Opens the file of the access log anew, which somebody may have moved away.
    pub(crate) fn reopen(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// Writes and exports what is left, as far as that goes within `patience` for each.
    pub async fn shut_down(&self, patience: Duration) {
        if let Some(log) = &self.access_log {
            log.close(patience);
        }
        if let Some(tracer) = &self.tracer {
            tracer.close(patience).await;
        }
    }

    /// Decides whether the request is traced.
    pub(crate) fn sample(&self, id: &mut RequestId) {
        if let Some(tracer) = &self.tracer
            && tracer.wants(id)
        {
            id.set_traced();
        }
    }

    /// The request's journal, if either wants to know of it.
    pub(crate) fn journal(
        self: &Arc<Self>,
        gateway: &Gateway,
        caller: &Caller,
        parts: Parts,
        (id, entry, phases): (&RequestId, Option<&Entry>, Phases),
    ) -> Option<Box<Journal>> {
        if self.access_log.is_none() && !id.is_traced() {
            return None;
        }
        let client = caller.client(&parts.headers, &gateway.load().gateway.trusted_proxies);
        let mut journal = Journal::new(Arc::clone(self), client, parts, (id, phases));
        journal.tls = caller.tls().is_some();
        journal.launch = entry.map(|entry| Arc::clone(entry.function.launch()));
        Some(Box::new(journal))
    }

    /// A request has ended.
    fn tell(&self, journal: Box<Journal>) {
        if let Some(log) = &self.access_log {
            log.tell(&journal);
        }
        if let Some(tracer) = &self.tracer
            && journal.id.is_traced()
        {
            tracer.tell(journal);
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("access_log", &self.access_log.is_some())
            .field("traces", &self.tracer.is_some())
            .finish()
    }
}

impl TelemetryError {
    fn new(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        TelemetryError {
            what: what.into(),
            source: source.into(),
        }
    }
}

impl fmt::Display for TelemetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl Error for TelemetryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
