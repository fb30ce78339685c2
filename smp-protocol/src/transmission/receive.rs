//! Reading whole blocks on either side.

use std::fmt;

use smp_crypto::authenticator;
use smp_crypto::hash::sha512_of_parts;

use super::authorization::{AuthorizationRef, SERVICE_SIGNATURE_BYTES};
use super::raw::{RawTransmission, Transmissions};
use crate::command::Command;
use crate::encoding::{Encode, Length};
use crate::error::{CommandError, ErrorType};
use crate::id::{CorrelationId, EntityId};
use crate::message::BrokerMessage;
use crate::session::SessionParameters;

/// A command as the relay received it. Its authorization has not been verified.
///
/// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct CommandTransmission<'a> {
    /// The answer must have the same.
    pub correlation_id: CorrelationId,
    /// The queue, link, service or proxy session; empty only where the command has none.
    pub entity_id: EntityId,
    /// Absent only where the command may come without.
    pub authorization: Option<AuthorizationRef<'a>>,
    /// The signature of a service next to the authorization.
    pub service_signature: Option<&'a [u8; SERVICE_SIGNATURE_BYTES]>,
    /// The bytes that the authorization covers, without the session ID if that is implied.
    authorized: &'a [u8],
    /// The command.
    pub command: Command<'a>,
}

impl fmt::Debug for CommandTransmission<'_> {
    /// Prints which command it is, with IDs as they print: what they authorize has them in full.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandTransmission")
            .field("correlation_id", &self.correlation_id)
            .field("entity_id", &self.entity_id)
            .field("authorized", &Length(self.authorized.len()))
            .field("command", &self.command.tag())
            .finish_non_exhaustive()
    }
}

impl CommandTransmission<'_> {
    /// How many bytes it takes in its block, without authorization: what a relay that keeps it has to keep.
    #[must_use]
    pub fn size(&self) -> usize {
        self.authorized.len()
    }

    /// Appends what the authorization covers to `out`, which a relay can use again and again.
    ///
    /// With a service signature the queue's key covers [`authorized_with_service`](super::authorized_with_service).
    pub fn write_authorized(&self, session: &SessionParameters, out: &mut Vec<u8>) {
        if session.implies_session_id() {
            session.id.encode(out);
        }
        out.extend_from_slice(self.authorized);
    }

    /// SHA-512 of what the authorization covers: all that checking an authenticator needs, without a copy of the
    /// message. Not with a service signature.
    #[must_use]
    pub fn authorized_digest(&self, session: &SessionParameters) -> [u8; authenticator::DIGEST_SIZE] {
        // At once: it would grow in several steps.
        let mut session_id = Vec::with_capacity(64);
        if session.implies_session_id() {
            session.id.encode(&mut session_id);
        }
        sha512_of_parts([session_id.as_slice(), self.authorized])
    }
}

/// A transmission that the relay does not accept, with the error to answer.
///
/// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTransmission {
    /// Empty if it could not be read.
    pub correlation_id: CorrelationId,
    /// Empty if it could not be read, and if the block, authorization or session is wrong.
    pub entity_id: EntityId,
    /// The error to answer with.
    pub error: ErrorType,
}

impl RefusedTransmission {
    fn block() -> Self {
        RefusedTransmission {
            correlation_id: CorrelationId::empty(),
            entity_id: EntityId::empty(),
            error: ErrorType::Block,
        }
    }
}

/// A message as the client received it.
///
/// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTransmission<'a> {
    /// That of the command, or empty.
    pub correlation_id: CorrelationId,
    /// The queue, link, service or proxy session; empty where the message has none.
    pub entity_id: EntityId,
    /// The message, or why it cannot be read.
    pub message: Result<BrokerMessage<'a>, ErrorType>,
}

/// Reads the commands in the content of a block. A block that cannot be read is one refusal.
pub fn read_commands<'a>(
    content: &'a [u8],
    session: &'a SessionParameters,
) -> impl Iterator<Item = Result<CommandTransmission<'a>, RefusedTransmission>> {
    each(content).map(move |transmission| read_command(transmission?, session))
}

/// Reads the messages in the content of a block. A block that cannot be read is one error.
pub fn read_messages<'a>(
    content: &'a [u8],
    session: &'a SessionParameters,
) -> impl Iterator<Item = MessageTransmission<'a>> {
    each(content).map(move |transmission| {
        let read = transmission.and_then(|transmission| read_message(transmission, session));
        read.unwrap_or_else(|refused| MessageTransmission {
            correlation_id: refused.correlation_id,
            entity_id: refused.entity_id,
            message: Err(refused.error),
        })
    })
}

/// The transmissions in a block, or one refusal of the block.
fn each(content: &[u8]) -> impl Iterator<Item = Result<&[u8], RefusedTransmission>> {
    let (transmissions, refusal) = match Transmissions::read(content) {
        Ok(transmissions) => (Some(transmissions), None),
        Err(_) => (None, Some(Err(RefusedTransmission::block()))),
    };
    transmissions.into_iter().flatten().map(Ok).chain(refusal)
}

/// Cuts a transmission into its parts and copies its IDs.
fn cut<'a>(
    transmission: &'a [u8],
    session: &SessionParameters,
) -> Result<(RawTransmission<'a>, CorrelationId, EntityId), RefusedTransmission> {
    let ids = |raw: &RawTransmission<'a>| {
        let correlation_id = CorrelationId::new(raw.correlation_id).ok()?;
        Some((correlation_id, EntityId::new(raw.entity_id).ok()?))
    };
    let raw = RawTransmission::read(transmission, session).map_err(|_| RefusedTransmission::block())?;
    let (correlation_id, entity_id) = ids(&raw).ok_or_else(RefusedTransmission::block)?;
    if !raw.is_of(session) {
        let entity_id = EntityId::empty();
        return Err(RefusedTransmission { correlation_id, entity_id, error: ErrorType::Session });
    }
    Ok((raw, correlation_id, entity_id))
}

fn read_command<'a>(
    transmission: &'a [u8],
    session: &SessionParameters,
) -> Result<CommandTransmission<'a>, RefusedTransmission> {
    let (raw, correlation_id, entity_id) = cut(transmission, session)?;
    let Ok(authorization) = AuthorizationRef::from_field(raw.authorization) else {
        return Err(RefusedTransmission { correlation_id, ..RefusedTransmission::block() });
    };
    let decode = || -> Result<Command<'a>, CommandError> {
        let command = Command::decode(raw.command, session.version)?;
        command.tag().check_credentials(authorization.is_some(), !entity_id.is_empty())?;
        Ok(command)
    };
    match decode() {
        Ok(command) => Ok(CommandTransmission {
            correlation_id,
            entity_id,
            authorization,
            service_signature: raw.service_signature,
            authorized: raw.authorized,
            command,
        }),
        Err(error) => Err(RefusedTransmission { correlation_id, entity_id, error: error.into() }),
    }
}

fn read_message<'a>(
    transmission: &'a [u8],
    session: &SessionParameters,
) -> Result<MessageTransmission<'a>, RefusedTransmission> {
    // Relays send no authorization; whatever stands in its place is not looked at.
    let (raw, correlation_id, entity_id) = cut(transmission, session)?;
    let decode = || -> Result<BrokerMessage<'a>, CommandError> {
        let message = BrokerMessage::decode(raw.command, session.version)?;
        message.tag().check_entity(!entity_id.is_empty())?;
        Ok(message)
    };
    let message = decode().map_err(ErrorType::from);
    Ok(MessageTransmission { correlation_id, entity_id, message })
}
