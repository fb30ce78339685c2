//! Errors of connections and handshakes.

use thiserror::Error;

use super::after_space;
use crate::encoding::{Decode, DecodeError, Reader};

/// Why a connection cannot be made or used. Sent in the third handshake message and in `PROXY BROKER TRANSPORT`.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TransportError {
    /// A block cannot be read. Close the connection.
    #[error("BLOCK")]
    BadBlock,
    /// The two sides have no version in common: one of them must be upgraded.
    #[error("VERSION")]
    Version,
    /// The content does not fit in a block, or the block cannot be decrypted.
    #[error("LARGE_MSG")]
    LargeMessage,
    /// The relay announced another session ID than that of the TLS connection: somebody is in the middle.
    #[error("SESSION")]
    BadSession,
    /// The relay sent no key, so commands cannot be authorized with an X25519 key.
    #[error("NO_AUTH")]
    NoRelayAuth,
    /// The handshake failed.
    #[error("HANDSHAKE {0}")]
    Handshake(HandshakeError),
}

/// Why a handshake failed.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// A handshake message cannot be read.
    #[error("PARSE")]
    Parse,
    /// The client wants a relay of another identity.
    #[error("IDENTITY")]
    Identity,
    /// A certificate is not the expected one, or a key is not signed with it.
    #[error("BAD_AUTH")]
    BadAuth,
    /// The relay could not register the service.
    #[error("BAD_SERVICE")]
    BadService,
}

impl Decode<'_> for TransportError {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"BLOCK" => TransportError::BadBlock,
            b"VERSION" => TransportError::Version,
            b"LARGE_MSG" => TransportError::LargeMessage,
            b"SESSION" => TransportError::BadSession,
            b"NO_AUTH" => TransportError::NoRelayAuth,
            b"HANDSHAKE" => TransportError::Handshake(after_space(input)?.read()?),
            _ => return Err(DecodeError::Invalid("transport error")),
        })
    }
}

impl Decode<'_> for HandshakeError {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"PARSE" => HandshakeError::Parse,
            b"IDENTITY" => HandshakeError::Identity,
            b"BAD_AUTH" => HandshakeError::BadAuth,
            b"BAD_SERVICE" => HandshakeError::BadService,
            _ => return Err(DecodeError::Invalid("handshake error")),
        })
    }
}

impl From<HandshakeError> for TransportError {
    fn from(error: HandshakeError) -> Self {
        TransportError::Handshake(error)
    }
}
