//! The address of the client behind proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use stoker_config::Network;

/// Each proxy on the way adds the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address: `peer` itself unless a trusted proxy has it, else the rightmost address in
/// `X-Forwarded-For` that no trusted proxy has. `None` if `peer` is (over a Unix socket).
///
/// Each hop is believed only because the one after it is trusted, so what stands to the left of the
/// answer is hearsay. If all hops are trusted, the first one is the client. If one cannot be read,
/// the trusted proxy that told of it is: what it stands for may not gain by that.
///
/// IPv4 addresses mapped to IPv6 come as IPv4.
pub(crate) fn client_address(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[Network],
) -> Option<IpAddr> {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer?.to_canonical();
    if !is_trusted(nearest) {
        return Some(nearest);
    }
    // Several lines are one list, in their order (RFC 9110 section 5.3).
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    for line in lines {
        let Ok(line) = line.to_str() else {
            return Some(nearest);
        };
        for hop in line.rsplit(',').map(str::trim) {
            if hop.is_empty() {
                // Empty elements of lists are to be ignored (RFC 9110 section 5.6.1.2).
                continue;
            }
            let Some(address) = address(hop) else {
                return Some(nearest);
            };
            nearest = address;
            if !is_trusted(nearest) {
                return Some(nearest);
            }
        }
    }
    Some(nearest)
}

/// An address, as some proxies write it with a port, and IPv6 in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bracketed = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .and_then(|hop| hop.parse().ok())
        .map(IpAddr::V6);
    let address = hop.parse().ok().or(bracketed);
    let address = address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `10.0.0.0/8` and `fd00::/8` are trusted.
    fn client(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append(FORWARDED_FOR, value);
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        client_address(peer.parse().ok(), &headers, &trusted)
            .map_or_else(|| "none".to_owned(), |address| address.to_string())
    }

    #[test]
    fn a_stranger_is_the_client() {
        assert_eq!(client("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("unix", &["198.51.100.1"]), "none");
    }

    #[test]
    fn the_rightmost_that_is_not_trusted() {
        let one = "198.51.100.1";
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&[one], one),
            (&["203.0.113.9, 198.51.100.1"], one),
            (&["203.0.113.9, 198.51.100.1, 10.0.0.2 ,fd00::1"], one),
            (&["203.0.113.9", "198.51.100.1", "10.0.0.2"], one),
            (&["203.0.113.9,198.51.100.1,,"], one),
            (
                &["198.51.100.1:443, 10.0.0.2:80, [fd00::1]:1, [fd00::2]"],
                one,
            ),
            (&["::ffff:198.51.100.1"], one),
            (&["::ffff:10.0.0.9"], "10.0.0.9"),
            (&["2001:db8::1"], "2001:db8::1"),
        ] {
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(client("::ffff:10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn all_trusted() {
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn what_cannot_be_read_gains_nothing() {
        for line in [
            "unknown",
            "_hidden",
            "198.51.100.1, x, 10.0.0.2",
            "a b",
            "\u{fc}",
        ] {
            let expected = if line.ends_with('2') {
                "10.0.0.2"
            } else {
                "10.0.0.1"
            };
            assert_eq!(client("10.0.0.1", &[line]), expected, "{line:?}");
        }
    }
}
