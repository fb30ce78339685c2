//! The versions that know post-quantum keys.

use smp_protocol::version::{AgentVersion, RatchetVersion};

/// The first agent version that knows post-quantum keys.
pub(super) const PQ_AGENT: AgentVersion = AgentVersion(5);
/// The first ratchet version that knows post-quantum keys.
const PQ_RATCHET: RatchetVersion = RatchetVersion(3);

/// Whether these versions know post-quantum keys.
pub(super) fn pq_possible(agent: AgentVersion, ratchet: RatchetVersion) -> bool {
    agent >= PQ_AGENT && ratchet >= PQ_RATCHET
}
