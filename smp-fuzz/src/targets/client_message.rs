//! The body of `SEND`, and the client message in it. First byte: whether the other bytes are the body, or what its sender has
//! put into the box.

use smp_crypto::{DhSecret, Nonce};
use smp_protocol::body::{ClientEnvelope, ClientMessage};
use smp_protocol::encoding::from_bytes;
use smp_protocol::version::SmpClientVersion;

use crate::check::{settles, way};
use crate::seeds::{Vectors, with_first};

/// Reads the body, and opens its box.
pub fn run(data: &[u8]) {
    let Some((way, bytes)) = way(data, 2) else { return };
    let key = DhSecret::from_bytes([10; 32]).box_key();
    if way == 0 {
        settles!(ClientEnvelope<'_>, bytes);
        if let Ok(envelope) = from_bytes::<ClientEnvelope<'_>>(bytes) {
            assert!(envelope.open(&key).is_err());
        }
        return;
    }
    settles!(ClientMessage<'_>, bytes);
    let Ok(message) = from_bytes::<ClientMessage<'_>>(bytes) else { return };
    let nonce = Nonce::from_bytes([11; 24]);
    if let Ok(envelope) = ClientEnvelope::seal(SmpClientVersion(4), None, nonce, &key, &message) {
        assert_eq!(envelope.open(&key), Ok(message));
    }
}

/// Bodies of the vectors, and what is in them.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> =
        with_first(0, vectors.bytes("message_bodies", &["envelope"], "envelope")).collect();
    seeds.extend(with_first(0, vectors.bytes("message_bodies", &["envelope_read"], "input")));
    seeds.extend(with_first(1, vectors.bytes("message_bodies", &["envelope"], "client_message")));
    seeds.extend(with_first(1, vectors.bytes("message_bodies", &["client_message_read"], "input")));
    let key = hex::decode("302a300506032b656e032100").unwrap_or_default();
    seeds.push([&[0, 0, 4, b'1', 44][..], &key, &[12; 32], &[13; 24], &[14; 100]].concat());
    seeds.push([&[0, 0, 4, b'0'][..], &[13; 24], &[14; 100]].concat());
    seeds
}
