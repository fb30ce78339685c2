//! Boxes: XSalsa20-Poly1305 (NaCl's `crypto_box` after the key agreement; spec chapter `1-primitives.md`).
//!
//! A box is the tag (16 bytes), then the ciphertext, which is as long as what was encrypted.
//!
//! The protocol has *one* function where NaCl has two. Its `secret_box` is not NaCl's: the key, too, goes
//! through HSalsa20 first, as the output of the key agreement does in `crypto_box`. So a 32 byte key of either origin,
//! [`DhSecret`] or [`SecretBoxKey`], becomes a [`BoxKey`], and that seals and opens. HSalsa20 is cheap, X25519 is
//! not: keep the `BoxKey` of a key pair that is used more than once.
//!
//! | sealing | opening | for |
//! |---|---|---|
//! | [`seal`](BoxKey::seal) | [`open`](BoxKey::open) | boxes of their own |
//! | [`seal_padded`](BoxKey::seal_padded) | [`open_padded`](BoxKey::open_padded) | content that is [padded](crate::padding) first |
//! | [`seal_in_place`](BoxKey::seal_in_place) | [`open_in_place`](BoxKey::open_in_place) | a buffer that holds the whole box |
//! | [`seal_detached`](BoxKey::seal_detached) | [`open_detached`](BoxKey::open_detached) | a buffer of the content, the tag elsewhere |
//!
//! The last two pairs do not allocate. The cipher is `dryoc`, which is several times as fast as RustCrypto's on blocks; a test
//! compares the two on random input.

use dryoc::classic::crypto_box::{
    crypto_box_detached_afternm_inplace, crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::crypto_core_hsalsa20;

use crate::padding::{self, LENGTH_SIZE};
use crate::secret_bytes;
use crate::{Nonce, OpenError, TooLongError};

/// Size of the tag of a box in bytes.
pub const TAG_SIZE: usize = 16;

/// The tag of a box.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
pub type Tag = [u8; TAG_SIZE];

secret_bytes!(
    /// Output of X25519: 32 bytes.
    ///
    /// Source: section 1.6 (`protocol-spec/1-primitives.md`).
    DhSecret, 32
);

secret_bytes!(
    /// A key for the protocol's `secret_box`: 32 bytes that were derived or chosen at random.
    ///
    /// Source: section 1.6 (`protocol-spec/1-primitives.md`).
    SecretBoxKey, 32
);

secret_bytes!(
    /// A key ready for sealing and opening boxes: HSalsa20 of a [`DhSecret`] or [`SecretBoxKey`].
    ///
    /// Source: section 1.6 (`protocol-spec/1-primitives.md`).
    BoxKey, 32
);

impl DhSecret {
    /// The key for boxes between the owners of the two keys that were agreed.
    #[must_use]
    pub fn box_key(&self) -> BoxKey {
        BoxKey::derive(self.as_bytes())
    }
}

impl SecretBoxKey {
    /// A new random key.
    pub fn generate(rng: &mut (impl rand::CryptoRng + ?Sized)) -> Self {
        let mut key = Self([0; Self::SIZE]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// For writing a derived key into its place, so that no copy of it is left on the stack.
    pub(crate) const fn as_mut_bytes(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }

    /// The key for boxes.
    #[must_use]
    pub fn box_key(&self) -> BoxKey {
        BoxKey::derive(self.as_bytes())
    }
}

impl BoxKey {
    fn derive(key: &[u8; 32]) -> Self {
        let mut derived = Self([0; Self::SIZE]);
        crypto_core_hsalsa20(&mut derived.0, &[0; 16], key, None);
        derived
    }

    /// Seals `plaintext`; the box is 16 bytes longer.
    #[must_use]
    pub fn seal(&self, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
        let mut boxed = Vec::with_capacity(TAG_SIZE + plaintext.len());
        boxed.extend_from_slice(&[0; TAG_SIZE]);
        boxed.extend_from_slice(plaintext);
        self.seal_after_tag(nonce, &mut boxed);
        boxed
    }

    /// Opens a box.
    ///
    /// # Errors
    ///
    /// [`OpenError::Damaged`].
    pub fn open(&self, nonce: &Nonce, boxed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (tag, ciphertext) = boxed.split_first_chunk().ok_or(OpenError::Damaged)?;
        let mut content = ciphertext.to_vec();
        self.open_detached(nonce, &mut content, tag)?;
        Ok(content)
    }

    /// Pads `content` to `padded_length` bytes and seals that; the box is 16 bytes longer than `padded_length`.
    ///
    /// # Errors
    ///
    /// [`TooLongError`] if the content does not fit.
    pub fn seal_padded(
        &self,
        nonce: &Nonce,
        content: &[u8],
        padded_length: usize,
    ) -> Result<Vec<u8>, TooLongError> {
        padding::check(content.len(), padded_length)?;
        let mut boxed = vec![0; TAG_SIZE + padded_length];
        boxed[TAG_SIZE + LENGTH_SIZE..][..content.len()].copy_from_slice(content);
        padding::pad_in_place(&mut boxed[TAG_SIZE..], content.len())?;
        self.seal_after_tag(nonce, &mut boxed);
        Ok(boxed)
    }

    /// Opens a box of padded content.
    ///
    /// # Errors
    ///
    /// [`OpenError::Damaged`], and [`OpenError::Padding`] if it opens but is not padded content.
    pub fn open_padded(&self, nonce: &Nonce, boxed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut padded = self.open(nonce, boxed)?;
        let content = padding::unpad(&padded).map_err(|_| OpenError::Padding)?.len();
        padded.truncate(LENGTH_SIZE + content);
        padded.drain(..LENGTH_SIZE);
        Ok(padded)
    }

    /// Seals the bytes after the first 16 of `buffer`, where the tag is put: then the buffer is the box.
    ///
    /// # Errors
    ///
    /// [`TooLongError`] if the buffer has no room for the tag.
    pub fn seal_in_place(&self, nonce: &Nonce, buffer: &mut [u8]) -> Result<(), TooLongError> {
        if buffer.len() < TAG_SIZE {
            return Err(TooLongError { length: TAG_SIZE, limit: buffer.len() });
        }
        self.seal_after_tag(nonce, buffer);
        Ok(())
    }

    /// Opens the box that `buffer` is and returns the content, which takes the place of the ciphertext.
    ///
    /// # Errors
    ///
    /// [`OpenError::Damaged`]; then the buffer is left as it was.
    pub fn open_in_place<'a>(&self, nonce: &Nonce, buffer: &'a mut [u8]) -> Result<&'a mut [u8], OpenError> {
        let (tag, ciphertext) = buffer.split_first_chunk_mut().ok_or(OpenError::Damaged)?;
        self.open_detached(nonce, ciphertext, tag)?;
        Ok(ciphertext)
    }

    /// Encrypts `buffer` in place and returns the tag.
    #[must_use]
    pub fn seal_detached(&self, nonce: &Nonce, buffer: &mut [u8]) -> Tag {
        let mut tag = [0; TAG_SIZE];
        crypto_box_detached_afternm_inplace(buffer, &mut tag, nonce.as_bytes(), &self.0);
        tag
    }

    /// Compares the tag, in constant time, and decrypts `buffer` in place.
    ///
    /// # Errors
    ///
    /// [`OpenError::Damaged`]; then the buffer is left as it was.
    pub fn open_detached(&self, nonce: &Nonce, buffer: &mut [u8], tag: &Tag) -> Result<(), OpenError> {
        crypto_box_open_detached_afternm_inplace(buffer, tag, nonce.as_bytes(), &self.0)
            .map_err(|_| OpenError::Damaged)
    }

    /// The buffer has at least 16 bytes.
    fn seal_after_tag(&self, nonce: &Nonce, buffer: &mut [u8]) {
        let (tag, content) = buffer.split_at_mut(TAG_SIZE);
        tag.copy_from_slice(&self.seal_detached(nonce, content));
    }
}
