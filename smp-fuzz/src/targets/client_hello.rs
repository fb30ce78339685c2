//! The client's hello, as a relay reads it.

use smp_crypto::X25519PrivateKey;
use smp_protocol::handshake::ClientHello;
use smp_protocol::handshake::relay::{agree, verify_service};
use smp_protocol::id::SessionId;
use smp_protocol::version::SmpVersion;

use crate::check::settles;
use crate::seeds::Vectors;

/// Reads a hello and agrees, as just the relay that is wanted.
pub fn run(data: &[u8]) {
    settles!(ClientHello, data);
    let Ok(hello) = ClientHello::read(data) else { return };
    let fingerprint = hello.fingerprint.as_bytes().try_into().unwrap_or_default();
    let key = X25519PrivateKey::from_bytes([4; 32]);
    let session_id = SessionId::from([5; 24]);
    if let Ok(session) = agree(&hello, SmpVersion::SUPPORTED, session_id, &fingerprint, &key) {
        assert!(SmpVersion::SUPPORTED.contains(session.parameters.version));
        let _ = session.chain_keys();
    }
    if let Some(service) = &hello.service {
        assert!(verify_service(service, None).is_err());
        let _ = verify_service(service, Some(&service.key.chain));
    }
}

/// Hellos of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("handshakes", &["client_handshake"], "encoded");
    seeds.extend(vectors.bytes("handshakes", &["parse_client_handshake"], "input"));
    seeds
}
