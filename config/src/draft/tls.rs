//! What the keys of listeners, TLS and certificates are read into.

use std::path::PathBuf;
use std::time::Duration;

use crate::spec::{Address, ClientDemand, Network, TlsVersion};

/// `[tls]`.
pub(crate) struct TlsDraft {
    pub(crate) minimum_version: TlsVersion,
    pub(crate) handshake_timeout: Duration,
    pub(crate) concurrent_handshakes: Option<usize>,
    pub(crate) hsts_max_age: Option<Duration>,
    pub(crate) hsts_include_subdomains: bool,
    pub(crate) hsts_preload: bool,
}

/// A listener; `None` as address was not allowed.
#[derive(Default)]
pub(crate) struct ListenerDraft {
    pub(crate) address: Option<Address>,
    pub(crate) tls: bool,
    pub(crate) http2: bool,
    pub(crate) proxy_protocol: bool,
    pub(crate) proxy_protocol_from: Vec<Network>,
    pub(crate) redirect_to_https: bool,
    pub(crate) redirect_port: Option<u16>,
    /// In the file.
    pub(crate) index: usize,
}

/// A certificate; paths that are `None` were not allowed or are missing.
#[derive(Default)]
pub(crate) struct CertificateDraft {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) hosts: Vec<String>,
    pub(crate) default: bool,
    pub(crate) demand: ClientDemand,
    pub(crate) client_ca: Option<PathBuf>,
    /// In the file.
    pub(crate) index: usize,
}

impl TlsDraft {
    /// Before the defaults are put in.
    pub(crate) fn blank() -> Self {
        TlsDraft {
            minimum_version: TlsVersion::Tls12,
            handshake_timeout: Duration::ZERO,
            concurrent_handshakes: None,
            hsts_max_age: None,
            hsts_include_subdomains: false,
            hsts_preload: false,
        }
    }
}
