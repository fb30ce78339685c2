//! The layers of a forwarded command. First byte: which layer, and whether the other bytes are the box or what its sender
//! has put into it.

use smp_crypto::{BoxKey, DhSecret};
use smp_protocol::encoding::from_bytes;
use smp_protocol::id::CorrelationId;
use smp_protocol::proxy::{
    ForwardedResponse, ForwardedTransmission, PROXIED_PADDED_LENGTH, open_answer, open_content, seal_answer,
    seal_content,
};

use crate::check::{settles, way};
use crate::seeds::{Vectors, with_first};

/// Opens the layer.
pub fn run(data: &[u8]) {
    let Some((way, bytes)) = way(data, 4) else { return };
    let key = DhSecret::from_bytes([6; 32]).box_key();
    let id = CorrelationId::from(std::array::from_fn(|i| i as u8));
    match way {
        0 => damaged(&key, &id, bytes),
        1 => inner(&key, &id, bytes),
        2 => {
            settles!(ForwardedTransmission<'_>, bytes);
            if let Ok(forwarded) = from_bytes::<ForwardedTransmission<'_>>(bytes) {
                assert_eq!(ForwardedTransmission::open(&key, &id, &forwarded.seal(&key, &id)), Ok(forwarded));
            }
        }
        _ => {
            settles!(ForwardedResponse<'_>, bytes);
            if let Ok(forwarded) = from_bytes::<ForwardedResponse<'_>>(bytes) {
                assert_eq!(ForwardedResponse::open(&key, &id, &forwarded.seal(&key, &id)), Ok(forwarded));
            }
        }
    }
}

fn damaged(key: &BoxKey, id: &CorrelationId, bytes: &[u8]) {
    assert!(open_content(key, id, bytes).is_err());
    assert!(open_answer(key, id, bytes).is_err());
    assert!(ForwardedTransmission::open(key, id, bytes).is_err());
    assert!(ForwardedResponse::open(key, id, bytes).is_err());
}

fn inner(key: &BoxKey, id: &CorrelationId, bytes: &[u8]) {
    match (seal_content(key, id, bytes), seal_answer(key, id, bytes)) {
        (Ok(command), Ok(answer)) => {
            assert_eq!(open_content(key, id, &command).as_deref(), Ok(bytes));
            assert_eq!(open_answer(key, id, &answer).as_deref(), Ok(bytes));
            assert!(open_content(key, id, &answer).is_err());
        }
        _ => assert!(bytes.len() > PROXIED_PADDED_LENGTH - 2),
    }
}

/// All layers of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let field = |name| vectors.bytes("proxy", &["proxied_command"], name);
    let mut seeds: Vec<_> = with_first(0, field("encrypted_response")).collect();
    seeds.extend(with_first(0, field("encrypted_forwarded_response")));
    seeds.extend(with_first(1, field("inner_block_content")));
    seeds.extend(with_first(1, field("response_block_content")));
    seeds.extend(with_first(2, field("forwarded_transmission")));
    seeds.extend(with_first(3, field("forwarded_response")));
    // The vectors give some of them by digest: short ones of the same form.
    let key = [&[44], &hex::decode("302a300506032b656e032100").unwrap_or_default()[..], &[9; 32]].concat();
    seeds.push([&[2, 24][..], &[8; 24], &[0, 18], &key, b"box"].concat());
    seeds.push([&[3, 24][..], &[8; 24], b"box"].concat());
    seeds
}
