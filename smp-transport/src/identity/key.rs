//! Keys of certificates: [`PrivateSignatureKey`] and [`PublicSignatureKey`], Ed25519 or Ed448.

use rand::CryptoRng;
use smp_crypto::{Ed448PrivateKey, Ed25519PrivateKey, PrivateSignatureKey, PublicSignatureKey};

use super::der;

/// Algorithm of a certificate's key. Relays of both kinds exist; Ed25519 is the default and cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8032): signatures of 64 bytes.
    #[default]
    Ed25519,
    /// Ed448 (RFC 8032): signatures of 114 bytes.
    Ed448,
}

impl KeyAlgorithm {
    /// The algorithm of a public key.
    #[must_use]
    pub const fn of(key: &PublicSignatureKey) -> Self {
        match key {
            PublicSignatureKey::Ed25519(_) => Self::Ed25519,
            PublicSignatureKey::Ed448(_) => Self::Ed448,
        }
    }

    /// Makes a new private key.
    #[must_use]
    pub fn generate(self, rng: &mut (impl CryptoRng + ?Sized)) -> PrivateSignatureKey {
        match self {
            Self::Ed25519 => Ed25519PrivateKey::generate(rng).into(),
            Self::Ed448 => Ed448PrivateKey::generate(rng).into(),
        }
    }

    /// Contents of the DER object identifier (RFC 8410), without tag and length.
    pub(super) const fn object_identifier(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x2b, 0x65, 0x70],
            Self::Ed448 => &[0x2b, 0x65, 0x71],
        }
    }

    /// DER of the AlgorithmIdentifier.
    pub(super) fn identifier(self) -> Vec<u8> {
        der::sequence(&[&der::object_identifier(self.object_identifier())])
    }
}
