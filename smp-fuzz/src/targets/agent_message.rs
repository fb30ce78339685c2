//! Agent messages: the text that the ratchet has decrypted.

use smp_protocol::agent::{AMessage, AgentMessage};

use crate::check::{info_settles, settles};
use crate::seeds::Vectors;

/// Reads an agent message.
pub fn run(data: &[u8]) {
    settles!(AgentMessage<'_>, data, |message| match message {
        AgentMessage::ConnectionInfoReply { queues, .. } => queues.iter().all(info_settles),
        _ => true,
    });
    settles!(AMessage<'_>, data);
}

/// Agent messages of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("agent_messages", &["agent_message", "a_message"], "encoded");
    seeds.extend(vectors.bytes("agent_messages", &["read_agent_message"], "input"));
    // A count of 255 without as many items.
    seeds.extend([b"QA", b"QK", b"QU", b"QT"].map(|tag| [&tag[..], &[255, 0, 1]].concat()));
    // Found by mutation: a queue of version 2 with a mode, and behind it information that begins like one.
    let mut queue = vec![b'D', 1, 0, 2, 1, 1, b'a', 0, 32];
    queue.extend([1; 32]);
    queue.extend([1, 2, 44]);
    queue.extend(hex::decode("302a300506032b656e032100").unwrap_or_default());
    queue.extend([3; 32]);
    queue.extend(b"CMore");
    seeds.push(queue);
    seeds
}
