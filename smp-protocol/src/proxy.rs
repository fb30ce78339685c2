//! Commands that a proxy forwards to a destination relay: all layers (chapter `5-messages.md`, proxy).
//!
//! | step | who | function | goes into |
//! |---|---|---|---|
//! | 1 | client | [`seal_content`] with the secret of its command key and the destination's session key | `PFWD` |
//! | 2 | proxy | [`ForwardedTransmission::seal`] with the secret of its connection to the destination | `RFWD` |
//! | 3 | destination | [`ForwardedTransmission::open`], then [`open_content`] | |
//! | 4 | destination | [`seal_answer`] with the secret of step 1, then [`ForwardedResponse::seal`] with that of step 2 | `RRES` |
//! | 5 | proxy | [`ForwardedResponse::open`] | `PRES` |
//! | 6 | client | [`open_answer`] | |
//!
//! Client and destination exchange the content of a block with one transmission, made for the session of
//! proxy and destination ([`crate::session::SessionParameters`] with the session ID and version of `PKEY` and `PFWD`).
//! Nonces are correlation IDs: on the way back with their bytes in reverse order.

use std::borrow::Cow;

use smp_crypto::{BoxKey, Nonce, OpenError, TooLongError};

use crate::body::BodyError;
use crate::encoding::{Decode, DecodeError, Encode, Reader, from_bytes, to_bytes};
use crate::id::CorrelationId;
use crate::key::ProxiedCommandKey;
use crate::version::SmpVersion;

/// To what length forwarded commands and answers are padded.
pub const PROXIED_PADDED_LENGTH: usize = 16226;

/// Encrypts a command for the destination relay. `correlation_id` is that of `PFWD`, and of the command itself.
///
/// # Errors
/// [`TooLongError`] if the content has more than 16224 bytes.
pub fn seal_content(
    key: &BoxKey,
    correlation_id: &CorrelationId,
    content: &[u8],
) -> Result<Vec<u8>, TooLongError> {
    key.seal_padded(&request_nonce(correlation_id), content, PROXIED_PADDED_LENGTH)
}

/// Decrypts what [`seal_content`] made.
///
/// # Errors
/// [`OpenError`]; the destination answers with `ERR CRYPTO`.
pub fn open_content(
    key: &BoxKey,
    correlation_id: &CorrelationId,
    encrypted: &[u8],
) -> Result<Vec<u8>, OpenError> {
    key.open_padded(&request_nonce(correlation_id), encrypted)
}

/// Encrypts the answer to a command for the client. `correlation_id` is that of the command.
///
/// # Errors
/// [`TooLongError`] if the content has more than 16224 bytes.
pub fn seal_answer(
    key: &BoxKey,
    correlation_id: &CorrelationId,
    content: &[u8],
) -> Result<Vec<u8>, TooLongError> {
    key.seal_padded(&response_nonce(correlation_id), content, PROXIED_PADDED_LENGTH)
}

/// Decrypts what [`seal_answer`] made.
///
/// # Errors
/// [`OpenError`].
pub fn open_answer(
    key: &BoxKey,
    correlation_id: &CorrelationId,
    encrypted: &[u8],
) -> Result<Vec<u8>, OpenError> {
    key.open_padded(&response_nonce(correlation_id), encrypted)
}

fn request_nonce(correlation_id: &CorrelationId) -> Nonce {
    Nonce::from_slice_padded(correlation_id.as_bytes())
}

fn response_nonce(correlation_id: &CorrelationId) -> Nonce {
    request_nonce(correlation_id).reversed()
}

/// `PFWD` as a proxy passes it on.
///
/// Source: section 5.4 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedTransmission<'a> {
    /// That of `PFWD`.
    pub correlation_id: CorrelationId,
    /// The version of the command.
    pub version: SmpVersion,
    /// The client's key for this command.
    pub key: ProxiedCommandKey,
    /// The box of [`seal_content`].
    pub transmission: Cow<'a, [u8]>,
}

/// The answer of a destination relay to a proxy.
///
/// Source: section 5.4 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedResponse<'a> {
    /// That of `PFWD`.
    pub correlation_id: CorrelationId,
    /// The box of [`seal_answer`].
    pub response: Cow<'a, [u8]>,
}

impl ForwardedTransmission<'_> {
    /// Encrypts it for `RFWD`, without padding. `correlation_id` is that of `RFWD`.
    pub fn seal(&self, key: &BoxKey, correlation_id: &CorrelationId) -> Vec<u8> {
        key.seal(&request_nonce(correlation_id), &to_bytes(self))
    }

    /// Decrypts the parameter of `RFWD`.
    ///
    /// # Errors
    /// [`BodyError::Open`], [`BodyError::Decode`]; the destination answers with `ERR CRYPTO`.
    pub fn open(
        key: &BoxKey,
        correlation_id: &CorrelationId,
        encrypted: &[u8],
    ) -> Result<ForwardedTransmission<'static>, BodyError> {
        let content = key.open(&request_nonce(correlation_id), encrypted)?;
        let forwarded: ForwardedTransmission<'_> = from_bytes(&content)?;
        let transmission = Cow::Owned(forwarded.transmission.into_owned());
        Ok(ForwardedTransmission { transmission, ..forwarded })
    }
}

impl ForwardedResponse<'_> {
    /// Encrypts it for `RRES`, without padding. `correlation_id` is that of `RFWD`.
    pub fn seal(&self, key: &BoxKey, correlation_id: &CorrelationId) -> Vec<u8> {
        key.seal(&response_nonce(correlation_id), &to_bytes(self))
    }

    /// Decrypts the parameter of `RRES`.
    ///
    /// # Errors
    /// [`BodyError::Open`], [`BodyError::Decode`].
    pub fn open(
        key: &BoxKey,
        correlation_id: &CorrelationId,
        encrypted: &[u8],
    ) -> Result<ForwardedResponse<'static>, BodyError> {
        let content = key.open(&response_nonce(correlation_id), encrypted)?;
        let forwarded: ForwardedResponse<'_> = from_bytes(&content)?;
        let response = Cow::Owned(forwarded.response.into_owned());
        Ok(ForwardedResponse { response, ..forwarded })
    }
}

impl Encode for ForwardedTransmission<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.correlation_id.encode(out);
        self.version.encode(out);
        self.key.encode(out);
        out.extend_from_slice(&self.transmission);
    }
}

impl<'a> Decode<'a> for ForwardedTransmission<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ForwardedTransmission {
            correlation_id: input.read()?,
            version: input.read()?,
            key: input.read()?,
            transmission: Cow::Borrowed(input.rest()),
        })
    }
}

impl Encode for ForwardedResponse<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.correlation_id.encode(out);
        out.extend_from_slice(&self.response);
    }
}

impl<'a> Decode<'a> for ForwardedResponse<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ForwardedResponse { correlation_id: input.read()?, response: Cow::Borrowed(input.rest()) })
    }
}
