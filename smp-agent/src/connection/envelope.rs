//! The encryption between the sender and the recipient of one queue (chapter 5).

use super::{SendQueue, StateError};
use rand::CryptoRng;
use smp_crypto::Nonce;
use smp_protocol::agent::AgentEnvelope;
use smp_protocol::body::{ClientEnvelope, ClientMessage, PrivateHeader};
use smp_protocol::encoding::to_bytes;

/// The body of SEND for a confirmation: with our public key, so that the recipient can make the secret.
pub(super) fn seal_confirmation(
    queue: &SendQueue,
    header: PrivateHeader,
    content: &AgentEnvelope<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, StateError> {
    seal(queue, true, header, &to_bytes(content), rng)
}

/// The body of SEND for anything after the confirmation: for an encoded envelope.
pub(super) fn seal_encoded(
    queue: &SendQueue,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, StateError> {
    seal(queue, false, PrivateHeader::Empty, content, rng)
}

fn seal(
    queue: &SendQueue,
    with_key: bool,
    header: PrivateHeader,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, StateError> {
    let message = ClientMessage { header, body: content.into() };
    let key = with_key.then(|| queue.e2e_public.into());
    let box_key = queue.e2e_secret.box_key();
    let sealed = ClientEnvelope::seal(queue.client_version, key, Nonce::generate(rng), &box_key, &message);
    Ok(to_bytes(&sealed.map_err(|_| StateError)?))
}
