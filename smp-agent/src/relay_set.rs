//! The relays that an agent may use, with their operators and roles, and the choice among them.
//!
//! No relay shall see both directions of a connection, nor an operator if that can be had. Among those that are equally good chance
//! decides.

use rand::RngExt as _;
use smp_protocol::address::RelayAddress;

/// A relay that an agent may use for new queues, or send through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayEntry {
    /// Its address, with the password if it wants one.
    pub address: RelayAddress,
    /// Its operator, by any name. Relays with the same one could tell each other what they see, so they are not used together where
    /// others are there. Without one a relay is taken for one of an operator of its own.
    pub operator: Option<String>,
    /// Whether queues are made on it.
    pub storage: bool,
    /// Whether messages to other relays are sent through it.
    pub proxy: bool,
}

/// Role of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelayRole {
    Storage,
    Proxy,
}

impl RelayEntry {
    /// A relay for both roles, of an operator of its own.
    #[must_use]
    pub fn new(address: RelayAddress) -> Self {
        Self { address, operator: None, storage: true, proxy: true }
    }

    /// The same, of this operator.
    #[must_use]
    pub fn operator(self, name: impl Into<String>) -> Self {
        Self { operator: Some(name.into()), ..self }
    }

    /// The same, in these roles only.
    #[must_use]
    pub fn roles(self, storage: bool, proxy: bool) -> Self {
        Self { storage, proxy, ..self }
    }

    fn is(&self, role: RelayRole) -> bool {
        match role {
            RelayRole::Storage => self.storage,
            RelayRole::Proxy => self.proxy,
        }
    }
}

impl From<RelayAddress> for RelayEntry {
    fn from(address: RelayAddress) -> Self {
        Self::new(address)
    }
}

/// The relays with a role, best ones first. `apart` are those that it had better not be, the most important one first; then come their
/// operators.
pub(crate) fn ranked<'a>(
    relays: &'a [RelayEntry],
    role: RelayRole,
    apart: &[&RelayAddress],
    rng: &mut impl rand::Rng,
) -> Vec<&'a RelayEntry> {
    let operators: Vec<_> = apart.iter().filter_map(|relay| operator_of(relays, relay)).collect();
    let mut ranked: Vec<_> = relays
        .iter()
        .filter(|relay| relay.is(role))
        .map(|relay| {
            let same = apart.iter().map(|other| other.fingerprint == relay.address.fingerprint);
            let operator = relay.operator.as_deref().is_some_and(|name| operators.contains(&name));
            (same.chain([operator]).collect::<Vec<_>>(), rng.random::<u64>(), relay)
        })
        .collect();
    ranked.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    ranked.into_iter().map(|(.., relay)| relay).collect()
}

/// The best relay with a role. See [`ranked`].
pub(crate) fn choose<'a>(
    relays: &'a [RelayEntry],
    role: RelayRole,
    apart: &[&RelayAddress],
    rng: &mut impl rand::Rng,
) -> Option<&'a RelayEntry> {
    ranked(relays, role, apart, rng).first().copied()
}

fn operator_of<'a>(relays: &'a [RelayEntry], address: &RelayAddress) -> Option<&'a str> {
    relays.iter().find(|relay| relay.address.fingerprint == address.fingerprint)?.operator.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn relay(number: u8, operator: &str) -> RelayEntry {
        let address = format!("smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@relay{number}.example");
        let mut address: RelayAddress = address.parse().unwrap();
        address.fingerprint = [number; 32];
        RelayEntry::new(address).operator(operator)
    }

    /// All that chance may choose.
    fn choices(relays: &[RelayEntry], role: RelayRole, apart: &[&RelayEntry]) -> HashSet<u8> {
        let apart: Vec<_> = apart.iter().map(|relay| &relay.address).collect();
        let rng = &mut rand::rng();
        (0..200)
            .filter_map(|_| choose(relays, role, &apart, rng))
            .map(|relay| relay.address.fingerprint[0])
            .collect()
    }

    #[test]
    fn other_relays_and_other_operators_come_first() {
        let relays = [relay(1, "a"), relay(2, "a"), relay(3, "b"), relay(4, "c")];
        let storage = RelayRole::Storage;
        assert_eq!(choices(&relays, storage, &[]), HashSet::from([1, 2, 3, 4]));
        assert_eq!(choices(&relays, storage, &[&relays[0]]), HashSet::from([3, 4]));
        assert_eq!(choices(&relays, storage, &[&relays[2], &relays[0]]), HashSet::from([4]));
        // Of the same operator, rather than the same relay; the first that is named matters most.
        assert_eq!(choices(&relays[..2], storage, &[&relays[0]]), HashSet::from([2]));
        assert_eq!(choices(&relays[..2], storage, &[&relays[0], &relays[1]]), HashSet::from([2]));
        assert_eq!(choices(&relays[..1], storage, &[&relays[0]]), HashSet::from([1]));
        // A relay of the other side that is not among ours has an operator of its own.
        assert_eq!(choices(&relays[..1], storage, &[&relay(9, "a")]), HashSet::from([1]));
    }

    #[test]
    fn relays_are_used_in_their_roles_only() {
        let relays = [relay(1, "a").roles(true, false), relay(2, "a").roles(false, true)];
        assert_eq!(choices(&relays, RelayRole::Storage, &[&relays[0]]), HashSet::from([1]));
        assert_eq!(choices(&relays, RelayRole::Proxy, &[&relays[1]]), HashSet::from([2]));
        assert_eq!(choices(&[relay(1, "a").roles(false, false)], RelayRole::Proxy, &[]), HashSet::new());
    }
}
