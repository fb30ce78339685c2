//! The content of a block that a client received. First byte: as for a relay's.

use smp_protocol::transmission::{MAX_TRANSMISSIONS, read_messages};

use super::broker_message::settles;
use super::relay_block::{block, blocks, session};
use crate::seeds::Vectors;

/// Reads a block as a client does.
pub fn run(data: &[u8]) {
    let Some((version, content)) = block(data) else { return };
    let session = session(version);
    let mut count = 0;
    for transmission in read_messages(&content, &session) {
        count += 1;
        if let Ok(message) = &transmission.message {
            assert_eq!(message.tag().check_entity(!transmission.entity_id.is_empty()), Ok(()));
            settles(message, version);
        }
    }
    assert!((1..=MAX_TRANSMISSIONS).contains(&count));
}

/// Blocks of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    blocks(vectors, "transmissions", &["response", "client_reads"])
}
