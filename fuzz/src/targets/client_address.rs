//! Whose request it is, behind proxies.

use std::net::IpAddr;

use http::header::{HeaderMap, HeaderValue};
use stoker_config::Network;
use stoker_gateway::fuzzing::client_address;

use super::header_map;

const NAME: &str = "x-forwarded-for";
const STRANGER: &str = "203.0.113.7";
const PROXY: &str = "10.0.0.1";

/// Nobody but trusted proxies is believed, and what their callers wrote changes nothing.
pub(crate) fn run(data: &[u8]) {
    let headers = header_map(data);
    let trusted: Vec<Network> = ["10.0.0.0/8", "fd00::/8"]
        .iter()
        .map(|text| text.parse().expect("it is a network"))
        .collect();
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let ask = |peer: &str, headers: &HeaderMap| {
        let peer = peer.parse().ok();
        client_address(peer, headers, &trusted)
    };

    assert_eq!(ask("a socket", &headers), None);
    assert_eq!(ask(STRANGER, &headers), STRANGER.parse().ok());
    let mapped = format!("::ffff:{STRANGER}");
    assert_eq!(ask(&mapped, &headers), STRANGER.parse().ok());
    let client = ask(PROXY, &headers).expect("the peer has an address");
    assert_eq!(ask(&format!("::ffff:{PROXY}"), &headers), Some(client));
    assert_eq!(client, client.to_canonical());
    assert_eq!(client, walked(&headers, &is_trusted), "{headers:?}");

    // What the last trusted proxy adds is what counts.
    let mut more = headers.clone();
    more.append(NAME, HeaderValue::from_static(STRANGER));
    assert_eq!(ask(PROXY, &more), STRANGER.parse().ok());
    // A trusted one more on the way is none the wiser.
    let mut more = headers.clone();
    more.append(NAME, HeaderValue::from_static(PROXY));
    assert_eq!(ask(PROXY, &more), Some(client));
    // What a client says of itself is not heard.
    if !is_trusted(client) {
        let mut more = HeaderMap::new();
        more.append(NAME, HeaderValue::from_static("198.51.100.200, 10.9.9.9"));
        for value in headers.get_all(NAME) {
            more.append(NAME, value.clone());
        }
        assert_eq!(ask(PROXY, &more), Some(client));
    }
}

/// From the back to the front, as long as the way is trusted and can be read.
fn walked(headers: &HeaderMap, is_trusted: &dyn Fn(IpAddr) -> bool) -> IpAddr {
    let mut hops = Vec::new();
    for line in headers.get_all(NAME) {
        match line.to_str() {
            Ok(line) => hops.extend(line.split(',').map(|hop| Some(hop.trim()))),
            // All of it is unreadable, for nobody knows where it would be split.
            Err(_) => hops.push(None),
        }
    }
    hops.retain(|hop| *hop != Some(""));
    let mut nearest: IpAddr = PROXY.parse().expect("it is an address");
    while is_trusted(nearest) {
        match hops.pop().map(|hop| hop.and_then(address)) {
            Some(Some(address)) => nearest = address,
            _ => break,
        }
    }
    nearest
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(hop: &str) -> Option<IpAddr> {
    let (bare, port) = match hop.strip_prefix('[') {
        Some(rest) => {
            let (bare, port) = rest.split_once(']')?;
            if !bare.contains(':') {
                return None;
            }
            // A zone is read where there is a port, if it is a number (RFC 4007 section 11.2).
            match bare.split_once('%') {
                Some((bare, zone)) if !port.is_empty() && number::<u32>(zone) => (bare, port),
                _ => (bare, port),
            }
        }
        None if hop.matches(':').count() == 1 => hop.split_at(hop.find(':')?),
        None => (hop, ""),
    };
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(number::<u16>) {
        return None;
    }
    Some(bare.parse::<IpAddr>().ok()?.to_canonical())
}

fn number<N: std::str::FromStr>(digits: &str) -> bool {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain && digits.parse::<N>().is_ok()
}
