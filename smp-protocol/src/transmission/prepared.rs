//! Transmissions before they are authorized.

use std::fmt;

use super::Authorization;
use crate::command::Command;
use crate::encoding::{Encode, Length};
use crate::id::{CorrelationId, EntityId};
use crate::message::BrokerMessage;
use crate::session::SessionParameters;

/// A transmission without authorization.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The session ID, then all the rest.
    bytes: Vec<u8>,
    /// Where that begins which is sent: behind the session ID if it is implied.
    sent: usize,
}

impl fmt::Debug for Prepared {
    /// Prints the length: IDs do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?})", Length(self.bytes.len()))
    }
}

impl Prepared {
    /// What is signed, or hashed for an authenticator.
    pub fn authorized(&self) -> &[u8] {
        &self.bytes
    }

    /// What follows the authorization.
    pub fn to_send(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Appends the whole transmission, without its length.
    pub fn write(
        &self,
        authorization: Option<&Authorization>,
        session: &SessionParameters,
        out: &mut Vec<u8>,
    ) {
        Authorization::encode(authorization, session, out);
        out.extend_from_slice(self.to_send());
    }

    fn new(
        session: &SessionParameters,
        correlation_id: &CorrelationId,
        entity_id: &EntityId,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let mut bytes = Vec::new();
        session.id.encode(&mut bytes);
        let sent = if session.implies_session_id() { bytes.len() } else { 0 };
        correlation_id.encode(&mut bytes);
        entity_id.encode(&mut bytes);
        write(&mut bytes);
        Prepared { bytes, sent }
    }
}

/// Prepares the transmission of a command.
pub fn prepare(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    command: &Command<'_>,
) -> Prepared {
    Prepared::new(session, correlation_id, entity_id, |out| command.encode(session.version, out))
}

/// Prepares the transmission of an answer; it is sent without authorization.
pub fn prepare_message(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    message: &BrokerMessage<'_>,
) -> Prepared {
    Prepared::new(session, correlation_id, entity_id, |out| message.encode(session.version, out))
}

/// Appends the transmission of an answer, without its length: as [`prepare_message`] and [`Prepared::write`], without a copy.
pub fn write_message(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    message: &BrokerMessage<'_>,
    out: &mut Vec<u8>,
) {
    Authorization::encode(None, session, out);
    if !session.implies_session_id() {
        session.id.encode(out);
    }
    correlation_id.encode(out);
    entity_id.encode(out);
    message.encode(session.version, out);
}
