//! `RatchetKem`: the KEM keys and secrets that a ratchet remembers.

use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_protocol::agent::AnyKem;

/// The KEM's part of the ratchet: present while post-quantum encryption is on or proposed.
///
/// Source: section 7.4 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatchetKem {
    /// `PQRs`: the key that our headers offer.
    pub private_key: KemPrivateKey,
    /// The secret that we encapsulated for the other side, if it had offered a key.
    pub accepted: Option<AcceptedKem>,
}

/// An encapsulation to the other side's key.
///
/// Source: section 7.4 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedKem {
    /// `PQRr`: the key that was offered.
    pub remote_key: KemPublicKey,
    /// `PQRss`: the secret that went into the sending chain.
    pub shared_secret: KemSharedSecret,
    /// `PQRct`: the secret as our headers carry it.
    pub ciphertext: KemCiphertext,
}

impl RatchetKem {
    /// The KEM parameters of our headers.
    pub(crate) fn parameters(&self) -> AnyKem {
        let public_key = self.private_key.public_key();
        match &self.accepted {
            None => AnyKem::Proposed(public_key),
            Some(accepted) => AnyKem::Accepted { ciphertext: accepted.ciphertext.clone(), public_key },
        }
    }
}
