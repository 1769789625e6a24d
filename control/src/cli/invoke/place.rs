//! Where to reach the gateway's own listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use stoker_config::Address;

use crate::cli::Failure;
use crate::client::{Client, Target};
use crate::wire::GatewayInfo;

/// The first of the gateway's addresses for plain HTTP that can be reached from here.
pub(super) fn target(gateway: &GatewayInfo, client: &Client) -> Result<Target, Failure> {
    let elsewhere = client.host().filter(|host| !is_here(host));
    let addresses = gateway
        .listen
        .iter()
        // Where more than plain HTTP is asked for, more than an address is written.
        .filter_map(|address| address.parse().ok());
    addresses
        .into_iter()
        .find_map(|address| reach(address, elsewhere))
        .ok_or_else(|| {
            Failure::Other(format!(
                "the gateway listens on {}, which cannot be reached by plain HTTP from here",
                gateway.listen.join(", ")
            ))
        })
}

/// The first of this gateway's own addresses for plain HTTP, written as a list shows them.
pub(crate) fn own<'l>(mut listen: impl Iterator<Item = &'l String>) -> Option<Target> {
    listen.find_map(|address| reach(address.parse().ok()?, None))
}

/// Where the gateway can be reached by plain HTTP from here: the path of a socket, or
/// `http://HOST:PORT`.
///
/// # Errors
/// If it listens nowhere where that goes, in words.
pub fn listener(gateway: &GatewayInfo, client: &Client) -> Result<String, String> {
    match target(gateway, client) {
        Ok(target) => Ok(target.to_string()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// How to reach an address of this machine, or of the one that is `elsewhere`.
fn reach(address: Address, elsewhere: Option<&str>) -> Option<Target> {
    let address = match (address, elsewhere) {
        (Address::Unix(path), None) => return Some(Target::Unix(path)),
        (Address::Unix(_), Some(_)) => return None,
        (Address::Tcp(address), _) => address,
    };
    let authority = match elsewhere {
        Some(_) if address.ip().is_loopback() => return None,
        Some(host) if address.ip().is_unspecified() => format!("{host}:{}", address.port()),
        _ => SocketAddr::new(nearest(address.ip()), address.port()).to_string(),
    };
    Some(Target::Tcp(authority))
}

/// Every address of a machine includes the one that it calls itself by.
fn nearest(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(address: &str, elsewhere: Option<&str>) -> Option<String> {
        reach(address.parse().unwrap(), elsewhere).map(|target| target.to_string())
    }

    #[test]
    fn from_the_same_machine_all_is_reached() {
        assert_eq!(
            reached("127.0.0.1:80", None).as_deref(),
            Some("http://127.0.0.1:80")
        );
        assert_eq!(
            reached("0.0.0.0:80", None).as_deref(),
            Some("http://127.0.0.1:80")
        );
        assert_eq!(reached("[::]:80", None).as_deref(), Some("http://[::1]:80"));
        assert_eq!(
            reached("10.0.0.7:80", None).as_deref(),
            Some("http://10.0.0.7:80")
        );
        assert_eq!(reached("unix:/x.sock", None).as_deref(), Some("/x.sock"));
    }

    #[test]
    fn from_elsewhere_only_what_is_open() {
        let host = Some("gateway.internal");
        assert_eq!(reached("127.0.0.1:80", host), None);
        assert_eq!(reached("unix:/x.sock", host), None);
        assert_eq!(
            reached("0.0.0.0:80", host).as_deref(),
            Some("http://gateway.internal:80")
        );
        assert_eq!(
            reached("10.0.0.7:80", host).as_deref(),
            Some("http://10.0.0.7:80")
        );
    }

    #[test]
    fn knows_this_machine() {
        assert!(is_here("localhost") && is_here("127.0.0.1") && is_here("[::1]"));
        assert!(!is_here("gateway.internal") && !is_here("10.0.0.7"));
    }
}
