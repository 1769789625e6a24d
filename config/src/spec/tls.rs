//! TLS: versions, certificates, and what clients must show.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;

/// TLS on the listeners that ask for it.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSpec {
    /// Older versions are refused.
    pub minimum_version: TlsVersion,
    /// For the whole handshake.
    pub handshake_timeout: Duration,
    /// Handshakes that are computed at the same time, at least 1; those that wait for the client do
    /// not count.
    pub concurrent_handshakes: usize,
    /// `Strict-Transport-Security`, if callers are to be told.
    pub hsts: Option<HstsSpec>,
    /// In the order of the file; not empty if a listener has TLS.
    pub certificates: Vec<CertificateSpec>,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What `Strict-Transport-Security` says (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HstsSpec {
    /// How long the browser keeps to HTTPS, in whole seconds.
    pub max_age: Duration,
    /// For all hosts below as well.
    pub include_subdomains: bool,
    /// The lists that browsers are built with may have the host.
    pub preload: bool,
}

/// A certificate with its key, read and found to belong together.
#[derive(Clone)]
pub struct CertificateSpec {
    /// The file of its chain; absolute.
    pub certificate: PathBuf,
    /// Lower case names of hosts, `*.example.org` for all below; at least one.
    pub hosts: Vec<String>,
    /// For names that no certificate has. Exactly one certificate is the default.
    pub default: bool,
    /// Chain and key.
    pub keyed: Arc<CertifiedKey>,
    /// SHA-256 of chain and key.
    pub digest: [u8; 32],
    /// When the certificate expires.
    pub expires: SystemTime,
    /// What clients must show.
    pub clients: ClientRules,
}

/// What clients must show of themselves.
#[derive(Clone, Debug)]
pub struct ClientRules {
    /// Whether they must.
    pub demand: ClientDemand,
    /// Who vouches for clients; empty for [`ClientDemand::None`].
    pub authorities: Arc<RootCertStore>,
    /// SHA-256 of the demand and of the authorities: rules with the same one are the same.
    pub digest: [u8; 32],
}

/// Whether a client needs a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientDemand {
    /// It is not asked for one.
    #[default]
    None,
    /// It is asked; one that it shows must be valid.
    Optional,
    /// Without a valid one there is no connection.
    Required,
}

impl PartialEq for ClientRules {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl PartialEq for CertificateSpec {
    fn eq(&self, other: &Self) -> bool {
        self.certificate == other.certificate
            && self.hosts == other.hosts
            && self.default == other.default
            && self.digest == other.digest
            && self.clients == other.clients
    }
}

/// Without the key, so that no log ever shows it.
impl fmt::Debug for CertificateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateSpec")
            .field("certificate", &self.certificate)
            .field("hosts", &self.hosts)
            .field("default", &self.default)
            .field("clients", &self.clients.demand)
            .finish_non_exhaustive()
    }
}
