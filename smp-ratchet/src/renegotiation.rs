//! Agreeing a new ratchet when the old one does not work any more (`agentRatchetKey`).
//!
//! Both sides send [`OfferedKeys`](crate::OfferedKeys), possibly at once. The side that has the keys of both compares
//! their hashes: one side then acts as the one that had invited, the other as the one that joins.

use smp_protocol::agent::RatchetParameters;

use crate::agreement::key_pair_hash;

/// SHA-256 of two public keys, 32 bytes. An agent remembers those that it has answered, to answer each only once.
///
/// Source: section 7.7 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RatchetKeyHash(pub [u8; 32]);

impl RatchetKeyHash {
    /// The hash of the keys in `parameters`.
    #[must_use]
    pub fn of<K>(parameters: &RatchetParameters<K>) -> Self {
        Self(key_pair_hash(&parameters.key_1, &parameters.key_2))
    }
}

/// Which part a side plays in the new agreement.
///
/// Source: section 7.7 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenegotiationRole {
    /// As the side that invited: [`OfferedKeys::ratchet`](crate::OfferedKeys::ratchet), then wait for a message.
    Receiving,
    /// As the side that joined: [`JoiningKeys::ratchet`](crate::JoiningKeys::ratchet) with our keys turned into
    /// joining ones, then send `EREADY`.
    Sending,
}

/// The role of the side that sent `ours` and received `theirs`. The other side comes to the other role.
#[must_use]
pub fn role(ours: RatchetKeyHash, theirs: RatchetKeyHash) -> RenegotiationRole {
    if ours <= theirs { RenegotiationRole::Receiving } else { RenegotiationRole::Sending }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_or_equal_hash_receives() {
        let (small, large) = (RatchetKeyHash([1; 32]), RatchetKeyHash([2; 32]));
        assert_eq!(role(small, large), RenegotiationRole::Receiving);
        assert_eq!(role(large, small), RenegotiationRole::Sending);
        assert_eq!(role(small, small), RenegotiationRole::Receiving);
    }
}
