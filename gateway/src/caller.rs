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
    address: String,
    /// The same as RFC 7239 wants it: IPv6 in brackets and quotes.
    node: String,
    /// The peer's; `None` over a Unix socket.
    peer: Option<IpAddr>,
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
                peer: None,
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
            address: address.to_string(),
            peer: Some(address),
            node,
            trusted,
            turns: Arc::default(),
        }
    }

    /// Whose turn it is on the connection.
    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    /// The address of whoever asked first, as far as that can be believed: the last one in
    /// `X-Forwarded-For` that is none of the `trusted` proxies. `None` over a Unix socket.
    pub(crate) fn client_ip(&self, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
        let mut nearest = self.peer?;
        if !self.trusted {
            return Some(nearest);
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for hop in hops {
            // Whatever stands before what cannot be read is hearsay.
            let Some(address) = hop_address(hop.trim()) else {
                break;
            };
            nearest = address;
            if !trusted.iter().any(|network| network.contains(address)) {
                break;
            }
        }
        Some(nearest)
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

/// An address, perhaps with a port, as proxies write it.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .unwrap_or(hop);
    let address = bare
        .parse()
        .or_else(|_| hop.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
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

    #[test]
    fn the_client_is_behind_the_proxies_that_are_trusted() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "2001:db8::/32"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let ip = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let caller = Caller::new(Some(peer.parse().unwrap()), &trusted);
            caller.client_ip(&headers, &trusted).unwrap().to_string()
        };
        // A stranger is not believed.
        assert_eq!(ip("192.0.2.9:1", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(ip("10.0.0.1:1", &[]), "10.0.0.1");
        assert_eq!(ip("10.0.0.1:1", &["198.51.100.1"]), "198.51.100.1");
        // What the client itself sent stands further left.
        assert_eq!(
            ip("10.0.0.1:1", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]),
            "198.51.100.1"
        );
        assert_eq!(
            ip("10.0.0.1:1", &["1.1.1.1", "198.51.100.1", "10.9.9.9"]),
            "198.51.100.1"
        );
        assert_eq!(ip("10.0.0.1:1", &["10.1.1.1, 10.2.2.2"]), "10.1.1.1");
        for (hop, address) in [
            ("198.51.100.1:443", "198.51.100.1"),
            ("[2001:db9::1]:443", "2001:db9::1"),
            ("[2001:db9::1]", "2001:db9::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(ip("10.0.0.1:1", &[hop]), address);
        }
        for garbage in ["unknown", "", "1.2.3.4.5", "a, 10.3.3.3"] {
            let nearest = if garbage.contains(',') {
                "10.3.3.3"
            } else {
                "10.0.0.1"
            };
            assert_eq!(ip("10.0.0.1:1", &["1.1.1.1", garbage]), nearest);
        }
        assert_eq!(
            Caller::new(None, &trusted).client_ip(&HeaderMap::new(), &trusted),
            None
        );
    }
}
