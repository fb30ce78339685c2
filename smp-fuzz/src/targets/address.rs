//! Addresses of relays and queues, binary and as text.

use smp_protocol::address::{Host, RelayAddress};
use smp_protocol::agent::{QueueInfo, QueueUri, SenderQueueAddress};
use smp_protocol::encoding::NonEmpty;
use smp_protocol::link::ShortLinkRelay;

use crate::check::{settles, text_settles};
use crate::seeds::Vectors;

/// Reads the input as each type of address.
pub fn run(data: &[u8]) {
    settles!(Host, data);
    settles!(NonEmpty<Host>, data);
    settles!(RelayAddress, data);
    settles!(ShortLinkRelay, data);
    settles!(SenderQueueAddress, data);
    settles!(QueueInfo, data);
    settles!(QueueUri, data);
    if let Ok(text) = std::str::from_utf8(data) {
        text_settles!(Host, text);
        text_settles!(RelayAddress, text);
    }
}

/// Addresses of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("links", &["server_address"], "smp_encoded");
    seeds.extend(vectors.texts("links", &["server_address"], "str_encoded"));
    seeds.extend(vectors.texts("links", &["server_address_read"], "input"));
    seeds.extend(vectors.bytes("agent_messages", &["queue_info", "queue_uri"], "encoded"));
    seeds.extend(vectors.bytes("agent_messages", &["read_queue_info", "read_queue_uri"], "input"));
    seeds
}
