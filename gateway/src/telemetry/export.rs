//! Sending spans to the collector: OTLP over HTTP, protobuf.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use stoker_config::{OtlpEndpoint, TracesSpec};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};

use super::TelemetryError;
use super::journal::Journal;
use super::otlp::{ExportRequest, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span};
use super::redact::Redaction;
use super::spans::spans;
use super::trace::Complaints;
use crate::metrics::TelemetryCounters;

/// An answer of the collector that is longer is not read.
const ANSWER_BYTES: usize = 64 * 1024;

/// Sends spans to the collector.
pub(super) struct Exporter {
    endpoint: OtlpEndpoint,
    tls: Option<TlsConnector>,
    headers: Vec<(HeaderName, HeaderValue)>,
    service: String,
    timeout: Duration,
    batch: usize,
    interval: Duration,
    redaction: Redaction,
    counters: TelemetryCounters,
    place: Arc<str>,
    complaints: Complaints,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Why spans did not arrive.
#[derive(Debug)]
enum ExportError {
    Connect(io::Error),
    Http(hyper::Error),
    Refused(StatusCode),
    Slow(Duration),
}

impl Exporter {
    /// What `redact` names is hidden, as in the access log.
    pub(super) fn new(
        spec: &TracesSpec,
        endpoint: &OtlpEndpoint,
        redact: &[String],
        counters: &TelemetryCounters,
    ) -> Result<Self, TelemetryError> {
        let headers = spec.headers.iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(value).ok()?;
            Some((name.parse().ok()?, value))
        });
        Ok(Exporter {
            tls: endpoint.secure.then(tls).transpose()?,
            headers: headers.collect(),
            service: spec.service_name.clone(),
            timeout: spec.timeout,
            batch: spec.batch,
            interval: spec.interval,
            redaction: Redaction::new(redact),
            counters: counters.clone(),
            place: endpoint.to_string().into(),
            complaints: Complaints::default(),
            connection: None,
            endpoint: endpoint.clone(),
        })
    }

    /// Exports what comes through `waiting` until `ending` is dropped, and then what is left.
    pub(super) async fn run(
        mut self,
        mut waiting: mpsc::Receiver<Box<Journal>>,
        mut ending: oneshot::Receiver<()>,
    ) {
        let mut batch = Vec::with_capacity(self.batch);
        let mut ended = false;
        while !ended {
            tokio::select! {
                count = waiting.recv_many(&mut batch, self.batch) => ended = count == 0,
                _ = &mut ending => {
                    waiting.close();
                    ended = true;
                }
            }
            let due = Instant::now() + self.interval;
            while !ended && batch.len() < self.batch {
                let room = self.batch - batch.len();
                tokio::select! {
                    more = timeout_at(due, waiting.recv_many(&mut batch, room)) => match more {
                        Ok(count) => ended = count == 0,
                        Err(_) => break,
                    },
                    _ = &mut ending => {
                        waiting.close();
                        ended = true;
                    }
                }
            }
            self.export(batch.drain(..)).await;
        }
        while waiting.recv_many(&mut batch, self.batch).await > 0 {
            self.export(batch.drain(..)).await;
        }
    }

    async fn export(&mut self, journals: impl Iterator<Item = Box<Journal>>) {
        let spans: Vec<Span> = journals
            .flat_map(|journal| spans(&journal, &self.redaction))
            .collect();
        let count = spans.len() as u64;
        if count == 0 {
            return;
        }
        let body = Bytes::from(self.request(spans).encode_to_vec());
        let patience = self.timeout;
        let sent = timeout(patience, self.send(body)).await;
        match sent.unwrap_or(Err(ExportError::Slow(patience))) {
            Ok(()) => self.counters.spans.inc_by(count),
            Err(error) => {
                self.connection = None;
                self.counters.spans_failed.inc_by(count);
                self.complaints.about(count, &self.place, &error);
            }
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportRequest {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let attributes = vec![
            KeyValue::text("service.name", &*self.service),
            KeyValue::text("service.version", &*version),
        ];
        let scope = Scope {
            name: "stoker".to_owned(),
            version,
        };
        ExportRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                }],
            }],
        }
    }

    async fn send(&mut self, body: Bytes) -> Result<(), ExportError> {
        let mut connection = match self.connection.take() {
            Some(kept) if !kept.is_closed() => kept,
            _ => self.connect().await?,
        };
        connection.ready().await.map_err(ExportError::Http)?;
        let host = format!("{}:{}", self.endpoint.host, self.endpoint.port);
        let mut request = Request::post(self.endpoint.path.as_str())
            .header(HOST, host)
            .header(USER_AGENT, concat!("stoker/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Full::new(body))
            .expect("the endpoint was checked");
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let response = connection.send_request(request).await;
        let response = response.map_err(ExportError::Http)?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let body = Limited::new(response.into_body(), ANSWER_BYTES);
        if body.collect().await.is_ok() {
            self.connection = Some(connection);
        }
        match status.is_success() {
            true => Ok(()),
            false => Err(ExportError::Refused(status)),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ExportError> {
        let OtlpEndpoint { host, port, .. } = &self.endpoint;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, *port)).await;
        let stream = stream.map_err(ExportError::Connect)?;
        let Some(tls) = &self.tls else {
            return handshake(TokioIo::new(stream)).await;
        };
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| ExportError::Connect(io::Error::other(error)))?;
        let stream = tls.connect(name, stream).await;
        handshake(TokioIo::new(stream.map_err(ExportError::Connect)?)).await
    }
}

async fn handshake<I>(io: I) -> Result<SendRequest<Full<Bytes>>, ExportError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io).await.map_err(ExportError::Http)?;
    // What goes wrong with it, the next request is told.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// TLS by the system's own roots.
fn tls() -> Result<TlsConnector, TelemetryError> {
    let failed = |source| TelemetryError::new("there is no TLS for traces.endpoint", source);
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs()
        .map_err(|error| failed(Box::<dyn std::error::Error + Send + Sync>::from(error)))?;
    roots.add_parsable_certificates(found);
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Connect(error) => write!(f, "no connection: {error}"),
            ExportError::Http(error) => write!(f, "the connection broke: {error}"),
            ExportError::Refused(status) => write!(f, "the collector answered {status}"),
            ExportError::Slow(patience) => write!(f, "no answer within {patience:?}"),
        }
    }
}
