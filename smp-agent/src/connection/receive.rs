//! What arrives in the own queue.

use super::confirmation::Confirmation;
use super::message::SealedMessage;
use super::{Connection, Effects};
use crate::config::AgentConfig;
use crate::error::ReceiveError;
use crate::event::{Event, MessageTimes};
use rand::CryptoRng;
use smp_crypto::DhSecret;
use smp_protocol::agent::AgentEnvelope;
use smp_protocol::body::{BodyError, ClientEnvelope, ClientMessage, PrivateHeader};
use smp_protocol::encoding::from_bytes;

/// What was in a body, once the keys of the queue have opened it.
pub(crate) enum Opened {
    /// The peer's confirmation.
    Confirmation(Box<Confirmation>),
    /// A message for the ratchet.
    Message(SealedMessage),
    /// A confirmation after the first one: its relay repeats it, or somebody else joined too late.
    Repeated,
}

impl Connection {
    /// Opens the encryption between the sender and the recipient of the queue.
    pub(crate) fn open(&self, body: &[u8]) -> Result<Opened, ReceiveError> {
        let queue = self.receive.as_ref().ok_or(ReceiveError::Unexpected)?;
        let sealed: ClientEnvelope<'_> = from_bytes(body).map_err(|_| ReceiveError::Malformed)?;
        match (&queue.e2e_secret, sealed.key) {
            (None, Some(key)) => open_confirmation(&sealed, queue.e2e_key.agree(&key.0)),
            (Some(secret), None) => open_message(&sealed, secret),
            (Some(_), Some(_)) => Ok(Opened::Repeated),
            (None, None) => Err(ReceiveError::Unexpected),
        }
    }

    /// Takes what was opened. What cannot be read becomes an event: the relay would only repeat it.
    pub(crate) fn receive(
        &mut self,
        opened: Opened,
        times: MessageTimes,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) {
        let result = match opened {
            Opened::Confirmation(confirmation) => self.confirmed(*confirmation, config, rng, effects),
            Opened::Message(message) => self.receive_message(&message, times, config, rng, effects),
            Opened::Repeated => Ok(()),
        };
        if let Err(error) = result {
            self.receive_failed(error, effects);
        }
    }

    pub(crate) fn receive_failed(&self, error: ReceiveError, effects: &mut Effects) {
        effects.events.push(Event::ReceiveFailed { connection: self.id, error });
    }
}

fn open_confirmation(sealed: &ClientEnvelope<'_>, e2e_secret: DhSecret) -> Result<Opened, ReceiveError> {
    let ClientMessage { header, body } = open(sealed, &e2e_secret)?;
    let sender_key = match header {
        PrivateHeader::Confirmation(key) => Some(key.0),
        PrivateHeader::Empty => None,
    };
    match from_bytes(&body).map_err(|_| ReceiveError::Malformed)? {
        AgentEnvelope::Confirmation { version, ratchet, encrypted_info } => {
            Ok(Opened::Confirmation(Box::new(Confirmation {
                agent_version: version,
                client_version: sealed.version,
                sender_key,
                e2e_secret,
                ratchet,
                encrypted_info: encrypted_info.into_owned(),
            })))
        }
        _ => Err(ReceiveError::Unexpected),
    }
}

fn open_message(sealed: &ClientEnvelope<'_>, e2e_secret: &DhSecret) -> Result<Opened, ReceiveError> {
    let ClientMessage { header, body } = open(sealed, e2e_secret)?;
    match (header, from_bytes(&body).map_err(|_| ReceiveError::Malformed)?) {
        (PrivateHeader::Empty, AgentEnvelope::Message { version, encrypted_message }) => {
            let encrypted = encrypted_message.into_owned();
            Ok(Opened::Message(SealedMessage { agent_version: version, encrypted }))
        }
        _ => Err(ReceiveError::Unexpected),
    }
}

fn open(sealed: &ClientEnvelope<'_>, e2e_secret: &DhSecret) -> Result<ClientMessage<'static>, ReceiveError> {
    sealed.open(&e2e_secret.box_key()).map_err(|error| match error {
        BodyError::Open(_) => ReceiveError::Decryption,
        _ => ReceiveError::Malformed,
    })
}
