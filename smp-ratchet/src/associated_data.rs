//! Associated data: the keys that the connection began with, authenticated with every message.

use smp_crypto::x448::X448PublicKey;

/// `AD`: the raw first public key of the side that joined, then the first one of the side that invited. 112 bytes.
///
/// It is the same on both sides and never changes, unless the ratchet is agreed anew.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct AssociatedData([u8; Self::SIZE]);

impl AssociatedData {
    /// Size in bytes.
    pub const SIZE: usize = 112;

    /// Puts the two keys together.
    #[must_use]
    pub fn new(joining: &X448PublicKey, inviting: &X448PublicKey) -> Self {
        let mut bytes = [0; Self::SIZE];
        bytes[..56].copy_from_slice(joining.as_bytes());
        bytes[56..].copy_from_slice(inviting.as_bytes());
        Self(bytes)
    }

    /// Takes the 112 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        Self(*bytes)
    }

    /// The 112 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

impl std::fmt::Debug for AssociatedData {
    /// Prints the name of the type only: the keys identify the connection.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AssociatedData(..)")
    }
}
