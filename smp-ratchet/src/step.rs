//! The ratchet step, made when a message of a new chain arrives: `DHRatchetPQ2HE`.

use std::sync::Arc;

use smp_crypto::sntrup761::KemSharedSecret;
use smp_protocol::agent::AnyKem;

use crate::envelope::MessageHeader;
use crate::error::DecryptError;
use crate::kem::{AcceptedKem, RatchetKem};
use crate::key_source::KeySource;
use crate::ratchet::{RatchetState, ReceivingChain, SendingChain};
use crate::ratchet_key::RemoteRatchetKey;

/// The KEM's part in one step.
struct KemStep {
    /// The secret that the other side encapsulated for us: goes into the receiving chain.
    received: Option<KemSharedSecret>,
    /// The KEM state that our headers will offer and accept. Its secret goes into the sending chain.
    next: Option<RatchetKem>,
}

/// The state after a step with the keys of `header`: both chains are new.
pub(crate) fn ratchet_step(
    state: RatchetState,
    header: &MessageHeader,
    keys: &mut (impl KeySource + ?Sized),
) -> Result<RatchetState, DecryptError> {
    let KemStep { received, next: kem } = kem_step(&state, header.kem.as_ref(), keys)?;
    let remote_key = RemoteRatchetKey(header.ratchet_key);
    let ratchet_key = keys.ratchet_key();
    let (root_key, receiving_chain, next_receiving_header_key) =
        state.root_key.advance_receiving(&state.ratchet_key, &remote_key, received.as_ref());
    let accepted = kem.as_ref().and_then(|kem| kem.accepted.as_ref());
    let sent = accepted.map(|accepted| &accepted.shared_secret);
    let (root_key, sending_chain, next_sending_header_key) =
        root_key.advance_sending(&ratchet_key, &remote_key, sent);

    let (pq_sending, pq_receiving) = (sent.is_some(), received.is_some());
    let pq_enabled = pq_sending || pq_receiving || kem.is_some();
    Ok(RatchetState {
        pq_supported: state.pq_supported || (pq_enabled && state.has_kem_version()),
        pq_enabled,
        pq_sending,
        pq_receiving,
        versions: state.versions,
        associated_data: state.associated_data,
        ratchet_key,
        kem: kem.map(Arc::new),
        root_key,
        sending: Some(SendingChain {
            remote_key,
            chain_key: sending_chain,
            header_key: state.next_sending_header_key,
        }),
        receiving: Some(ReceivingChain {
            chain_key: receiving_chain,
            header_key: state.next_receiving_header_key,
        }),
        sent: 0,
        received: 0,
        previous_sent: state.sent,
        next_sending_header_key,
        next_receiving_header_key,
    })
}

fn kem_step(
    state: &RatchetState,
    header: Option<&AnyKem>,
    keys: &mut (impl KeySource + ?Sized),
) -> Result<KemStep, DecryptError> {
    let wanted = state.pq_enabled && state.has_kem_version();
    let Some(header) = header else {
        // The other side offers nothing. If we want it and have not proposed it yet, we do now; if we had, it has
        // been declined.
        let propose = wanted && state.kem.is_none();
        let next = propose.then(|| RatchetKem { private_key: keys.kem_key(), accepted: None });
        return Ok(KemStep { received: None, next });
    };
    let (received, remote_key) = match header {
        AnyKem::Proposed(remote_key) => (None, remote_key),
        AnyKem::Accepted { ciphertext, public_key } => {
            let ours = state.kem.as_ref().ok_or(DecryptError::KemState)?;
            (Some(ours.private_key.decapsulate(ciphertext)), public_key)
        }
    };
    let next = wanted.then(|| {
        let (ciphertext, shared_secret) = keys.encapsulate(remote_key);
        let accepted = AcceptedKem { remote_key: remote_key.clone(), shared_secret, ciphertext };
        RatchetKem { private_key: keys.kem_key(), accepted: Some(accepted) }
    });
    Ok(KemStep { received, next })
}
