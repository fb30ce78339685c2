//! The relay's hello, as a client reads and answers it.

use smp_crypto::X25519PrivateKey;
use smp_protocol::handshake::RelayHello;
use smp_protocol::handshake::client::{Client, answer};
use smp_protocol::version::SmpVersion;

use crate::check::settles;
use crate::seeds::Vectors;

/// Reads a hello and answers it, as somebody who wants just this relay.
pub fn run(data: &[u8]) {
    settles!(RelayHello, data);
    let Ok(hello) = RelayHello::read(data) else { return };
    let Some(key) = &hello.key else { return };
    let fingerprint = key.chain.relay_fingerprint().unwrap_or_default();
    let own_key = X25519PrivateKey::from_bytes([3; 32]);
    let client = Client {
        versions: SmpVersion::SUPPORTED,
        session_id: &hello.session_id,
        fingerprint: &fingerprint,
        relay_chain: &key.chain,
        key: Some(&own_key),
        proxy: data.len().is_multiple_of(2),
        service: None,
    };
    if let Ok((hello, session)) = answer(&hello, &client) {
        assert!(client.versions.contains(hello.version));
        assert_eq!(hello.version, session.parameters.version);
    }
}

/// Hellos of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("handshakes", &["server_handshake"], "encoded");
    seeds.extend(vectors.bytes("handshakes", &["parse_server_handshake"], "input"));
    seeds
}
