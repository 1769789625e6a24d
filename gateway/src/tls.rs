//! TLS towards callers: which certificate, and what is asked of clients.

mod client;
mod handshake;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use stoker_config::{CertificateSpec, ClientDemand, ClientRules, HstsSpec, TlsSpec, TlsVersion};

use crate::router::bare_host;

pub(crate) use handshake::{Handshakes, TlsStream};

/// The certificates in force. Made anew with every configuration that changes them; connections
/// that are there go on with what they began with.
pub(crate) struct Tls {
    spec: TlsSpec,
    hosts: Vec<Host>,
    default: usize,
    /// By name.
    exact: HashMap<String, usize>,
    /// By what follows the asterisk: `.example.org`.
    suffix: HashMap<String, usize>,
    /// All ask the same of clients.
    alike: bool,
    /// Some do not serve clients without a certificate.
    demanding: bool,
    hsts: Option<HeaderValue>,
}

/// What is negotiated for the hosts of one certificate.
struct Host {
    http1: Arc<ServerConfig>,
    /// HTTP/2 and HTTP/1.1.
    both: Arc<ServerConfig>,
    rules: Rules,
    tickets: Option<Arc<dyn ProducesTickets>>,
}

/// What was asked of a client, as a digest.
pub(crate) type Rules = [u8; 32];

/// What a connection's handshake came to.
pub(crate) struct TlsInfo {
    rules: Rules,
    /// Header fields that tell a function who the client is; empty if it showed no certificate.
    client: Vec<(&'static str, String)>,
    hsts: Option<HeaderValue>,
}

impl TlsInfo {
    /// Header fields that tell a function who the client is; empty if it showed no certificate.
    pub(crate) fn client_fields(&self) -> &[(&'static str, String)] {
        &self.client
    }

    /// `Strict-Transport-Security`, if callers are to be told.
    pub(crate) fn hsts(&self) -> Option<&HeaderValue> {
        self.hsts.as_ref()
    }
}

impl Tls {
    /// What `spec` says; `None` without certificates. What `before` has of it already is kept, so
    /// that clients can resume their sessions.
    pub(crate) fn new(spec: &TlsSpec, before: Option<&Arc<Tls>>) -> Option<Arc<Tls>> {
        if let Some(before) = before
            && before.spec == *spec
        {
            return Some(Arc::clone(before));
        }
        let default = spec.certificates.iter().position(|one| one.default)?;
        let provider = Arc::new(default_provider());
        let mut tickets: HashMap<Rules, Option<Arc<dyn ProducesTickets>>> = HashMap::new();
        for host in before.iter().flat_map(|before| &before.hosts) {
            tickets.insert(host.rules, host.tickets.clone());
        }
        let mut hosts = Vec::with_capacity(spec.certificates.len());
        let (mut exact, mut suffix) = (HashMap::new(), HashMap::new());
        for (index, certificate) in spec.certificates.iter().enumerate() {
            for host in &certificate.hosts {
                match host.strip_prefix('*') {
                    Some(below) => suffix.insert(below.to_owned(), index),
                    None => exact.insert(host.clone(), index),
                };
            }
            // Who has shown a certificate by one set of rules must not resume under another one, so
            // tickets are sealed for each apart. Without tickets every handshake is a full one.
            let rules = certificate.clients.digest;
            let tickets = tickets
                .entry(rules)
                .or_insert_with(|| Ticketer::new().ok())
                .clone();
            hosts.push(Host::new(spec, certificate, &provider, tickets));
        }
        Some(Arc::new(Tls {
            alike: hosts.iter().all(|host| host.rules == hosts[0].rules),
            demanding: spec
                .certificates
                .iter()
                .any(|one| one.clients.demand == ClientDemand::Required),
            hsts: spec.hsts.as_ref().map(hsts),
            spec: spec.clone(),
            hosts,
            default,
            exact,
            suffix,
        }))
    }

    /// Whether requests for `host` may come on the connection: what was asked of its client is what
    /// is asked for that host.
    ///
    /// Without TLS nothing was asked, and so no host that demands a certificate is served.
    pub(crate) fn admits(&self, host: &str, connection: Option<&TlsInfo>) -> bool {
        let Some(connection) = connection else {
            return !self.demanding || self.find(host).is_none_or(|index| !self.demands(index));
        };
        let index = if self.alike {
            0
        } else {
            self.find(host).unwrap_or(self.default)
        };
        self.hosts[index].rules == connection.rules
    }

    /// For a whole handshake.
    fn patience(&self) -> Duration {
        self.spec.handshake_timeout
    }

    /// What is negotiated with a client that names `host`.
    fn select(&self, host: Option<&str>) -> &Host {
        let index = host.and_then(|host| self.find(host));
        &self.hosts[index.unwrap_or(self.default)]
    }

    /// Exact names before wildcards, longer ones before shorter ones.
    fn find(&self, host: &str) -> Option<usize> {
        let host = bare_host(host);
        let exact = self.exact.get(&host);
        let below = || {
            let mut dots = host.match_indices('.');
            dots.find_map(|(at, _)| self.suffix.get(&host[at..]))
        };
        exact.or_else(below).copied()
    }

    fn demands(&self, index: usize) -> bool {
        self.spec.certificates[index].clients.demand == ClientDemand::Required
    }
}

impl Host {
    fn new(
        spec: &TlsSpec,
        certificate: &CertificateSpec,
        provider: &Arc<CryptoProvider>,
        tickets: Option<Arc<dyn ProducesTickets>>,
    ) -> Host {
        let versions = match spec.minimum_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)
            .expect("ring has both versions");
        let builder = match verifier(&certificate.clients, provider) {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let keyed = SingleCertAndKey::from(Arc::clone(&certificate.keyed));
        let mut both = builder.with_cert_resolver(Arc::new(keyed));
        // Tickets are kept by clients: there is no table of sessions to be filled by strangers.
        both.session_storage = Arc::new(NoServerSessionStorage {});
        if let Some(tickets) = &tickets {
            both.ticketer = Arc::clone(tickets);
        }
        // Early data could be replayed, and functions do not expect that.
        both.max_early_data_size = 0;
        let mut http1 = both.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Host {
            http1: Arc::new(http1),
            both: Arc::new(both),
            rules: certificate.clients.digest,
            tickets,
        }
    }
}

fn verifier(
    clients: &ClientRules,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let authorities = Arc::clone(&clients.authorities);
    let builder = WebPkiClientVerifier::builder_with_provider(authorities, Arc::clone(provider));
    let builder = match clients.demand {
        ClientDemand::None => return None,
        ClientDemand::Optional => builder.allow_unauthenticated(),
        ClientDemand::Required => builder,
    };
    Some(builder.build().expect("rules that ask have authorities"))
}

/// RFC 6797 section 6.1.
fn hsts(spec: &HstsSpec) -> HeaderValue {
    let mut text = format!("max-age={}", spec.max_age.as_secs());
    if spec.include_subdomains {
        text.push_str("; includeSubDomains");
    }
    if spec.preload {
        text.push_str("; preload");
    }
    HeaderValue::try_from(text).expect("digits and words are a header's value")
}

#[cfg(test)]
mod tests;
