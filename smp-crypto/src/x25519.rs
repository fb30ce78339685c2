//! X25519 key agreement keys (RFC 7748; spec chapter `1-primitives.md`).
//!
//! `crrl` does the arithmetic in constant time, in 60 % of the time that x25519-dalek takes, with which it is compared in
//! `tests/x25519_differential.rs`. It does not wipe its own stack; the types here wipe what they hold.

use crate::key_types::{private_key_encodings, public_key_encodings};
use crate::{Algorithm, DhSecret};

/// A public X25519 key: 32 bytes, 44 in DER.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct X25519PublicKey([u8; 32]);

public_key_encodings!(X25519PublicKey, Algorithm::X25519, 32, 44);

/// A private X25519 key: 32 bytes, 48 in DER.
///
/// The bytes are kept and encoded as they are; they are clamped only where they are used.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct X25519PrivateKey([u8; 32]);

private_key_encodings!(X25519PrivateKey, Algorithm::X25519, 32, 48);

impl X25519PrivateKey {
    /// The key with these raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key of this one.
    #[must_use]
    pub fn public_key(&self) -> X25519PublicKey {
        X25519PublicKey(crrl::x25519::x25519_base(&self.0))
    }

    /// The secret shared with the owner of a public key.
    ///
    /// The protocol does not refuse any public key: one of low order, such as all zeros, gives the all zero secret.
    #[must_use]
    pub fn agree(&self, public: &X25519PublicKey) -> DhSecret {
        DhSecret::from_bytes(crrl::x25519::x25519(&public.0, &self.0))
    }
}
