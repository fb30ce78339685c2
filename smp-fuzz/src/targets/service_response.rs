//! The relay's answer to a service, the third message of the handshake.

use smp_protocol::handshake::ServiceResponse;

use crate::check::settles;
use crate::seeds::Vectors;

/// Reads an answer.
pub fn run(data: &[u8]) {
    settles!(ServiceResponse, data);
    let _ = ServiceResponse::read(data);
}

/// Answers of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("handshakes", &["server_handshake_response"], "encoded");
    seeds.extend(vectors.bytes("handshakes", &["parse_server_handshake_response"], "input"));
    seeds
}
