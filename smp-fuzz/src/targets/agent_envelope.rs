//! Agent envelopes: the content of a client message.

use smp_protocol::agent::AgentEnvelope;

use crate::check::settles;
use crate::seeds::Vectors;

/// Reads an envelope.
pub fn run(data: &[u8]) {
    settles!(AgentEnvelope<'_>, data);
}

/// Envelopes of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("agent_messages", &["envelope"], "encoded");
    seeds.extend(vectors.bytes("agent_messages", &["read_envelope"], "input"));
    seeds
}
