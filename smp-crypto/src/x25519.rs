//! X25519 key agreement keys (RFC 7748; spec chapter `1-primitives.md`).
//!
//! aws-lc does the arithmetic: constant-time assembly that is proven to be right (s2n-bignum). It is compared with x25519-dalek in
//! `tests/x25519_differential.rs`, and wipes what it frees.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};

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
pub struct X25519PrivateKey {
    bytes: [u8; 32],
    /// For aws-lc, which computes the public key with it: once, when it is needed.
    #[zeroize(skip)]
    prepared: OnceLock<Option<Arc<agreement::PrivateKey>>>,
}

private_key_encodings!(X25519PrivateKey, Algorithm::X25519, 32, 48);

impl X25519PrivateKey {
    /// The key with these raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, prepared: OnceLock::new() }
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The public key of this one.
    #[must_use]
    pub fn public_key(&self) -> X25519PublicKey {
        let known = self.prepared().and_then(|key| key.compute_public_key().ok());
        let known = known.and_then(|key| key.as_ref().try_into().ok());
        X25519PublicKey(known.unwrap_or_else(|| crrl::x25519::x25519_base(&self.bytes)))
    }

    /// The secret shared with the owner of a public key.
    ///
    /// The protocol does not refuse any public key: one of low order, such as all zeros, gives the all zero secret.
    #[must_use]
    pub fn agree(&self, public: &X25519PublicKey) -> DhSecret {
        let agreed = self.prepared().and_then(|key| {
            let public = UnparsedPublicKey::new(&X25519, &public.0);
            agreement::agree(key, public, (), |secret| secret.try_into().map_err(drop)).ok()
        });
        // aws-lc refuses what gives all zeros.
        DhSecret::from_bytes(agreed.unwrap_or_else(|| crrl::x25519::x25519(&public.0, &self.bytes)))
    }

    fn prepared(&self) -> Option<&agreement::PrivateKey> {
        let prepare = || agreement::PrivateKey::from_private_key(&X25519, &self.bytes).ok().map(Arc::new);
        self.prepared.get_or_init(prepare).as_deref()
    }
}
