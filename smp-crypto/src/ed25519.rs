//! Ed25519 signature keys (RFC 8032; spec chapter `1-primitives.md`).

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

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
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| ed25519_dalek::Verifier::verify(&key, message, &signature).is_ok())
    }
}

/// A private Ed25519 key: 32 bytes (the seed), 48 in DER.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone)]
pub struct Ed25519PrivateKey(SigningKey);

private_key_encodings!(Ed25519PrivateKey, Algorithm::Ed25519, 32, 48);

impl Ed25519PrivateKey {
    /// The key with these raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&bytes))
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key of this one.
    #[must_use]
    pub fn public_key(&self) -> Ed25519PublicKey {
        Ed25519PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a message. The same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}
