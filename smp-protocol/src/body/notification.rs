//! Metadata of `NMSG`.

use smp_crypto::{BoxKey, Nonce, TooLongError};

use super::BodyError;
use crate::encoding::{Decode, DecodeError, Encode, Reader, ShortString, UnixSeconds, to_bytes};
use crate::id::MessageId;

/// To what length the metadata is padded.
pub const META_PADDED_LENGTH: usize = 128;

/// Which message a notification is about; only the recipient can read it.
///
/// Source: section 5.3 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationMeta {
    /// The message.
    pub message_id: MessageId,
    /// When the relay received it.
    pub time: UnixSeconds,
}

impl NotificationMeta {
    /// The box. `key` was agreed in `NKEY` and `NID`, or in `NEW` and `IDS`.
    ///
    /// # Errors
    /// [`TooLongError`] if the message ID has more than 117 bytes.
    pub fn seal(&self, key: &BoxKey, nonce: &Nonce) -> Result<ShortString<'static>, TooLongError> {
        let boxed = key.seal_padded(nonce, &to_bytes(self), META_PADDED_LENGTH)?;
        let length = boxed.len();
        ShortString::new(boxed).map_err(|error| TooLongError { length, limit: error.maximum })
    }

    /// Reads what [`NotificationMeta::seal`] made.
    ///
    /// # Errors
    /// [`BodyError::Open`], [`BodyError::Decode`].
    pub fn open(key: &BoxKey, nonce: &Nonce, boxed: &[u8]) -> Result<Self, BodyError> {
        let content = key.open_padded(nonce, boxed)?;
        Ok(crate::encoding::from_bytes(&content)?)
    }
}

impl Encode for NotificationMeta {
    fn encode(&self, out: &mut Vec<u8>) {
        self.message_id.encode(out);
        self.time.encode(out);
    }
}

impl Decode<'_> for NotificationMeta {
    /// Bytes behind the known fields are of the future: they are dropped.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let meta = NotificationMeta { message_id: input.read()?, time: input.read()? };
        input.rest();
        Ok(meta)
    }
}
