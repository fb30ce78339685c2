//! Bodies of `MSG`.

use std::borrow::Cow;

use smp_crypto::crypto_box::TAG_SIZE;
use smp_crypto::padding::{self, LENGTH_SIZE};
use smp_crypto::{BoxKey, Nonce, OpenError, TooLongError};

use super::BodyError;
use crate::command::MessageFlags;
use crate::encoding::{Decode, DecodeError, Encode, Reader, UnixSeconds};
use crate::error::after_space;
use crate::id::MessageId;

/// The most bytes in a body that a relay delivers, in any version.
pub const MAX_BODY: usize = 16088;
/// To what length the content is padded, in every version.
pub const RECEIVED_PADDED_LENGTH: usize = 16106;
/// Bytes in the body of `MSG`.
pub const RECEIVED_ENCRYPTED_LENGTH: usize = TAG_SIZE + RECEIVED_PADDED_LENGTH;

/// The plaintext of `MSG`, as the relay made it for the recipient of a queue.
///
/// Source: section 5.2 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceivedBody<'a> {
    /// A message of the sender.
    Message {
        /// When the relay received it.
        time: UnixSeconds,
        /// The flags of `SEND`.
        flags: MessageFlags,
        /// The body of `SEND`: a [`ClientEnvelope`](super::ClientEnvelope).
        body: Cow<'a, [u8]>,
    },
    /// The mark that the queue was full; the sender can go on now.
    Quota {
        /// When the sender was first refused.
        time: UnixSeconds,
    },
}

impl<'a> ReceivedBody<'a> {
    /// Appends the box to `out`. `key` was agreed in `NEW` and `IDS`; the message ID is the nonce.
    ///
    /// # Errors
    /// [`TooLongError`] if the body has more than [`MAX_BODY`] bytes; then `out` is unchanged.
    pub fn seal_into(&self, key: &BoxKey, id: &MessageId, out: &mut Vec<u8>) -> Result<(), TooLongError> {
        if let ReceivedBody::Message { body, .. } = self
            && body.len() > MAX_BODY
        {
            return Err(TooLongError { length: body.len(), limit: MAX_BODY });
        }
        let start = out.len();
        out.reserve(RECEIVED_ENCRYPTED_LENGTH);
        out.resize(start + TAG_SIZE + LENGTH_SIZE, 0);
        self.encode(out);
        let content_length = out.len() - start - TAG_SIZE - LENGTH_SIZE;
        out.resize(start + RECEIVED_ENCRYPTED_LENGTH, 0);
        padding::pad_in_place(&mut out[start + TAG_SIZE..], content_length)?;
        key.seal_in_place(&nonce(id), &mut out[start..])
    }

    /// Decrypts the box in place and reads it.
    ///
    /// # Errors
    /// [`BodyError::Open`], [`BodyError::Decode`].
    pub fn open_in_place(key: &BoxKey, id: &MessageId, body: &'a mut [u8]) -> Result<Self, BodyError> {
        let padded = key.open_in_place(&nonce(id), body)?;
        let content = padding::unpad(padded).map_err(|_| OpenError::Padding)?;
        Ok(crate::encoding::from_bytes(content)?)
    }

    /// Decrypts the box and reads it, with an own copy of the body.
    ///
    /// # Errors
    /// [`BodyError::Open`], [`BodyError::Decode`].
    pub fn open(key: &BoxKey, id: &MessageId, body: &[u8]) -> Result<ReceivedBody<'static>, BodyError> {
        let mut copy = body.to_vec();
        ReceivedBody::open_in_place(key, id, &mut copy).map(ReceivedBody::into_owned)
    }

    /// The same with its own copy of the body.
    pub fn into_owned(self) -> ReceivedBody<'static> {
        match self {
            ReceivedBody::Message { time, flags, body } => {
                ReceivedBody::Message { time, flags, body: Cow::Owned(body.into_owned()) }
            }
            ReceivedBody::Quota { time } => ReceivedBody::Quota { time },
        }
    }
}

fn nonce(id: &MessageId) -> Nonce {
    Nonce::from_slice_padded(id.as_bytes())
}

impl Encode for ReceivedBody<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ReceivedBody::Message { time, flags, body } => {
                time.encode(out);
                flags.encode(out);
                out.push(b' ');
                out.extend_from_slice(body);
            }
            ReceivedBody::Quota { time } => {
                out.extend_from_slice(b"QUOTA ");
                time.encode(out);
            }
        }
    }
}

impl<'a> Decode<'a> for ReceivedBody<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // A time may begin with the same bytes as the mark.
        let mut ahead = *input;
        if ahead.skip(b"QUOTA ")
            && let Ok(time) = ahead.read()
        {
            *input = ahead;
            return Ok(ReceivedBody::Quota { time });
        }
        let time = input.read()?;
        let flags = input.read()?;
        let body = Cow::Borrowed(after_space(input)?.rest());
        Ok(ReceivedBody::Message { time, flags, body })
    }
}
