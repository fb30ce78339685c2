//! Errors as relays send them in `ERR` (chapter `4-commands.md`, errors). They are part of the protocol, not of this library.

mod blocked;
mod broker;
mod transport;

use std::fmt;

use thiserror::Error;

pub use blocked::{BlockingInfo, BlockingReason, ClientNotice};
pub use broker::{BrokerErrorType, NetworkError, ProxyError};
pub use transport::{HandshakeError, TransportError};

use crate::encoding::{DecodeError, Encode, Reader, lossy_text};
use crate::version::SmpVersion;

/// How deep errors of destination relays can be nested in one another when they are read.
pub const MAX_NESTING: usize = 16;

/// An error as a relay answers it: the parameters of `ERR`.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ErrorType {
    /// The block, or an authorization in it, is not what it should be. Close the connection.
    #[error("BLOCK")]
    Block,
    /// The session ID in a transmission is not that of this connection. Close it.
    #[error("SESSION")]
    Session,
    /// The command cannot be read or must not be sent like this: a fault of its sender.
    #[error("CMD {0}")]
    Command(CommandError),
    /// A proxy could not forward the command, or the destination relay refused it.
    #[error("PROXY {0}")]
    Proxy(Box<ProxyError>),
    /// No such queue, or a wrong key, or an ID of the wrong kind: they cannot be told apart.
    #[error("AUTH")]
    Auth,
    /// The operator of the relay blocked the queue or link. Written as `AUTH` below version 12.
    #[error("BLOCKED {0}")]
    Blocked(BlockingInfo),
    /// The command needs a service session, or does not allow a service signature.
    #[error("SERVICE")]
    Service,
    /// A forwarded command could not be decrypted.
    #[error("CRYPTO")]
    Crypto,
    /// The queue is full: try again once the recipient has read it.
    #[error("QUOTA")]
    Quota,
    /// The relay's storage failed: try again later.
    #[error("STORE {0}")]
    Store(String),
    /// There is no message to acknowledge.
    #[error("NO_MSG")]
    NoMessage,
    /// The message is longer than the version allows.
    #[error("LARGE_MSG")]
    LargeMessage,
    /// The key of the relay that was used for a forwarded command is not valid any more: ask for a new session.
    #[error("EXPIRED")]
    Expired,
    /// The relay failed: try again later.
    #[error("INTERNAL")]
    Internal,
    /// Not sent by relays, but readable.
    #[error("DUPLICATE_")]
    Duplicate,
}

/// An error of a command: `CMD`.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommandError {
    /// There is no command of this name.
    #[error("UNKNOWN")]
    Unknown,
    /// The parameters cannot be read.
    #[error("SYNTAX")]
    Syntax,
    /// The command is not allowed now, or for this role.
    #[error("PROHIBITED")]
    Prohibited,
    /// The authorization or the entity ID is missing.
    #[error("NO_AUTH")]
    NoAuth,
    /// There is an authorization or an entity ID that must not be there.
    #[error("HAS_AUTH")]
    HasAuth,
    /// The entity ID is missing.
    #[error("NO_ENTITY")]
    NoEntity,
}

impl CommandError {
    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.word() {
            b"UNKNOWN" => Ok(CommandError::Unknown),
            b"SYNTAX" => Ok(CommandError::Syntax),
            b"PROHIBITED" => Ok(CommandError::Prohibited),
            b"NO_AUTH" => Ok(CommandError::NoAuth),
            b"HAS_AUTH" => Ok(CommandError::HasAuth),
            // The second is an older name.
            b"NO_ENTITY" | b"NO_QUEUE" => Ok(CommandError::NoEntity),
            _ => Err(DecodeError::Invalid("command error")),
        }
    }
}

impl From<CommandError> for ErrorType {
    fn from(error: CommandError) -> Self {
        ErrorType::Command(error)
    }
}

impl ErrorType {
    /// Writes the error as peers of this version know it.
    pub fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        match self {
            ErrorType::Blocked(_) if version < SmpVersion::BLOCKED_ENTITY => out.extend_from_slice(b"AUTH"),
            ErrorType::Blocked(info) if version < SmpVersion::CLIENT_NOTICES => {
                ErrorType::Blocked(BlockingInfo { notice: None, ..*info }).encode_unversioned(out);
            }
            _ => self.encode_unversioned(out),
        }
    }

    /// Writes the error as it stands inside another one, where it is the same in every version.
    fn encode_unversioned(&self, out: &mut Vec<u8>) {
        match self {
            // These hold byte strings with a length.
            ErrorType::Proxy(error) => {
                out.extend_from_slice(b"PROXY ");
                error.encode(out);
            }
            // All others are written as they are shown.
            _ => write_text(self, out),
        }
    }

    /// Reads an error, up to what follows it.
    ///
    /// # Errors
    /// [`DecodeError`] if it is none that we know.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ErrorType::decode_nested(input, MAX_NESTING)
    }

    fn decode_nested(input: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"BLOCK" => ErrorType::Block,
            b"SESSION" => ErrorType::Session,
            b"CMD" => ErrorType::Command(CommandError::decode(after_space(input)?)?),
            b"PROXY" => ErrorType::Proxy(Box::new(ProxyError::decode(after_space(input)?, depth)?)),
            b"AUTH" => ErrorType::Auth,
            b"BLOCKED" => ErrorType::Blocked(BlockingInfo::decode(after_space(input)?)?),
            b"SERVICE" => ErrorType::Service,
            b"CRYPTO" => ErrorType::Crypto,
            b"QUOTA" => ErrorType::Quota,
            b"STORE" => ErrorType::Store(lossy_text(after_space(input)?.rest())),
            b"NO_MSG" => ErrorType::NoMessage,
            b"LARGE_MSG" => ErrorType::LargeMessage,
            b"EXPIRED" => ErrorType::Expired,
            b"INTERNAL" => ErrorType::Internal,
            b"DUPLICATE_" => ErrorType::Duplicate,
            _ => return Err(DecodeError::Invalid("error")),
        })
    }
}

/// Skips the space between a name and its parameter.
pub(crate) fn after_space<'r, 'a>(input: &'r mut Reader<'a>) -> Result<&'r mut Reader<'a>, DecodeError> {
    if input.skip(b" ") { Ok(input) } else { Err(DecodeError::Invalid("separator")) }
}

/// Appends the text that is shown.
pub(crate) fn write_text(text: &impl fmt::Display, out: &mut Vec<u8>) {
    out.extend_from_slice(text.to_string().as_bytes());
}

/// For errors whose text is their encoding.
macro_rules! encode_as_text {
    ($($error:ty),+) => {$(
        impl Encode for $error {
            fn encode(&self, out: &mut Vec<u8>) {
                write_text(self, out);
            }
        }
    )+};
}

encode_as_text!(CommandError, TransportError, HandshakeError);
