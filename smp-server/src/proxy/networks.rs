//! Which addresses are those of the internet at large.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether it is an address of the internet at large, rather than of this machine or its own networks.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    // The last 16 networks are reserved; broadcast is among them.
    let reserved = first >= 240;
    !(first == 0
        || shared
        || reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_site_local = address.segments()[0] & 0xffc0 == 0xfec0;
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || is_site_local)
        && embedded(address).is_none_or(is_public_v4)
}

/// The IPv4 address that a gateway makes of it: NAT64 (RFC 6052), 6to4 (RFC 3056), and IPv4-compatible addresses.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    let [first, second, third, ..] = address.segments();
    match (first, second) {
        // NAT64 with a prefix of this network (RFC 8215): where the address is in it, only the gateway knows.
        (0x0064, 0xff9b) if third == 1 => Some(Ipv4Addr::UNSPECIFIED),
        (0x0064, 0xff9b) => Some(Ipv4Addr::from_bits(bits as u32)),
        (0x2002, _) => Some(Ipv4Addr::from_bits((bits >> 80) as u32)),
        _ if bits >> 32 == 0 => Some(Ipv4Addr::from_bits(bits as u32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_networks_are_not_public() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "240.0.0.1",
            "254.1.2.3",
            "fec0::1",
            "feff::1",
            "::10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "2002:a00:1::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "192.0.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2606:4700::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
