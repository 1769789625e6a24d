//! Where and how callers connect.

use std::fmt;

use super::{Address, GatewaySpec, Network};

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSpec {
    /// Where it listens.
    pub address: Address,
    /// Connections begin with a TLS handshake.
    pub tls: bool,
    /// HTTP/2 is spoken to callers that ask for it.
    pub http2: bool,
    /// Connections begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// From whom such a header is taken; from everybody if empty. Others' connections are closed.
    pub proxy_protocol_from: Vec<Network>,
    /// Every request is sent to this port by HTTPS.
    pub redirect_to_https: Option<u16>,
}

impl ListenerSpec {
    /// One that expects nothing but HTTP.
    pub fn plain(address: Address) -> Self {
        ListenerSpec {
            address,
            tls: false,
            http2: true,
            proxy_protocol: false,
            proxy_protocol_from: Vec::new(),
            redirect_to_https: None,
        }
    }
}

/// The address, and in brackets what it asks for beyond plain HTTP: `[::]:443 (tls)`.
impl fmt::Display for ListenerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        let asked = [
            ("proxy-protocol", self.proxy_protocol),
            ("tls", self.tls),
            ("redirect-to-https", self.redirect_to_https.is_some()),
        ];
        let names: Vec<_> = asked
            .into_iter()
            .filter_map(|(name, asked)| asked.then_some(name))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", names.join(", "))
    }
}

impl GatewaySpec {
    /// The addresses of all listeners, in their order.
    pub fn addresses(&self) -> Vec<Address> {
        let addresses = self.listeners.iter();
        addresses.map(|listener| listener.address.clone()).collect()
    }
}
