//! Addresses and networks as text.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::{Address, Network};

impl Address {
    /// Two listeners cannot both have it: equal, and not a port that the kernel chooses.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        self == other && !matches!(self, Self::Tcp(address) if address.port() == 0)
    }
}

impl FromStr for Address {
    type Err = String;

    /// A relative path of a Unix socket stays relative.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Self::Unix(PathBuf::from(path))),
            Some(_) => Err("\"unix:\" needs a path".to_owned()),
            None => text
                .parse::<SocketAddr>()
                .map(Self::Tcp)
                .map_err(|_| format!("{text:?} is no IP address with a port")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Network {
    /// Whether the address is in the network; an IPv4 address mapped to IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        // A mapped network, `::ffff:10.0.0.0/104`, has its 96 fixed bits taken off like its address.
        let mapped = width == 32 && self.address.is_ipv6();
        let prefix = u32::from(self.prefix_len).saturating_sub(if mapped { 96 } else { 0 });
        let free = u32::saturating_sub(width, prefix);
        // Shifting by the full width would overflow: then nothing has to agree.
        free >= 128 || ours >> free == theirs >> free
    }
}

impl FromStr for Network {
    type Err = String;

    /// Without a prefix length, the one address.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{address:?} is no IP address"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix_len = match length {
            None => width,
            Some(length) => length
                .parse()
                .ok()
                .filter(|bits| *bits <= width && !length.starts_with('+'))
                .ok_or_else(|| format!("{length:?} is no prefix length from 0 to {width}"))?,
        };
        Ok(Self {
            address,
            prefix_len,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}
