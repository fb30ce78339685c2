//! `KeySource`: the source of new keys.

use rand::CryptoRng;
use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_crypto::x448::X448PrivateKey;

use crate::ratchet_key::RatchetPrivateKey;

/// Makes the keys that a ratchet step needs. Every cryptographic generator does.
///
/// It is a trait of its own so that recorded conversations can be repeated: the ratchet takes whatever keys it
/// is given and is otherwise deterministic.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
pub trait KeySource {
    /// `GENERATE_DH`.
    fn ratchet_key(&mut self) -> RatchetPrivateKey;
    /// `GENERATE_PQKEM`.
    fn kem_key(&mut self) -> KemPrivateKey;
    /// `PQKEM-ENC`.
    fn encapsulate(&mut self, to: &KemPublicKey) -> (KemCiphertext, KemSharedSecret);
}

impl<R: CryptoRng + ?Sized> KeySource for R {
    fn ratchet_key(&mut self) -> RatchetPrivateKey {
        RatchetPrivateKey::new(X448PrivateKey::generate(self))
    }

    fn kem_key(&mut self) -> KemPrivateKey {
        KemPrivateKey::generate(self)
    }

    fn encapsulate(&mut self, to: &KemPublicKey) -> (KemCiphertext, KemSharedSecret) {
        to.encapsulate(self)
    }
}
