//! AES-256-GCM (NIST SP 800-38D) with a detached tag.
//!
//! The ratchet uses 16-byte initialisation vectors, which GCM hashes to its starting counter: libraries
//! that only take 12 bytes cannot read these messages. The 12-byte form is what applications use for calls.
//! Source: `protocol-spec/1-primitives.md`.

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::array::{Array, ArraySize};
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AesGcm, KeyInit, aes::Aes256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a key.
pub const KEY_SIZE: usize = 32;
/// Bytes of an initialisation vector of the ratchet.
pub const IV_SIZE: usize = 16;
/// Bytes of the initialisation vector that SP 800-38D recommends.
pub const SHORT_IV_SIZE: usize = 12;
/// Bytes of an authentication tag.
pub const TAG_SIZE: usize = 16;

/// Why a text was not sealed or opened.
///
/// Source: section 1.9 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AesGcmError {
    /// Key, vector, associated data, ciphertext and tag do not belong together: drop the message.
    /// (The reference's `AESDecryptError`.)
    #[error("the ciphertext does not match its key, its associated data or its tag")]
    Authentication,
    /// Over 64 GiB, the most that one key and vector can encrypt: send it in parts.
    #[error("the text is longer than AES-GCM can encrypt at once")]
    TooLong,
}

/// A 32-byte AES-256 key. Use one key with one initialisation vector at most once.
///
/// Source: section 1.9 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AesKey([u8; KEY_SIZE]);

/// A 16-byte initialisation vector.
///
/// Source: section 1.9 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AesIv(pub [u8; IV_SIZE]);

/// A 12-byte initialisation vector.
///
/// Source: section 1.9 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortAesIv(pub [u8; SHORT_IV_SIZE]);

/// A 16-byte authentication tag.
///
/// Source: section 1.9 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AesTag(pub [u8; TAG_SIZE]);

impl AesKey {
    /// Takes the key's 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_SIZE]) -> Self {
        Self(bytes)
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_SIZE] {
        &self.0
    }

    /// Encrypts `text` where it lies and returns the tag over it and over `associated_data`.
    ///
    /// # Errors
    /// [`AesGcmError::TooLong`].
    pub fn seal_in_place(
        &self,
        iv: &AesIv,
        associated_data: &[u8],
        text: &mut [u8],
    ) -> Result<AesTag, AesGcmError> {
        seal::<U16>(&self.0, &iv.0.into(), associated_data, text)
    }

    /// Decrypts `text` where it lies. On error it is left as it was.
    ///
    /// # Errors
    /// [`AesGcmError::Authentication`].
    pub fn open_in_place(
        &self,
        iv: &AesIv,
        associated_data: &[u8],
        text: &mut [u8],
        tag: &AesTag,
    ) -> Result<(), AesGcmError> {
        open::<U16>(&self.0, &iv.0.into(), associated_data, text, tag)
    }

    /// [`seal_in_place`](Self::seal_in_place) with a 12-byte vector.
    ///
    /// # Errors
    /// [`AesGcmError::TooLong`].
    pub fn seal_in_place_short_iv(
        &self,
        iv: &ShortAesIv,
        associated_data: &[u8],
        text: &mut [u8],
    ) -> Result<AesTag, AesGcmError> {
        seal::<U12>(&self.0, &iv.0.into(), associated_data, text)
    }

    /// [`open_in_place`](Self::open_in_place) with a 12-byte vector.
    ///
    /// # Errors
    /// [`AesGcmError::Authentication`].
    pub fn open_in_place_short_iv(
        &self,
        iv: &ShortAesIv,
        associated_data: &[u8],
        text: &mut [u8],
        tag: &AesTag,
    ) -> Result<(), AesGcmError> {
        open::<U12>(&self.0, &iv.0.into(), associated_data, text, tag)
    }
}

fn seal<N: ArraySize>(
    key: &[u8; KEY_SIZE],
    iv: &Array<u8, N>,
    associated_data: &[u8],
    text: &mut [u8],
) -> Result<AesTag, AesGcmError> {
    let cipher = AesGcm::<Aes256, N>::new(key.into());
    match cipher.encrypt_inout_detached(iv, associated_data, text.into()) {
        Ok(tag) => Ok(AesTag(tag.into())),
        Err(_) => Err(AesGcmError::TooLong),
    }
}

fn open<N: ArraySize>(
    key: &[u8; KEY_SIZE],
    iv: &Array<u8, N>,
    associated_data: &[u8],
    text: &mut [u8],
    tag: &AesTag,
) -> Result<(), AesGcmError> {
    let cipher = AesGcm::<Aes256, N>::new(key.into());
    cipher
        .decrypt_inout_detached(iv, associated_data, text.into(), &tag.0.into())
        .map_err(|_| AesGcmError::Authentication)
}

impl PartialEq for AesKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for AesKey {}

impl std::fmt::Debug for AesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// GCM specification (McGrew, Viega), test cases 13 and 14: key and 12-byte vector of zeros.
    #[test]
    fn published_short_iv() {
        let key = AesKey::from_bytes([0; 32]);
        let tag = key.seal_in_place_short_iv(&ShortAesIv([0; 12]), &[], &mut []).unwrap();
        assert_eq!(hex::encode(tag.0), "530f8afbc74536b9a963b4f1c4cb738b");
        let mut text = [0; 16];
        let tag = key.seal_in_place_short_iv(&ShortAesIv([0; 12]), &[], &mut text).unwrap();
        assert_eq!(hex::encode(text), "cea7403d4d606b6e074ec5d3baf39d18");
        assert_eq!(hex::encode(tag.0), "d0d1c8a799996bf0265b98b5d48ab919");
    }

    proptest! {
        #[test]
        fn opens_what_was_sealed_and_nothing_else(
            key: [u8; 32], iv: [u8; 16], short_iv: [u8; 12],
            ad: Vec<u8>, text: Vec<u8>, flip in any::<prop::sample::Index>(),
        ) {
            let key = AesKey::from_bytes(key);
            let mut sealed = text.clone();
            let tag = key.seal_in_place(&AesIv(iv), &ad, &mut sealed).unwrap();
            let mut opened = sealed.clone();
            key.open_in_place(&AesIv(iv), &ad, &mut opened, &tag).unwrap();
            prop_assert_eq!(&opened, &text);

            let mut bad_tag = tag;
            bad_tag.0[flip.index(16)] ^= 1;
            let mut kept = sealed.clone();
            prop_assert_eq!(
                key.open_in_place(&AesIv(iv), &ad, &mut kept, &bad_tag),
                Err(AesGcmError::Authentication)
            );
            prop_assert_eq!(kept, sealed);

            let mut sealed = text.clone();
            let tag = key.seal_in_place_short_iv(&ShortAesIv(short_iv), &ad, &mut sealed).unwrap();
            key.open_in_place_short_iv(&ShortAesIv(short_iv), &ad, &mut sealed, &tag).unwrap();
            prop_assert_eq!(sealed, text);
        }
    }

    #[test]
    fn debug_hides_the_key() {
        assert_eq!(format!("{:?}", AesKey::from_bytes([7; 32])), "AesKey(..)");
    }
}
