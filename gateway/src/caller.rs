//! Who calls: the headers that tell the function.

use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderMap, HeaderName};
use stoker_config::Network;

use crate::link::Link;
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
    address: String,
    /// The same as RFC 7239 wants it: IPv6 in brackets and quotes.
    node: String,
    trusted: bool,
    link: Link,
}

impl Caller {
    /// What `peer` says is believed if one of `trusted` holds it.
    pub(crate) fn new(peer: Option<SocketAddr>, trusted: &[Network], link: Link) -> Self {
        let Some(address) = peer.map(|peer| peer.ip().to_canonical()) else {
            return Caller {
                address: "unknown".into(),
                node: "unknown".into(),
                trusted: false,
                link,
            };
        };
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let trusted = trusted.iter().any(|network| network.contains(address));
        Caller {
            address: address.to_string(),
            node,
            trusted,
            link,
        }
    }

    /// What the requests of the connection share.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Appends the `X-Forwarded-*` and `Forwarded` lines.
    ///
    /// What a trusted proxy sent before us is kept and added to; from others it is replaced.
    pub(crate) fn encode(&self, out: &mut impl FieldSink, headers: &HeaderMap, host: &str) {
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
        let proto = sent(FORWARDED_PROTO).unwrap_or("http");
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
        out.push(b";proto=http");
        out.close();
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
            Link::for_tests(),
        );
        assert_eq!(
            lines(&caller, &claimed(), "a"),
            "x-forwarded-for: 192.0.2.1, 10.1.2.3\r\nx-forwarded-host: a\r\n\
             x-forwarded-proto: https\r\n\
             forwarded: for=192.0.2.1;proto=https, for=10.1.2.3;host=\"a\";proto=http\r\n"
        );
    }
}
