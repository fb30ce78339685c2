//! The key of one message.

use smp_crypto::aes_gcm::{AesIv, AesKey, AesTag};
use smp_crypto::padding::{LENGTH_SIZE, pad, unpad};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{DecryptError, EncryptError};

/// `mk` with its initialisation vector: what opens one message body, and nothing else.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct MessageKey {
    key: AesKey,
    iv: AesIv,
}

impl MessageKey {
    /// Size of [`to_bytes`](Self::to_bytes).
    pub const SIZE: usize = 48;

    /// Puts together the 32-byte key and the 16-byte vector.
    #[must_use]
    pub fn new(key: AesKey, iv: AesIv) -> Self {
        Self { key, iv }
    }

    /// Key and vector one after the other, to be stored while the message is awaited.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::SIZE]> {
        let mut bytes = Zeroizing::new([0; Self::SIZE]);
        bytes[..32].copy_from_slice(self.key.as_bytes());
        bytes[32..].copy_from_slice(&self.iv.0);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let (mut key, mut iv) = ([0; 32], [0; 16]);
        key.copy_from_slice(&bytes[..32]);
        iv.copy_from_slice(&bytes[32..]);
        let message_key = Self::new(AesKey::from_bytes(key), AesIv(iv));
        key.zeroize();
        message_key
    }

    /// Appends the padded and encrypted body to `message` and returns its tag.
    pub(crate) fn seal(
        &self,
        associated_data: &[u8],
        plaintext: &[u8],
        padded_length: usize,
        message: &mut Vec<u8>,
    ) -> Result<AesTag, EncryptError> {
        let start = message.len();
        let too_long = |_| EncryptError::TooLong { padded_length };
        message.extend(Zeroizing::new(pad(plaintext, padded_length).map_err(too_long)?).iter());
        self.key
            .seal_in_place(&self.iv, associated_data, &mut message[start..])
            .map_err(|_| EncryptError::TooLong { padded_length })
    }

    /// Decrypts a body and takes off its padding.
    pub(crate) fn open(
        &self,
        associated_data: &[u8],
        body: &[u8],
        tag: &AesTag,
    ) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let mut text = Zeroizing::new(body.to_vec());
        self.key.open_in_place(&self.iv, associated_data, &mut text, tag).map_err(|_| DecryptError::Body)?;
        let length = unpad(&text).map_err(|_| DecryptError::Padding)?.len();
        text.drain(..LENGTH_SIZE);
        text.truncate(length);
        Ok(text)
    }
}

impl std::fmt::Debug for MessageKey {
    /// Prints the name of the type only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageKey(..)")
    }
}
