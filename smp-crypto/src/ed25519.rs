//! Ed25519 signature keys (RFC 8032; spec chapter `1-primitives.md`). aws-lc does the
//! arithmetic; it is compared with ed25519-dalek.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::Algorithm;
use crate::key_types::{private_key_encodings, public_key_encodings};

/// A public Ed25519 key: 32 bytes, 44 in DER.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ed25519PublicKey([u8; 32]);

public_key_encodings!(Ed25519PublicKey, Algorithm::Ed25519, 32, 44);

impl Ed25519PublicKey {
    /// Size of a signature in bytes.
    pub const SIGNATURE_SIZE: usize = 64;

    /// Whether the signature was made for this message with the private key of this one.
    ///
    /// Bytes that are no point of the curve can be held as a key, but verify nothing.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

/// A private Ed25519 key: 32 bytes (the seed), 48 in DER.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Ed25519PrivateKey {
    seed: [u8; 32],
    /// For aws-lc, which computes the public key with it: once, when it is needed.
    #[zeroize(skip)]
    prepared: OnceLock<Arc<Ed25519KeyPair>>,
}

private_key_encodings!(Ed25519PrivateKey, Algorithm::Ed25519, 32, 48);

impl Ed25519PrivateKey {
    /// The key with these raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { seed: bytes, prepared: OnceLock::new() }
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public key of this one.
    #[must_use]
    pub fn public_key(&self) -> Ed25519PublicKey {
        Ed25519PublicKey(self.prepared().public_key().as_ref().try_into().unwrap_or_else(|_| no_memory()))
    }

    /// Signs a message. The same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.prepared().try_sign(message).unwrap_or_else(|_| no_memory());
        signature.as_ref().try_into().unwrap_or_else(|_| no_memory())
    }

    fn prepared(&self) -> &Ed25519KeyPair {
        let prepare = || Ed25519KeyPair::from_seed_unchecked(&self.seed).unwrap_or_else(|_| no_memory());
        self.prepared.get_or_init(|| Arc::new(prepare()))
    }
}

/// Ends the program as Rust does without memory: with inputs of the right length aws-lc fails for no other reason.
fn no_memory() -> ! {
    std::alloc::handle_alloc_error(std::alloc::Layout::new::<Ed25519KeyPair>())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey, Verifier as _, VerifyingKey};
    use proptest::prelude::*;

    use super::*;

    /// Whether a second implementation takes the signature.
    fn verifies_elsewhere(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify(message, &signature).is_ok())
    }

    proptest! {
        #[test]
        fn signatures_are_those_of_a_second_implementation(seed: [u8; 32], message: Vec<u8>) {
            let (ours, theirs) = (Ed25519PrivateKey::from_bytes(seed), SigningKey::from_bytes(&seed));
            prop_assert_eq!(ours.public_key().to_bytes(), theirs.verifying_key().to_bytes());
            let signature = ours.sign(&message);
            prop_assert_eq!(signature, theirs.sign(&message).to_bytes());
            prop_assert!(ours.public_key().verify(&message, &signature));
        }

        #[test]
        fn what_is_changed_is_taken_by_neither(seed: [u8; 32], place in 0..96_usize, bit in 0..8_u8) {
            let key = Ed25519PrivateKey::from_bytes(seed);
            let (mut public, mut signature) = (key.public_key().to_bytes(), key.sign(b"message"));
            match place.checked_sub(64) {
                Some(place) => public[place] ^= 1 << bit,
                None => signature[place] ^= 1 << bit,
            }
            let taken = Ed25519PublicKey::from_bytes(public).verify(b"message", &signature);
            prop_assert!(!taken);
            prop_assert!(!verifies_elsewhere(&public, b"message", &signature));
        }

        #[test]
        fn any_bytes_are_a_key_that_verifies_nothing(public: [u8; 32], signature: [u8; 32], rest: [u8; 32]) {
            let mut whole = [0; 64];
            whole[..32].copy_from_slice(&signature);
            whole[32..].copy_from_slice(&rest);
            prop_assert!(!Ed25519PublicKey::from_bytes(public).verify(b"message", &whole));
        }
    }
}
