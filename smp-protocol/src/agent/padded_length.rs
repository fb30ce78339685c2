//! Lengths to which messages are padded before the ratchet encrypts them.

use crate::version::AgentVersion;

/// The first agent version with a post-quantum ratchet, whose headers need the room.
const POST_QUANTUM: AgentVersion = AgentVersion(5);

/// Padded length in bytes of connection information (in [`AgentEnvelope::Confirmation`](super::AgentEnvelope)).
///
/// `version` is the agreed version of the connection, `pq_support` whether the connection *supports* post-quantum
/// encryption, which can only ever be switched on; it need not be in use.
#[must_use]
pub fn connection_info_length(version: AgentVersion, pq_support: bool) -> usize {
    if pq_support && version >= POST_QUANTUM { 11_106 } else { 14_832 }
}

/// Padded length in bytes of all other messages (in [`AgentEnvelope::Message`](super::AgentEnvelope)); parameters as
/// in [`connection_info_length`].
#[must_use]
pub fn message_length(version: AgentVersion, pq_support: bool) -> usize {
    if pq_support && version >= POST_QUANTUM { 13_618 } else { 15_840 }
}
