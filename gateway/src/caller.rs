//! Who calls: the headers that tell the function.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use http::header::{self, HeaderMap, HeaderName};
use stoker_config::Network;

use crate::io::Turns;
use crate::upstream::line;

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
    trusted: bool,
    turns: Arc<Turns>,
}

impl Caller {
    /// What `peer` says is believed if one of `trusted` holds it.
    pub(crate) fn new(peer: Option<SocketAddr>, trusted: &[Network]) -> Self {
        let Some(address) = peer.map(|peer| peer.ip().to_canonical()) else {
            return Caller {
                address: "unknown".into(),
                node: "unknown".into(),
                trusted: false,
                turns: Arc::default(),
            };
        };
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let trusted = trusted.iter().any(|network| network.contains(address));
        Caller {
            address: address.to_string().into(),
            node,
            trusted,
            turns: Arc::default(),
        }
    }

    /// Where it connects from, without the port.
    pub(crate) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// Whose turn it is on the connection.
    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    /// Appends the `X-Forwarded-*` and `Forwarded` lines.
    ///
    /// What a trusted proxy sent before us is kept and added to; from others it is replaced.
    pub(crate) fn encode(&self, out: &mut BytesMut, headers: &HeaderMap, host: &str) {
        let sent = |name: &str| {
            let value = self.trusted.then(|| headers.get(name))??;
            value.to_str().ok().filter(|value| !value.trim().is_empty())
        };
        match sent(FORWARDED_FOR) {
            Some(before) => {
                line(
                    out,
                    FORWARDED_FOR,
                    format!("{before}, {}", self.address).as_bytes(),
                );
            }
            None => line(out, FORWARDED_FOR, self.address.as_bytes()),
        }
        line(
            out,
            FORWARDED_HOST,
            sent(FORWARDED_HOST).unwrap_or(host).as_bytes(),
        );
        line(
            out,
            FORWARDED_PROTO,
            sent(FORWARDED_PROTO).unwrap_or("http").as_bytes(),
        );

        out.extend_from_slice(b"forwarded: ");
        if let Some(before) = sent(header::FORWARDED.as_str()) {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(b"for=");
        out.extend_from_slice(self.node.as_bytes());
        if !host.is_empty() {
            out.extend_from_slice(b";host=\"");
            out.extend_from_slice(host.as_bytes());
            out.extend_from_slice(b"\"");
        }
        out.extend_from_slice(b";proto=http\r\n");
    }
}

/// False for the headers that the gateway writes itself.
pub(crate) fn passes(name: &HeaderName) -> bool {
    if *name == header::FORWARDED {
        return false;
    }
    let name = name.as_str();
    match name.as_bytes().first() {
        Some(b'x') => !matches!(
            name,
            FORWARDED_FOR | FORWARDED_HOST | FORWARDED_PROTO | "x-request-id"
        ),
        Some(b't') => name != "traceparent",
        Some(b's') => !name.starts_with("stoker-"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
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
        let caller = Caller::new(Some("[2001:db8::1]:5000".parse().unwrap()), &[]);
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
        let caller = Caller::new(Some("10.1.2.3:5000".parse().unwrap()), &[network]);
        assert_eq!(
            lines(&caller, &claimed(), "a"),
            "x-forwarded-for: 192.0.2.1, 10.1.2.3\r\nx-forwarded-host: a\r\n\
             x-forwarded-proto: https\r\n\
             forwarded: for=192.0.2.1;proto=https, for=10.1.2.3;host=\"a\";proto=http\r\n"
        );
    }
}
