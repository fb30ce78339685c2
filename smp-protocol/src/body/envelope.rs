//! The body of `SEND`: a client message in the box of its queue.

use std::borrow::Cow;

use smp_crypto::{BoxKey, Nonce, TooLongError};

use super::BodyError;
use crate::encoding::{Decode, DecodeError, Encode, Reader, to_bytes};
use crate::key::{SenderAuthKey, SenderDhKey};
use crate::version::SmpClientVersion;

/// To what length a client message is padded.
pub const MESSAGE_PADDED_LENGTH: usize = 16000;
/// To what length a client message is padded if the sender's key is in front of it.
pub const CONFIRMATION_PADDED_LENGTH: usize = 15904;

/// The body of `SEND`: a public header, a nonce, and the box of a padded [`ClientMessage`].
///
/// Source: section 5.1 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEnvelope<'a> {
    /// The version that both agents agreed on for this queue.
    pub version: SmpClientVersion,
    /// The sender's part of the secret; only in the first messages, until the recipient has it.
    pub key: Option<SenderDhKey>,
    /// The nonce of the box.
    pub nonce: Nonce,
    /// The box.
    pub encrypted: Cow<'a, [u8]>,
}

/// The plaintext of the box.
///
/// Source: section 5.1 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMessage<'a> {
    /// The private header: the sender's key, if the recipient needs it.
    pub header: PrivateHeader,
    /// The message of the agent (chapter `6-agent.md`).
    pub body: Cow<'a, [u8]>,
}

/// The header inside the box.
///
/// Source: section 5.1 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateHeader {
    /// `K`: the key with which the recipient must secure the queue.
    Confirmation(SenderAuthKey),
    /// `_`: nothing.
    Empty,
}

impl ClientEnvelope<'_> {
    /// Encrypts a message. `box_key` is agreed by the sender's key and the key in the queue's address.
    ///
    /// # Errors
    /// [`TooLongError`] if the message with its header does not fit in [`MESSAGE_PADDED_LENGTH`], or with the sender's key in
    /// [`CONFIRMATION_PADDED_LENGTH`].
    pub fn seal(
        version: SmpClientVersion,
        key: Option<SenderDhKey>,
        nonce: Nonce,
        box_key: &BoxKey,
        message: &ClientMessage<'_>,
    ) -> Result<ClientEnvelope<'static>, TooLongError> {
        let padded = if key.is_some() { CONFIRMATION_PADDED_LENGTH } else { MESSAGE_PADDED_LENGTH };
        let encrypted = box_key.seal_padded(&nonce, &to_bytes(message), padded)?;
        Ok(ClientEnvelope { version, key, nonce, encrypted: Cow::Owned(encrypted) })
    }

    /// Decrypts the message.
    ///
    /// # Errors
    /// [`BodyError::Open`], [`BodyError::Decode`].
    pub fn open(&self, box_key: &BoxKey) -> Result<ClientMessage<'static>, BodyError> {
        let content = box_key.open_padded(&self.nonce, &self.encrypted)?;
        let message: ClientMessage<'_> = crate::encoding::from_bytes(&content)?;
        Ok(message.into_owned())
    }

    /// The same with its own copy of the box.
    pub fn into_owned(self) -> ClientEnvelope<'static> {
        ClientEnvelope { encrypted: Cow::Owned(self.encrypted.into_owned()), ..self }
    }
}

impl ClientMessage<'_> {
    /// The same with its own copy of the body.
    pub fn into_owned(self) -> ClientMessage<'static> {
        ClientMessage { header: self.header, body: Cow::Owned(self.body.into_owned()) }
    }
}

impl Encode for ClientEnvelope<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        self.key.encode(out);
        self.nonce.encode(out);
        out.extend_from_slice(&self.encrypted);
    }
}

impl<'a> Decode<'a> for ClientEnvelope<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ClientEnvelope {
            version: input.read()?,
            key: input.read()?,
            nonce: input.read()?,
            encrypted: Cow::Borrowed(input.rest()),
        })
    }
}

impl Encode for ClientMessage<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.header {
            PrivateHeader::Confirmation(key) => {
                out.push(b'K');
                key.encode(out);
            }
            PrivateHeader::Empty => out.push(b'_'),
        }
        out.extend_from_slice(&self.body);
    }
}

impl<'a> Decode<'a> for ClientMessage<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = match input.byte()? {
            b'K' => PrivateHeader::Confirmation(input.read()?),
            b'_' => PrivateHeader::Empty,
            _ => return Err(DecodeError::Invalid("private header")),
        };
        Ok(ClientMessage { header, body: Cow::Borrowed(input.rest()) })
    }
}
