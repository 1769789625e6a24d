//! The PROXY protocol, versions 1 and 2, as a proxy before us sends it:
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt> (sections 2.1 and 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A longer header is refused. Version 1 has at most 107 bytes, and version 2 has 16 and what it
/// announces: addresses of at most 216 and further fields (TLVs), which proxies fill with some
/// hundred bytes, or two thousand if they pass on a client's certificate.
pub(crate) const LONGEST: usize = 4096;

/// The longest line of version 1, with its line break.
const LONGEST_LINE: usize = 107;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const WORD: &[u8; 6] = b"PROXY ";

/// What a connection's first bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The beginning of a header.
    Incomplete,
    /// The connection is relayed for somebody else.
    Relayed {
        /// Who connected to the proxy.
        source: SocketAddr,
        /// Where to.
        destination: SocketAddr,
        /// Bytes of the header.
        consumed: usize,
    },
    /// It is relayed, and the proxy does not say for whom: `UNKNOWN`, or an address that is none
    /// of IP. The specification suggests the proxy's own address then; but what the proxy is
    /// allowed, whoever is behind it should not be.
    Unknown {
        /// Bytes of the header.
        consumed: usize,
    },
    /// It is the proxy's own, such as a health check: the addresses are the connection's.
    Local {
        /// Bytes of the header.
        consumed: usize,
    },
    /// No header, and why.
    Invalid(&'static str),
}

/// Looks at the first bytes of a connection. As long as the answer is [`Header::Incomplete`], call
/// again with more of them; with [`LONGEST`] bytes it is never that.
pub(crate) fn parse(bytes: &[u8]) -> Header {
    if begins(bytes, SIGNATURE) {
        return binary(bytes);
    }
    if begins(bytes, WORD) {
        return line(bytes);
    }
    Header::Invalid("no header of the PROXY protocol")
}

/// As far as there are bytes, they are those of `start`.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let common = bytes.len().min(start.len());
    bytes[..common] == start[..common]
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`.
fn line(bytes: &[u8]) -> Header {
    let head = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = head.iter().position(|&byte| byte == b'\n') else {
        return if head.len() < LONGEST_LINE {
            Header::Incomplete
        } else {
            Header::Invalid("the line is longer than 107 bytes")
        };
    };
    let consumed = end + 1;
    let text = head[..end].strip_suffix(b"\r");
    let Some(text) = text.and_then(|text| std::str::from_utf8(text).ok()) else {
        return Header::Invalid("the line is no text that ends with CR and LF");
    };
    let mut words = text.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        // Whatever follows is to be ignored.
        return Header::Unknown { consumed };
    }
    let mut next = || words.next().unwrap_or_default();
    let (source, destination, from, to) = (next(), next(), next(), next());
    let addresses = match family {
        Some("TCP4") => both(source, destination, |text| {
            text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        }),
        Some("TCP6") => both(source, destination, |text| {
            text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }),
        _ => return Header::Invalid("the protocol is none of TCP4, TCP6 and UNKNOWN"),
    };
    let (Some((source, destination)), Some((from, to)), None) =
        (addresses, both(from, to, port), words.next())
    else {
        return Header::Invalid("the line has not two addresses and two ports");
    };
    Header::Relayed {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
        consumed,
    }
}

fn both<V>(one: &str, other: &str, read: impl Fn(&str) -> Option<V>) -> Option<(V, V)> {
    Some((read(one)?, read(other)?))
}

/// Decimal without leading zeros.
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Version 2: a signature, version and command, family, length, addresses, further fields.
fn binary(bytes: &[u8]) -> Header {
    let [.., command, family, high, low] = match bytes.first_chunk::<16>() {
        Some(fixed) => *fixed,
        None => return early(bytes),
    };
    if command >> 4 != 2 {
        return Header::Invalid("the version is not 2");
    }
    let consumed = 16 + usize::from(u16::from_be_bytes([high, low]));
    if consumed > LONGEST {
        return Header::Invalid("the header is longer than 4096 bytes");
    }
    if command & 0xf > 1 {
        return Header::Invalid("the command is neither LOCAL nor PROXY");
    }
    if family >> 4 > 3 || family & 0xf > 2 {
        return Header::Invalid("the address family or the transport is not known");
    }
    let Some(content) = bytes.get(16..consumed) else {
        return Header::Incomplete;
    };
    if command & 0xf == 0 {
        return Header::Local { consumed };
    }
    let addresses = match family {
        0x11 => pair::<4>(content),
        0x21 => pair::<16>(content),
        _ => return Header::Unknown { consumed },
    };
    let Some((source, destination)) = addresses else {
        return Header::Invalid("the header is too short for its addresses");
    };
    Header::Relayed {
        source,
        destination,
        consumed,
    }
}

/// What is wrong already must not be waited for.
fn early(bytes: &[u8]) -> Header {
    match bytes.get(12) {
        Some(command) if command >> 4 != 2 => Header::Invalid("the version is not 2"),
        _ => Header::Incomplete,
    }
}

/// Two addresses of `N` bytes and their ports.
fn pair<const N: usize>(content: &[u8]) -> Option<(SocketAddr, SocketAddr)>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = content.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let to = rest.first_chunk::<2>()?;
    let socket = |address: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new(IpAddr::from(*address), u16::from_be_bytes(*port))
    };
    Some((socket(source, from), socket(destination, to)))
}

#[cfg(test)]
mod tests;
