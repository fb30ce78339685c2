//! The nonce of boxes (spec chapter `1-primitives.md`).

use std::fmt;

/// A nonce of XSalsa20-Poly1305: 24 bytes.
///
/// It must not be used twice with the same key. Correlation ids and message ids serve as nonces too.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; Self::SIZE]);

impl Nonce {
    /// Size in bytes.
    pub const SIZE: usize = 24;

    /// A new random nonce.
    pub fn generate(rng: &mut (impl rand::CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; Self::SIZE];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The nonce with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self(bytes)
    }

    /// The nonce made of an id of any size: cut to 24 bytes, or filled with zeros at the end.
    #[must_use]
    pub fn from_slice_padded(id: &[u8]) -> Self {
        let mut bytes = [0; Self::SIZE];
        let used = id.len().min(Self::SIZE);
        bytes[..used].copy_from_slice(&id[..used]);
        Self(bytes)
    }

    /// The bytes in reverse order: the nonce of a proxied response to the request that had this nonce.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut bytes = self.0;
        bytes.reverse();
        Self(bytes)
    }

    /// The bytes, which are also the binary encoding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }

    /// A copy of the bytes.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; Self::SIZE] {
        self.0
    }

    /// The text form: base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        crate::base64url::encode(&self.0)
    }
}

impl fmt::Debug for Nonce {
    /// Prints the name of the type only: nonces are often ids, and ids do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn ids_of_any_size() {
        assert_eq!(Nonce::from_slice_padded(&[]).to_bytes(), [0; 24]);
        assert_eq!(Nonce::from_slice_padded(&[5; 30]).to_bytes(), [5; 24]);
        assert_eq!(Nonce::from_slice_padded(&[5; 3]).as_bytes()[..4], [5, 5, 5, 0]);
    }

    #[test]
    fn random_nonces_differ_and_do_not_print() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(3);
        let (first, second) = (Nonce::generate(&mut rng), Nonce::generate(&mut rng));
        assert_ne!(first, second);
        assert_eq!(first.reversed().reversed(), first);
        assert_eq!(format!("{first:?}"), "Nonce(..)");
    }
}
