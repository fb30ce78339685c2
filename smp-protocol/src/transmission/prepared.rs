//! Transmissions before they are authorized.

use std::fmt;

use super::Authorization;
use crate::command::Command;
use crate::encoding::{Encode, Length};
use crate::id::{CorrelationId, EntityId};
use crate::message::BrokerMessage;
use crate::session::SessionParameters;

/// Usual length of a transmission without a long body: three IDs, a name, some keys.
const HEAD_LENGTH: usize = 256;

/// A transmission without authorization.
///
/// Source: section 3.3 (`protocol-spec/3-transmissions.md`).
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
    /// The bytes to be signed, or hashed for an authenticator.
    pub fn authorized(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes behind the authorization.
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
        body_length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let mut bytes = Vec::with_capacity(HEAD_LENGTH + body_length);
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
    let body_length = match command {
        Command::Send(_, body) | Command::RelayForward(body) => body.len(),
        Command::ProxyForward { transmission, .. } => transmission.len(),
        _ => 0,
    };
    Prepared::new(session, correlation_id, entity_id, body_length, |out| command.encode(session.version, out))
}

/// Appends the whole transmission of a command, without its length: as [`prepare`] and [`Prepared::write`], without a copy.
///
/// `authorize` gets what is to be authorized. `expected` is how many bytes its authorization is going to have; with another
/// number the result is the same, but takes a copy.
///
/// # Errors
/// That of `authorize`; then `out` is as before.
pub fn write_command<E>(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    command: &Command<'_>,
    expected: usize,
    authorize: impl FnOnce(&[u8]) -> Result<Option<Authorization>, E>,
    out: &mut Vec<u8>,
) -> Result<(), E> {
    let start = out.len();
    // The session ID must stand in front of the rest while that is authorized. Where it is implied, it stands in the place
    // of the authorization, which comes last.
    let id_length = if session.implies_session_id() { 1 + session.id.as_bytes().len() } else { 0 };
    let field_length = (1 + expected + usize::from(session.has_service_field())).max(id_length);
    let covered = start + field_length - id_length;
    out.resize(covered, 0);
    session.id.encode(out);
    correlation_id.encode(out);
    entity_id.encode(out);
    command.encode(session.version, out);
    match authorize(&out[covered..]) {
        Ok(authorization) => {
            let field = start..start + field_length;
            match &authorization {
                // The usual case: as long as was expected, and the session ID is not longer.
                Some(this) if this.length(session) == field_length => this.fill(session, &mut out[field]),
                other => {
                    let end = out.len();
                    Authorization::encode(other.as_ref(), session, out);
                    let tail = out.split_off(end);
                    out.splice(field, tail);
                }
            }
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Prepares the transmission of an answer; it is sent without authorization.
pub fn prepare_message(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    message: &BrokerMessage<'_>,
) -> Prepared {
    let body_length = match message {
        BrokerMessage::Message(_, body)
        | BrokerMessage::RelayResponse(body)
        | BrokerMessage::ProxyResponse(body) => body.len(),
        _ => 0,
    };
    Prepared::new(session, correlation_id, entity_id, body_length, |out| message.encode(session.version, out))
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

#[cfg(test)]
mod tests {
    use smp_crypto::{DhSecret, Ed448PrivateKey, Ed25519PrivateKey, Nonce, PrivateAuthKey};

    use super::*;
    use crate::command::MessageFlags;
    use crate::id::SessionId;
    use crate::transmission::{CommandKey, ServiceSigner, authorize};
    use crate::version::SmpVersion;

    #[test]
    fn written_at_once_or_in_two_steps() {
        let (corr, entity) = (CorrelationId::from([1; 24]), EntityId::from([2; 24]));
        let command = Command::Send(MessageFlags::default(), vec![3; 500].into());
        let ed25519 = PrivateAuthKey::from(Ed25519PrivateKey::from_bytes([4; 32]));
        let ed448 = PrivateAuthKey::from(Ed448PrivateKey::from_bytes([5; 57]));
        let agreed = DhSecret::from_bytes([6; 32]).box_key();
        let service_key = Ed25519PrivateKey::from_bytes([7; 32]);
        let service = ServiceSigner { fingerprint: &[8; 32], key: &service_key };
        let keys = [CommandKey::Queue(&ed25519), CommandKey::Queue(&ed448), CommandKey::Agreed(&agreed)];
        let keys =
            keys.into_iter().flat_map(|key| [Some((key, None)), Some((key, Some(service)))]).chain([None]);
        for (version, key) in keys.flat_map(|key| [6, 7, 16, 19].map(|version| (version, key))) {
            let session =
                SessionParameters { version: SmpVersion(version), id: SessionId::new(&[9; 32]).unwrap() };
            let authorize = |covered: &[u8]| {
                let nonce = Nonce::from_bytes([1; 24]);
                key.map(|(key, service)| authorize(key, None, &nonce, covered, service)).transpose()
            };
            let prepared = prepare(&session, &corr, &entity, &command);
            let mut expected = b"before".to_vec();
            prepared.write(authorize(prepared.authorized()).unwrap().as_ref(), &session, &mut expected);
            for length in [0, 64, 80, 114, 300] {
                let mut out = b"before".to_vec();
                write_command(&session, &corr, &entity, &command, length, authorize, &mut out).unwrap();
                assert_eq!(out, expected, "version {version}");
                assert_eq!(
                    write_command(&session, &corr, &entity, &command, length, |_| Err("refused"), &mut out),
                    Err("refused")
                );
                assert_eq!(out, expected);
            }
        }
    }
}
