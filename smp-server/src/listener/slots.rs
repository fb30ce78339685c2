//! How many connections there may be, in total and from one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

use crate::{metrics::Limit, sync::lock};

/// Bits of an IPv6 address that stand for one customer.
const IPV6_PREFIX: u32 = 64;

/// Counts connections.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Mutex<Counts>>);

struct Counts {
    max_total: usize,
    max_per_address: usize,
    total: usize,
    per_address: HashMap<IpAddr, usize>,
}

/// One connection's place, given back when it is dropped.
pub(crate) struct Slot {
    slots: Slots,
    counted: Option<IpAddr>,
}

impl Slots {
    /// `max_per_address` 0 means no bound.
    pub(crate) fn new(max_total: usize, max_per_address: usize) -> Self {
        let counts = Counts { max_total, max_per_address, total: 0, per_address: HashMap::new() };
        Self(Arc::new(Mutex::new(counts)))
    }

    /// Sets other bounds. Connections that there are stay, and count.
    pub(crate) fn set_bounds(&self, max_total: usize, max_per_address: usize) {
        let mut counts = lock(&self.0);
        counts.max_total = max_total;
        counts.max_per_address = max_per_address;
    }

    /// A place for a connection from this address.
    ///
    /// # Errors
    ///
    /// The limit that is reached, and its value.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Slot, (Limit, usize)> {
        let counted = network(address);
        let mut counts = lock(&self.0);
        let max_per_address = counts.max_per_address;
        if counts.total >= counts.max_total {
            return Err((Limit::Connections, counts.max_total));
        }
        if let Some(network) = counted {
            let count = counts.per_address.entry(network).or_default();
            if max_per_address > 0 && *count >= max_per_address {
                return Err((Limit::PerAddress, max_per_address));
            }
            *count += 1;
        }
        counts.total += 1;
        Ok(Slot { slots: self.clone(), counted })
    }

    /// Connections that there may be.
    pub(crate) fn max(&self) -> usize {
        lock(&self.0).max_total
    }

    /// Connections that there are now.
    pub(crate) fn used(&self) -> usize {
        lock(&self.0).total
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = lock(&self.slots.0);
        counts.total -= 1;
        let Some(network) = self.counted else { return };
        if let Some(count) = counts.per_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.per_address.remove(&network);
            }
        }
    }
}

/// What counts as one address. Loopback does not count: it stands for all clients of an onion service or a local proxy.
fn network(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - IPV6_PREFIX);
            Some(Ipv6Addr::from_bits(address.to_bits() & mask).into())
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_total_is_bounded_and_places_come_back() {
        let slots = Slots::new(2, 0);
        let one = slots.take(ip("192.0.2.1")).unwrap();
        let _two = slots.take(ip("192.0.2.1")).unwrap();
        assert!(slots.take(ip("192.0.2.2")).is_err());
        drop(one);
        assert!(slots.take(ip("192.0.2.2")).is_ok());
        assert_eq!(slots.used(), 1);
    }

    #[test]
    fn one_address_cannot_take_all() {
        let slots = Slots::new(100, 2);
        let _held = [slots.take(ip("192.0.2.1")), slots.take(ip("::ffff:192.0.2.1"))].map(Result::unwrap);
        assert!(slots.take(ip("192.0.2.1")).is_err());
        assert!(slots.take(ip("192.0.2.2")).is_ok());
        assert!(lock(&slots.0).per_address.len() == 1, "unused addresses are forgotten");
    }

    #[test]
    fn an_ipv6_customer_has_one_network() {
        let slots = Slots::new(100, 1);
        let _held = slots.take(ip("2001:db8::1")).unwrap();
        assert!(slots.take(ip("2001:db8::2")).is_err());
        assert!(slots.take(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn bounds_can_change_while_there_are_connections() {
        let slots = Slots::new(100, 0);
        let held = [slots.take(ip("192.0.2.1")), slots.take(ip("192.0.2.1"))].map(Result::unwrap);
        slots.set_bounds(100, 2);
        assert!(slots.take(ip("192.0.2.1")).is_err());
        drop(held);
        let _one = slots.take(ip("192.0.2.1")).unwrap();
        slots.set_bounds(1, 0);
        assert!(slots.take(ip("192.0.2.2")).is_err());
    }

    #[test]
    fn loopback_is_not_counted() {
        let slots = Slots::new(100, 1);
        let _held = [slots.take(ip("127.0.0.1")), slots.take(ip("127.0.0.1"))].map(Result::unwrap);
    }
}
