//! The network prefixes that an address belongs to: an IPv4 address (/32) and its /24; an IPv6 /64, its /56 and its /48.
//!
//! An IPv6 line has a /64 at least, usually a /56, often a /48, and so as many addresses as its owner likes. So limits that
//! count single addresses do not hold there, and neither does one for a /64 alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Tor says by the PROXY protocol which of its circuits a client of an onion service uses, as an address in this /64
/// (`HiddenServiceExportCircuitID`). Everybody has as many circuits as they like.
const TOR_CIRCUITS: [u16; 4] = [0xfc00, 0xdead, 0xbeef, 0x4dad];

/// A prefix of an address, with zeros behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Prefix {
    address: IpAddr,
    bits: u32,
}

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This machine: all clients of an onion service or of a program that forwards connections. They cannot be told apart.
    Local,
    /// An address of the network.
    Remote(IpAddr),
}

impl Origin {
    /// With `count_loopback` loopback addresses are as any others, for tests.
    pub(crate) fn of(address: IpAddr, count_loopback: bool) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() && !count_loopback => Self::Local,
            IpAddr::V6(address) if address.segments().starts_with(&TOR_CIRCUITS) => Self::Local,
            address => Self::Remote(address),
        }
    }

    /// An IPv4 address, or an IPv6 /64.
    pub(crate) fn address(self) -> Prefix {
        self.prefix(32, 64)
    }

    /// An IPv4 address, or an IPv6 /56: what one customer of a provider usually has.
    pub(crate) fn site(self) -> Prefix {
        self.prefix(32, 56)
    }

    /// An IPv4 /24, or an IPv6 /48.
    pub(crate) fn network(self) -> Prefix {
        self.prefix(24, 48)
    }

    fn prefix(self, ipv4: u32, ipv6: u32) -> Prefix {
        match self {
            Self::Local => Prefix { address: Ipv6Addr::LOCALHOST.into(), bits: 128 },
            Self::Remote(IpAddr::V4(address)) => {
                let kept = address.to_bits() & u32::MAX.unbounded_shl(32 - ipv4);
                Prefix { address: Ipv4Addr::from_bits(kept).into(), bits: ipv4 }
            }
            Self::Remote(IpAddr::V6(address)) => {
                let kept = address.to_bits() & u128::MAX.unbounded_shl(128 - ipv6);
                Prefix { address: Ipv6Addr::from_bits(kept).into(), bits: ipv6 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Origin {
        Origin::of(text.parse().unwrap(), false)
    }

    #[test]
    fn an_ipv4_address_is_itself_and_its_neighbours() {
        let (one, other, far) = (of("192.0.2.1"), of("192.0.2.254"), of("192.0.3.1"));
        assert_ne!(one.address(), other.address());
        assert_ne!(one.site(), other.site());
        assert_eq!(one.network(), other.network());
        assert_ne!(one.network(), far.network());
        assert_eq!(one, of("::ffff:192.0.2.1"), "the same address, as a socket for both families says it");
    }

    #[test]
    fn an_ipv6_customer_has_many_addresses() {
        let one = of("2001:db8:aaaa:1100::1");
        for (other, same) in [
            ("2001:db8:aaaa:1100:ffff::2", [true, true, true]),
            ("2001:db8:aaaa:11ff::1", [false, true, true]),
            ("2001:db8:aaaa:ff00::1", [false, false, true]),
            ("2001:db8:aaab:1100::1", [false, false, false]),
        ] {
            let other = of(other);
            let found = [
                one.address() == other.address(),
                one.site() == other.site(),
                one.network() == other.network(),
            ];
            assert_eq!(found, same, "{other:?}");
        }
    }

    #[test]
    fn this_machine_stands_for_many() {
        for text in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "fc00:dead:beef:4dad::7:1"] {
            assert_eq!(of(text), Origin::Local, "{text}");
        }
        let counted = Origin::of("127.8.9.10".parse().unwrap(), true);
        assert_eq!(counted.network(), Origin::of("127.8.9.11".parse().unwrap(), true).network());
        assert_ne!(Origin::Local.network(), counted.network());
    }
}
