//! Lists of networks, as long as one likes.

use std::net::IpAddr;

use stoker_config::Network;

/// A set of addresses, looked up in the logarithm of its length.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// First and last addresses, IPv4 ones mapped to IPv6; in order and apart from each other.
    ranges: Vec<(u128, u128)>,
}

impl Networks {
    /// What is in any of `networks`.
    pub(crate) fn new(networks: &[Network]) -> Self {
        let mut all: Vec<_> = networks.iter().map(Network::range).collect();
        all.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Networks { ranges }
    }

    /// Whether there is no address in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether the address is in it; an IPv4 address mapped to IPv6 counts as IPv4.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        };
        let after = self.ranges.partition_point(|(first, _)| *first <= address);
        after > 0 && address <= self.ranges[after - 1].1
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        let list: Vec<Network> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Networks::new(&list)
    }

    #[test]
    fn neighbours_and_nested_networks() {
        let list = networks(&["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32"]);
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "192.0.2.7",
            "2001:db8:ffff::1",
            "::ffff:10.1.2.3",
        ] {
            assert!(list.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "9.255.255.255",
            "11.0.0.0",
            "192.0.2.6",
            "192.0.2.8",
            "2001:db9::",
            "::1",
        ] {
            assert!(!list.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(networks(&[]).is_empty());
        assert!(!networks(&[]).contains("10.0.0.1".parse().unwrap()));
        assert!(networks(&["0.0.0.0/0"]).contains("255.255.255.255".parse().unwrap()));
        assert!(networks(&["::/0"]).contains("ffff::".parse().unwrap()));
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        // Few different bits, so that networks hold addresses.
        prop_oneof![
            (0_u32..64).prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits << 26 | bits))),
            (0_u128..64).prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits << 122 | bits))),
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        ]
    }

    fn network() -> impl Strategy<Value = Network> {
        (address(), 0_u8..=128).prop_map(|(address, length)| Network {
            address,
            prefix_len: if address.is_ipv4() {
                length.min(32)
            } else {
                length
            },
        })
    }

    proptest! {
        /// The list holds exactly what one of its networks holds.
        #[test]
        fn holds_what_its_networks_hold(
            list in prop::collection::vec(network(), 0..12),
            addresses in prop::collection::vec(address(), 1..20),
        ) {
            let compiled = Networks::new(&list);
            for address in addresses {
                // `::/0` holds mapped addresses here; `Network` keeps the families apart.
                let apart = list.iter().any(|network| {
                    network.address.to_canonical().is_ipv6() && network.prefix_len <= 96
                });
                prop_assume!(!(apart && address.is_ipv4()));
                let any = list.iter().any(|network| network.contains(address));
                prop_assert_eq!(compiled.contains(address), any);
            }
        }
    }
}
