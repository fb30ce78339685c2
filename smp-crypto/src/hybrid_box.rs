//! Boxes whose key is made of two secrets, X25519 and sntrup761 (spec chapter `1-primitives.md`): they stay closed
//! as long as one of the two holds.

use crate::secret_bytes;
use crate::sntrup761::KemSharedSecret;
use crate::{BoxKey, DhSecret, SecretBoxKey, hash};

secret_bytes!(
    /// A secret made of a [`DhSecret`] and the secret of a key encapsulation: 32 bytes.
    ///
    /// Source: section 1.6 (`protocol-spec/1-primitives.md`).
    HybridSecret, 32
);

impl HybridSecret {
    /// SHA3-256 of both secrets, one after the other.
    #[must_use]
    pub fn new(dh_secret: &DhSecret, kem_secret: &KemSharedSecret) -> Self {
        Self(hash::sha3_256_of_parts([dh_secret.as_bytes().as_slice(), kem_secret.as_bytes()]))
    }

    /// The key for boxes.
    #[must_use]
    pub fn box_key(&self) -> BoxKey {
        SecretBoxKey::from_bytes(self.0).box_key()
    }
}
