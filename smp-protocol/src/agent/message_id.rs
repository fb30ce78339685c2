//! `AgentMessageId`: the number of a message in one direction of a connection.

use crate::encoding::{Decode, DecodeError, Encode, Reader};

/// Number of a message of one sender in one connection (8 bytes, signed).
///
/// The sender's confirmation is number 1, without saying so, and an [`AgentEnvelope::RatchetKey`](super::AgentEnvelope)
/// takes a number too: the first [`AMessage`](super::AMessage) has number 2 and the hash of the encoded connection information.
///
/// Source: section 6.3 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentMessageId(pub i64);

impl Encode for AgentMessageId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode<'_> for AgentMessageId {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.read().map(Self)
    }
}
