//! Who calls: the headers that tell the function.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName};
use stoker_config::Network;

use crate::client_address::client_address;
use crate::link::Link;
use crate::tls::TlsInfo;
use crate::upstream::FieldSink;

/// `X-Forwarded-For`.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// `X-Forwarded-Host`.
const FORWARDED_HOST: &str = "x-forwarded-host";
/// `X-Forwarded-Proto`.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The other end of a caller's connection.
pub(crate) struct Caller {
    /// `unknown` over a Unix socket.
    address: Arc<str>,
    /// The same as RFC 7239 wants it: IPv6 in brackets and quotes.
    node: String,
    /// The peer's; `None` over a Unix socket.
    peer: Option<IpAddr>,
    trusted: bool,
    tls: Option<Arc<TlsInfo>>,
    link: Link,
    redirect: Option<u16>,
}

impl Caller {
    /// What `peer` says is believed if one of `trusted` holds it.
    pub(crate) fn new(
        peer: Option<SocketAddr>,
        trusted: &[Network],
        tls: Option<Arc<TlsInfo>>,
        link: Link,
    ) -> Self {
        let Some(address) = peer.map(|peer| peer.ip().to_canonical()) else {
            return Caller {
                address: "unknown".into(),
                node: "unknown".into(),
                peer: None,
                trusted: false,
                tls,
                link,
                redirect: None,
            };
        };
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let trusted = trusted.iter().any(|network| network.contains(address));
        Caller {
            address: address.to_string().into(),
            peer: Some(address),
            node,
            trusted,
            tls,
            link,
            redirect: None,
        }
    }

    /// The address of [`Self::client_ip`] in words.
    pub(crate) fn client(&self, headers: &HeaderMap, trusted: &[Network]) -> Arc<str> {
        if !self.trusted {
            return Arc::clone(&self.address);
        }
        let address = self.client_ip(headers, trusted);
        address.map_or_else(|| Arc::clone(&self.address), |ip| ip.to_string().into())
    }

    /// Every request is sent to this port by HTTPS.
    pub(crate) fn redirected(self, redirect: Option<u16>) -> Self {
        Caller { redirect, ..self }
    }

    /// The port that every request is sent to by HTTPS.
    pub(crate) fn redirect(&self) -> Option<u16> {
        self.redirect
    }

    /// What the requests of the connection share.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// What the connection's handshake came to; `None` without TLS.
    pub(crate) fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_deref()
    }

    /// The address of whoever asked first, as far as that can be believed. `None` over a Unix
    /// socket.
    pub(crate) fn client_ip(&self, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
        if self.trusted {
            return client_address(self.peer, headers, trusted);
        }
        self.peer
    }

    /// Appends the `X-Forwarded-*` and `Forwarded` lines and those about the client's certificate.
    ///
    /// What a trusted proxy sent before us is kept and added to; from others it is replaced.
    pub(crate) fn encode(&self, out: &mut impl FieldSink, headers: &HeaderMap, host: &str) {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let sent = |name: &str| {
            let value = self.trusted.then(|| headers.get(name))??;
            value.to_str().ok().filter(|value| !value.trim().is_empty())
        };
        match sent(FORWARDED_FOR) {
            Some(before) => {
                out.open(FORWARDED_FOR);
                out.push(before.as_bytes());
                out.push(b", ");
                out.push(self.address.as_bytes());
                out.close();
            }
            None => out.field(FORWARDED_FOR, self.address.as_bytes()),
        }
        let host_sent = sent(FORWARDED_HOST).unwrap_or(host);
        out.field(FORWARDED_HOST, host_sent.as_bytes());
        let proto = sent(FORWARDED_PROTO).unwrap_or(scheme);
        out.field(FORWARDED_PROTO, proto.as_bytes());

        out.open("forwarded");
        if let Some(before) = sent(header::FORWARDED.as_str()) {
            out.push(before.as_bytes());
            out.push(b", ");
        }
        out.push(b"for=");
        out.push(self.node.as_bytes());
        if !host.is_empty() {
            out.push(b";host=\"");
            out.push(host.as_bytes());
            out.push(b"\"");
        }
        out.push(b";proto=");
        out.push(scheme.as_bytes());
        out.close();
        for (name, value) in self.tls.iter().flat_map(|tls| tls.client_fields()) {
            out.field(name, value.as_bytes());
        }
    }
}

/// False for the headers that the gateway writes itself.
///
/// An underscore counts as a hyphen: functions that see headers as variables (CGI, WSGI) cannot
/// tell them apart.
pub(crate) fn passes(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is = |ours: &[&str]| ours.iter().any(|ours| alike(name, ours));
    match name.as_bytes().first() {
        Some(b'c') => !is(&["client-cert", "client-cert-chain"]),
        Some(b'f') => name != header::FORWARDED,
        Some(b's') => !name.get(..7).is_some_and(|start| alike(start, "stoker-")),
        Some(b't') => name != "traceparent",
        Some(b'x') => !is(&[
            FORWARDED_FOR,
            FORWARDED_HOST,
            FORWARDED_PROTO,
            "x-request-id",
        ]),
        _ => true,
    }
}

/// Whether the names are the same with hyphens for underscores.
fn alike(name: &str, ours: &str) -> bool {
    let same = |(theirs, our): (u8, u8)| theirs == our || theirs == b'_' && our == b'-';
    name.len() == ours.len() && name.bytes().zip(ours.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn lines(caller: &Caller, headers: &HeaderMap, host: &str) -> String {
        let mut out = BytesMut::new();
        caller.encode(&mut out, headers, host);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn claimed() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        headers.insert("forwarded", "for=192.0.2.1;proto=https".parse().unwrap());
        headers
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let caller = Caller::new(
            Some("[2001:db8::1]:5000".parse().unwrap()),
            &[],
            None,
            Link::for_tests(),
        );
        assert_eq!(
            lines(&caller, &claimed(), "example.org:8080"),
            "x-forwarded-for: 2001:db8::1\r\nx-forwarded-host: example.org:8080\r\n\
             x-forwarded-proto: http\r\n\
             forwarded: for=\"[2001:db8::1]\";host=\"example.org:8080\";proto=http\r\n"
        );
    }

    #[test]
    fn a_trusted_proxy_is_added_to() {
        let network = Network {
            address: "10.0.0.0".parse().unwrap(),
            prefix_len: 8,
        };
        let caller = Caller::new(
            Some("10.1.2.3:5000".parse().unwrap()),
            &[network],
            None,
            Link::for_tests(),
        );
        assert_eq!(
            lines(&caller, &claimed(), "a"),
            "x-forwarded-for: 192.0.2.1, 10.1.2.3\r\nx-forwarded-host: a\r\n\
             x-forwarded-proto: https\r\n\
             forwarded: for=192.0.2.1;proto=https, for=10.1.2.3;host=\"a\";proto=http\r\n"
        );
    }

    #[test]
    fn what_the_gateway_says_nobody_else_may() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_proto",
            "x-request-id",
            "traceparent",
            "client-cert",
            "client_cert",
            "client-cert-chain",
            "stoker-client-subject",
            "stoker_client_subject",
            "stoker-",
        ] {
            assert!(!passes(&HeaderName::from_static(name)), "{name}");
        }
        for name in [
            "x-forwarded",
            "client-certs",
            "client",
            "stoker",
            "cookie",
            "from",
            "te",
        ] {
            assert!(passes(&HeaderName::from_static(name)), "{name}");
        }
    }
}
