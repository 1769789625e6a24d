//! What proxies say in front of a connection.

use std::net::SocketAddr;

use stoker_gateway::fuzzing::{PROXY_HEADER_BYTES, proxy_header};

use super::pieces;

/// The longest line of version 1 (section 2.1 of the specification).
const LINE_BYTES: usize = 107;

/// A header says the same in whatever pieces it comes and whatever follows it, it is no longer
/// than it may be, and what it says comes through in either version.
pub(crate) fn run(data: &[u8]) {
    let Some((step, input)) = pieces(data) else {
        return;
    };
    let whole = proxy_header(input);
    let mut ends = (step..input.len()).step_by(step).chain([input.len()]);
    let told = ends.find_map(|end| match proxy_header(&input[..end]) {
        Ok(None) => None,
        told => Some(told),
    });
    assert_eq!(told.unwrap_or(Ok(None)), whole);
    match &whole {
        Err(why) => assert!(!why.is_empty()),
        Ok(None) => {
            assert!(input.len() < PROXY_HEADER_BYTES);
            let mut filled = input.to_vec();
            filled.resize(PROXY_HEADER_BYTES, b'x');
            assert!(!matches!(proxy_header(&filled), Ok(None)));
        }
        Ok(Some(header)) => {
            let line = input.starts_with(b"PROXY ");
            let bound = if line { LINE_BYTES } else { PROXY_HEADER_BYTES };
            assert!(header.consumed <= bound.min(input.len()), "{header:?}");
            assert!(!line || input[..header.consumed].ends_with(b"\r\n"));
            assert_eq!(proxy_header(&input[..header.consumed]), whole);
            let before = proxy_header(&input[..header.consumed - 1]);
            assert_eq!(before, Ok(None), "it is whole one byte earlier");
            if let Some((source, destination)) = header.addresses {
                assert_eq!(source.is_ipv4(), destination.is_ipv4());
                comes_through(source, destination, &input[header.consumed..]);
            }
        }
    }
    if let Some((source, destination)) = addresses(input) {
        comes_through(source, destination, input);
    }
}

/// What both versions say of these addresses is what was meant.
fn comes_through(source: SocketAddr, destination: SocketAddr, fields: &[u8]) {
    let fields = &fields[..fields.len().min(1000)];
    for encoded in [
        version_1(source, destination),
        version_2(source, destination, &[]),
        version_2(source, destination, fields),
    ] {
        let followed = [&encoded, fields].concat();
        let header = proxy_header(&followed)
            .expect("it is valid")
            .expect("it is whole");
        assert_eq!(header.addresses, Some((source, destination)));
        assert_eq!((header.kind, header.consumed), ("relayed", encoded.len()));
    }
}

fn version_1(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.port(), destination.port());
    let (source, destination) = (source.ip(), destination.ip());
    format!("PROXY {family} {source} {destination} {from} {to}\r\n").into_bytes()
}

fn version_2(source: SocketAddr, destination: SocketAddr, fields: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for address in [source, destination] {
        match address {
            SocketAddr::V4(address) => content.extend(address.ip().octets()),
            SocketAddr::V6(address) => content.extend(address.ip().octets()),
        }
    }
    for address in [source, destination] {
        content.extend(address.port().to_be_bytes());
    }
    content.extend(fields);
    let family = if source.is_ipv4() { 0x11 } else { 0x21 };
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    bytes.push(family);
    let length = u16::try_from(content.len()).expect("a thousand bytes and two addresses");
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    bytes
}

/// Two addresses of one family, made of the input's first bytes.
fn addresses(input: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let bytes = input.first_chunk::<37>()?;
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let socket = |at: usize, port| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&bytes[at..at + 16]);
        match bytes[0] & 1 {
            0 => SocketAddr::from(([octets[0], octets[1], octets[2], octets[3]], port)),
            _ => SocketAddr::from((octets, port)),
        }
    };
    Some((socket(1, port(33)), socket(17, port(35))))
}
