//! Transmissions to and from file relays: one in each block, with the session ID in it.
//!
//! ```
//! use smp_protocol::id::{CorrelationId, EntityId, SessionId};
//! use smp_protocol::xftp::command::XftpCommand;
//! use smp_protocol::xftp::session::XftpSession;
//! use smp_protocol::xftp::transmission::{command_block, read_command};
//!
//! let session = XftpSession::without_handshake(SessionId::new(&[1; 32])?);
//! let id = CorrelationId::generate(&mut rand::rng());
//! let block = command_block(&session, &id, &EntityId::empty(), &XftpCommand::Ping, |_| Ok::<_, std::fmt::Error>(None))?;
//! assert_eq!(block.len(), 16_384);
//!
//! let read = read_command(&block, &session).map_err(|refused| refused.error)?;
//! assert_eq!(read.command, XftpCommand::Ping);
//! assert_eq!(read.correlation_id, id);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use smp_crypto::TooLongError;
use smp_crypto::padding;

use super::BLOCK_BYTES;
use super::command::XftpCommand;
use super::error::XftpError;
use super::response::XftpResponse;
use super::session::XftpSession;
use crate::encoding::{DecodeError, Encode, Length, Reader};
use crate::error::CommandError;
use crate::id::{CorrelationId, EntityId};
use crate::transmission::{Authorization, AuthorizationRef, Transmissions};

/// Bytes in front of a transmission: the count, and its length.
const HEAD_BYTES: usize = 3;

/// The content does not fit in a block: send less.
const fn too_long(length: usize) -> TooLongError {
    TooLongError { length, limit: BLOCK_BYTES - padding::LENGTH_SIZE }
}

/// Why the block of a command was not made.
///
/// Source: section 12.3 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandBlockError<E> {
    /// It does not fit: there are too many recipients, send some of them later.
    #[error(transparent)]
    TooLong(TooLongError),
    /// It was not authorized.
    #[error("{0}")]
    Authorization(E),
}

/// The block of a command.
///
/// `authorize` gets the bytes that are to be authorized, for which there is
/// [`transmission::authorize`](crate::transmission::authorize).
///
/// # Errors
/// [`CommandBlockError`].
pub fn command_block<E>(
    session: &XftpSession,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    command: &XftpCommand,
    authorize: impl FnOnce(&[u8]) -> Result<Option<Authorization>, E>,
) -> Result<Vec<u8>, CommandBlockError<E>> {
    let covered = covered(session, correlation_id, entity_id, |out| command.encode(out));
    let authorization = authorize(&covered).map_err(CommandBlockError::Authorization)?;
    let field = authorization.as_ref().map_or(&[][..], Authorization::as_bytes);
    block(field, &covered).map_err(CommandBlockError::TooLong)
}

/// The block of an answer; it is sent without authorization.
///
/// # Errors
/// [`TooLongError`] if there are too many IDs in it.
pub fn response_block(
    session: &XftpSession,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    response: &XftpResponse,
) -> Result<Vec<u8>, TooLongError> {
    let covered = covered(session, correlation_id, entity_id, |out| response.encode(session.version, out));
    block(&[], &covered)
}

/// All of a transmission but its authorization, which covers it.
fn covered(
    session: &XftpSession,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    write: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    (&session.id, correlation_id, entity_id).encode(&mut out);
    write(&mut out);
    out
}

fn block(authorization: &[u8], covered: &[u8]) -> Result<Vec<u8>, TooLongError> {
    let transmission = 1 + authorization.len() + covered.len();
    let length = u16::try_from(transmission).map_err(|_| too_long(transmission))?;
    let mut content = Vec::with_capacity(HEAD_BYTES + transmission);
    // One transmission. An authorization has at most 114 bytes.
    content.push(1);
    length.encode(&mut content);
    content.push(authorization.len() as u8);
    content.extend_from_slice(authorization);
    content.extend_from_slice(covered);
    padding::pad(&content, BLOCK_BYTES)
}

/// A command as the relay received it. Its authorization has not been verified.
///
/// Source: section 12.3 (`protocol-spec/12-files.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct XftpCommandTransmission<'a> {
    /// The answer must have the same.
    pub correlation_id: CorrelationId,
    /// The chunk, as the sender of the command knows it; empty only where the command has none.
    pub entity_id: EntityId,
    /// Absent only where the command comes without.
    pub authorization: Option<AuthorizationRef<'a>>,
    /// The bytes that the authorization covers.
    pub authorized: &'a [u8],
    /// The command.
    pub command: XftpCommand,
}

impl fmt::Debug for XftpCommandTransmission<'_> {
    /// Prints which command it is, with IDs as they print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XftpCommandTransmission")
            .field("correlation_id", &self.correlation_id)
            .field("entity_id", &self.entity_id)
            .field("authorized", &Length(self.authorized.len()))
            .field("command", &self.command.tag())
            .finish_non_exhaustive()
    }
}

/// A command that cannot be read, and what the relay answers.
///
/// Source: section 12.3 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedXftpCommand {
    /// Empty if it could not be read.
    pub correlation_id: CorrelationId,
    /// Empty if it could not be read, and if the block, authorization or session is wrong.
    pub entity_id: EntityId,
    /// The error to answer with.
    pub error: XftpError,
}

impl RefusedXftpCommand {
    fn new(correlation_id: CorrelationId, error: XftpError) -> Self {
        RefusedXftpCommand { correlation_id, entity_id: EntityId::empty(), error }
    }
}

/// An answer as the client received it.
///
/// Source: section 12.3 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XftpResponseTransmission {
    /// That of the command, or empty.
    pub correlation_id: CorrelationId,
    /// That of the command, or empty.
    pub entity_id: EntityId,
    /// The answer, or why it cannot be read.
    pub response: Result<XftpResponse, XftpError>,
}

/// The parts of a transmission.
struct Parts<'a> {
    authorization: &'a [u8],
    authorized: &'a [u8],
    session_id: &'a [u8],
    correlation_id: CorrelationId,
    entity_id: EntityId,
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Cuts the transmission in a block into its parts.
    fn read(block: &'a [u8]) -> Result<Self, XftpError> {
        if block.len() != BLOCK_BYTES {
            return Err(XftpError::Block);
        }
        let content = padding::unpad(block).map_err(|_| XftpError::Block)?;
        let mut transmissions = Transmissions::read(content).map_err(|_| XftpError::Block)?;
        match (transmissions.next(), transmissions.next()) {
            (Some(transmission), None) => Parts::cut(transmission).map_err(|_| XftpError::Block),
            _ => Err(XftpError::Block),
        }
    }

    fn cut(transmission: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(transmission);
        let authorization = input.short()?;
        let authorized = input.remaining();
        Ok(Parts {
            authorization,
            authorized,
            session_id: input.short()?,
            correlation_id: input.read()?,
            entity_id: input.read()?,
            rest: input.rest(),
        })
    }
}

/// Reads the command in a block.
///
/// # Errors
/// [`RefusedXftpCommand`]: answer with that.
pub fn read_command<'a>(
    block: &'a [u8],
    session: &XftpSession,
) -> Result<XftpCommandTransmission<'a>, RefusedXftpCommand> {
    let refused = RefusedXftpCommand::new;
    let parts = Parts::read(block).map_err(|error| refused(CorrelationId::empty(), error))?;
    if parts.session_id != session.id.as_bytes() {
        return Err(refused(parts.correlation_id, XftpError::Session));
    }
    let Ok(authorization) = AuthorizationRef::from_field(parts.authorization) else {
        return Err(refused(parts.correlation_id, XftpError::Block));
    };
    let decode = || -> Result<XftpCommand, CommandError> {
        let command = XftpCommand::decode(parts.rest)?;
        command.tag().check_credentials(authorization.is_some(), !parts.entity_id.is_empty())?;
        Ok(command)
    };
    match decode() {
        Ok(command) => Ok(XftpCommandTransmission {
            correlation_id: parts.correlation_id,
            entity_id: parts.entity_id,
            authorization,
            authorized: parts.authorized,
            command,
        }),
        Err(error) => Err(RefusedXftpCommand {
            correlation_id: parts.correlation_id,
            entity_id: parts.entity_id,
            error: error.into(),
        }),
    }
}

/// Reads the answer in a block. A block that cannot be read is an answer that cannot.
#[must_use]
pub fn read_response(block: &[u8], session: &XftpSession) -> XftpResponseTransmission {
    let unreadable = |correlation_id, error| XftpResponseTransmission {
        correlation_id,
        entity_id: EntityId::empty(),
        response: Err(error),
    };
    let parts = match Parts::read(block) {
        Ok(parts) => parts,
        Err(error) => return unreadable(CorrelationId::empty(), error),
    };
    if parts.session_id != session.id.as_bytes() {
        return unreadable(parts.correlation_id, XftpError::Session);
    }
    // Relays send no authorization; whatever stands in its place is not looked at.
    let decode = || -> Result<XftpResponse, CommandError> {
        let response = XftpResponse::decode(parts.rest)?;
        response.check_entity(!parts.entity_id.is_empty())?;
        Ok(response)
    };
    let response = decode().map_err(XftpError::from);
    XftpResponseTransmission { correlation_id: parts.correlation_id, entity_id: parts.entity_id, response }
}
