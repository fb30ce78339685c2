//! The body of `MSG` and the metadata of `NMSG`. First byte: which of them, and whether the other bytes are the box, or what a
//! relay has put into it.

use smp_crypto::{DhSecret, Nonce};
use smp_protocol::body::{NotificationMeta, ReceivedBody};
use smp_protocol::encoding::from_bytes;
use smp_protocol::id::MessageId;

use crate::check::{settles, way};
use crate::seeds::{Vectors, with_first};

/// Opens the box, reads what is in it.
pub fn run(data: &[u8]) {
    let Some((way, bytes)) = way(data, 4) else { return };
    let key = DhSecret::from_bytes([15; 32]).box_key();
    let (id, nonce) = (MessageId::from([16; 24]), Nonce::from_bytes([17; 24]));
    match way {
        0 => assert!(ReceivedBody::open(&key, &id, bytes).is_err()),
        1 => {
            settles!(ReceivedBody<'_>, bytes);
            let Ok(body) = from_bytes::<ReceivedBody<'_>>(bytes) else { return };
            let mut boxed = Vec::new();
            if body.seal_into(&key, &id, &mut boxed).is_ok() {
                assert_eq!(ReceivedBody::open(&key, &id, &boxed), Ok(body));
            }
        }
        2 => assert!(NotificationMeta::open(&key, &nonce, bytes).is_err()),
        _ => {
            settles!(NotificationMeta, bytes);
            let Ok(meta) = from_bytes::<NotificationMeta>(bytes) else { return };
            if let Ok(boxed) = meta.seal(&key, &nonce) {
                assert_eq!(NotificationMeta::open(&key, &nonce, boxed.as_bytes()), Ok(meta));
            }
        }
    }
}

/// Bodies of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let field = |kind, name| vectors.bytes("message_bodies", &[kind], name);
    let mut seeds: Vec<_> = with_first(0, field("server_encrypted_body", "encrypted")).collect();
    seeds.extend(with_first(1, field("server_encrypted_body", "content")));
    seeds.extend(with_first(1, field("recipient_reads_content", "content")));
    seeds.extend(with_first(2, field("notification_meta", "result")));
    seeds.extend(with_first(3, field("notification_meta", "meta")));
    seeds.extend(with_first(3, field("notification_meta_read", "input")));
    seeds.push([&[3, 24][..], &[18; 24], &1_700_000_000_i64.to_be_bytes()].concat());
    seeds
}
