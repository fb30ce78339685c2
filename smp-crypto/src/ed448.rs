//! Ed448 signature keys (RFC 8032, without context; spec chapter `1-primitives.md`).

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Algorithm;
use crate::key_types::{private_key_encodings, public_key_encodings};

/// A public Ed448 key: 57 bytes, 69 in DER.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ed448PublicKey([u8; 57]);

public_key_encodings!(Ed448PublicKey, Algorithm::Ed448, 57, 69);

impl Ed448PublicKey {
    /// Size of a signature in bytes.
    pub const SIGNATURE_SIZE: usize = 114;

    /// Whether the signature was made for this message with the private key of this one.
    ///
    /// Bytes that are no point of the curve can be held as a key, but verify nothing.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 114]) -> bool {
        crrl::ed448::PublicKey::decode(&self.0).is_some_and(|key| key.verify_raw(signature, message))
    }
}

/// A private Ed448 key: 57 bytes (the seed), 73 in DER.
///
/// Only the seed is kept: what is derived from it for signing would stay in memory, as `crrl` does not overwrite it.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Ed448PrivateKey([u8; 57]);

private_key_encodings!(Ed448PrivateKey, Algorithm::Ed448, 57, 73);

impl Ed448PrivateKey {
    /// The key with these raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 57]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 57] {
        &self.0
    }

    /// The public key of this one; takes as long as a signature.
    #[must_use]
    pub fn public_key(&self) -> Ed448PublicKey {
        Ed448PublicKey(self.expanded().public_key.encode())
    }

    /// Signs a message. The same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 114] {
        self.expanded().sign_raw(message)
    }

    fn expanded(&self) -> crrl::ed448::PrivateKey {
        crrl::ed448::PrivateKey::from_seed(&self.0)
    }
}
