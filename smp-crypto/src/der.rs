//! DER encodings of keys: SubjectPublicKeyInfo and PKCS#8 version 1 (RFC 8410; spec chapter `1-primitives.md`).
//!
//! With the four algorithms of the protocol both encodings are a constant followed by the raw key. DER is unique, so
//! comparing with that constant is a complete parser, and a strict one.

use std::fmt;

/// Algorithm of a key.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Key agreement on Curve25519 (RFC 7748), keys of 32 bytes.
    X25519,
    /// Key agreement on Curve448 (RFC 7748), keys of 56 bytes.
    X448,
    /// Signatures on edwards25519 (RFC 8032), keys of 32 bytes.
    Ed25519,
    /// Signatures on edwards448 (RFC 8032), keys of 57 bytes.
    Ed448,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::X25519, Self::X448, Self::Ed25519, Self::Ed448];

    /// Size of raw keys, private and public alike, in bytes.
    #[must_use]
    pub const fn key_size(self) -> usize {
        match self {
            Self::X25519 | Self::Ed25519 => 32,
            Self::X448 => 56,
            Self::Ed448 => 57,
        }
    }

    /// Last byte of the object identifier 1.3.101.x.
    const fn oid_end(self) -> u8 {
        match self {
            Self::X25519 => 0x6e,
            Self::X448 => 0x6f,
            Self::Ed25519 => 0x70,
            Self::Ed448 => 0x71,
        }
    }

    // All lengths stay below 128, so each takes one byte and `as u8` cuts nothing off.
    pub(crate) const fn public_prefix(self) -> [u8; PUBLIC_PREFIX] {
        let size = self.key_size() as u8;
        [0x30, size + 10, 0x30, 5, 0x06, 3, 0x2b, 0x65, self.oid_end(), 0x03, size + 1, 0]
    }

    pub(crate) const fn private_prefix(self) -> [u8; PRIVATE_PREFIX] {
        let size = self.key_size() as u8;
        let oid_end = self.oid_end();
        [0x30, size + 14, 0x02, 1, 0, 0x30, 5, 0x06, 3, 0x2b, 0x65, oid_end, 0x04, size + 2, 0x04, size]
    }

    /// Splits the DER of a public key into algorithm and raw key.
    pub(crate) fn split_public(der: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|a| Some((a, a.strip(der, &a.public_prefix())?)))
    }

    /// Splits the DER of a private key into algorithm and raw key.
    pub(crate) fn split_private(der: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|a| Some((a, a.strip(der, &a.private_prefix())?)))
    }

    fn strip<'a>(self, der: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
        der.strip_prefix(prefix).filter(|key| key.len() == self.key_size())
    }
}

/// Bytes before the raw key in the DER of a public key.
pub(crate) const PUBLIC_PREFIX: usize = 12;
/// Bytes before the raw key in the DER of a private key.
pub(crate) const PRIVATE_PREFIX: usize = 16;
