//! A chain of certificates, and a key that is signed with the first of them.

use smp_protocol::certificate::{CertificateChain, CertifiedKey, MAX_CHAIN, SignedKey};
use smp_protocol::encoding::{Reader, from_bytes};

use crate::check::settles;
use crate::seeds::Vectors;

/// Reads the chain, chooses the identity, verifies the key.
pub fn run(data: &[u8]) {
    settles!(CertificateChain, data);
    settles!(SignedKey, data);
    settles!(CertifiedKey, data);
    let Ok(chain) = Reader::new(data).read::<CertificateChain>() else { return };
    let length = chain.certificates().count();
    assert_eq!(chain.relay_identity().is_some(), (2..=MAX_CHAIN).contains(&length));
    assert_eq!(chain.service_identity().is_some(), (1..=MAX_CHAIN).contains(&length));
    // Relays and services look at the length first; a chain of 255 small certificates must not cost 255 verifications.
    if length <= MAX_CHAIN {
        let _ = chain.is_linked();
    }
    let Some(leaf_key) = chain.leaf_key() else { return };
    if let Ok(key) = from_bytes::<CertifiedKey>(data) {
        let _ = key.signed_key.verify_x25519(&leaf_key);
        let _ = key.signed_key.verify_ed25519(&leaf_key);
    }
}

/// Chains and keys of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    // In the hellos they follow the versions and the session ID.
    let mut hellos = vectors.bytes("handshakes", &["server_handshake"], "encoded");
    hellos.extend(vectors.bytes("handshakes", &["parse_server_handshake"], "input"));
    for hello in hellos {
        let Some((head, rest)) = hello.split_first_chunk::<5>() else { continue };
        seeds.extend(rest.get(usize::from(head[4])..).map(<[u8]>::to_vec));
    }
    let keys = vectors.bytes("handshakes", &["server_handshake"], "signed_key_der");
    seeds.extend(keys.iter().map(|der| [&(der.len() as u16).to_be_bytes(), &der[..]].concat()));
    for case in vectors.cases("handshakes", &["inputs"]) {
        for chain in case["chains"].as_object().into_iter().flat_map(serde_json::Map::values) {
            let mut certificates = Vec::new();
            crate::seeds::collect_bytes(&chain["certificates_der"], &mut certificates);
            seeds.extend(
                CertificateChain::new(certificates).map(|chain| smp_protocol::encoding::to_bytes(&chain)),
            );
        }
    }
    seeds
}
