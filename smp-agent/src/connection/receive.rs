//! Messages that arrive in the own queues.

use super::address::ReceivedRequest;
use super::confirmation::Confirmation;
use super::incoming::SealedMessage;
use super::sync::RatchetKeys;
use super::{Connection, Effects, OldQueue, Origin, Place, Received, Role, Unreadable};
use crate::config::AgentConfig;
use crate::error::{ConnectionError, ReceiveError};
use crate::event::{Event, MessageTimes};
use rand::CryptoRng;
use smp_crypto::DhSecret;
use smp_protocol::agent::AgentEnvelope;
use smp_protocol::body::{BodyError, ClientEnvelope, ClientMessage, PrivateHeader};
use smp_protocol::encoding::from_bytes;

/// The content of a body, once the keys of the queue have opened it.
pub(crate) enum Opened {
    /// The peer's confirmation.
    Confirmation(Box<Confirmation>),
    /// A request to connect, at a contact address.
    Request(Box<ReceivedRequest>),
    /// A message for the ratchet.
    Message(SealedMessage),
    /// The peer's keys for a new ratchet.
    RatchetKeys(RatchetKeys),
    /// A confirmation after the first one: its relay repeats it, or somebody else joined too late.
    Repeated,
}

impl Opened {
    /// The hash by which a repeated message is recognised.
    pub(crate) fn hash(&self) -> Option<[u8; 32]> {
        match self {
            Self::Message(message) => Some(message.hash()),
            Self::Confirmation(_) | Self::Request(_) | Self::RatchetKeys(_) | Self::Repeated => None,
        }
    }
}

impl Connection {
    /// Opens the encryption between the sender and the recipient of the queue.
    pub(crate) fn open(&self, place: Place, body: &[u8]) -> Result<Opened, ReceiveError> {
        let queue = self.queue_at(place).ok_or(ReceiveError::Unexpected)?;
        let sealed: ClientEnvelope<'_> = from_bytes(body).map_err(|_| ReceiveError::Malformed)?;
        match (&queue.e2e_secret, sealed.key, place) {
            (None, Some(key), Place::Current) if self.role == Role::Address => {
                open_request(&sealed, queue.e2e_key.agree(&key.0))
            }
            (None, Some(key), Place::Current) => open_confirmation(&sealed, queue.e2e_key.agree(&key.0)),
            // The sender has secured the queue itself and uses it at once, without QKEY and QUSE.
            (None, Some(key), Place::Replacement) => open_first(&sealed, queue.e2e_key.agree(&key.0)),
            (Some(secret), None, _) => open_message(&sealed, secret),
            (Some(_), Some(_), _) => Ok(Opened::Repeated),
            (None, _, _) => Err(ReceiveError::Unexpected),
        }
    }

    /// Takes what was opened.
    ///
    /// # Errors
    /// Why it cannot be read. The state, which may have changed all the same, is to be stored. The caller finds out whether it is a repetition, and
    /// calls [`receive_failed`](Self::receive_failed) if not, [`repeated`](Self::repeated) if so.
    pub(crate) fn receive(
        &mut self,
        opened: Opened,
        origin: Origin,
        times: MessageTimes,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<Received, Unreadable> {
        match opened {
            Opened::Confirmation(confirmation) => {
                self.confirmed(*confirmation, config, rng, effects)?;
                Ok(Received::Taken)
            }
            Opened::Request(request) => {
                self.requested(*request, config, effects)?;
                Ok(Received::Taken)
            }
            Opened::Message(message) => self.receive_message(&message, origin, times, config, rng, effects),
            Opened::RatchetKeys(..) if origin.may_be_early() => Ok(Received::Early),
            Opened::RatchetKeys(keys) => {
                self.proven_by(origin, false, effects);
                self.ratchet_keys_received(&keys, config, rng, effects)?;
                Ok(Received::Taken)
            }
            Opened::Repeated => Ok(Received::Taken),
        }
    }

    /// A message came that was received before: perhaps in the other queue.
    pub(crate) fn repeated(&mut self, origin: Origin, effects: &mut Effects) {
        self.proven_by(origin, true, effects);
    }

    /// Anything that comes in the new queue completes a move. `all` if nothing that was sent before is missing.
    pub(super) fn proven_by(&mut self, origin: Origin, all: bool, effects: &mut Effects) {
        if origin.place == Place::Replacement {
            self.replacement_proven(all || origin.old_queue == OldQueue::Empty, effects);
        }
    }

    /// Something came that cannot be read, and is no repetition. Everybody who can write to a queue can fill it with such: it is told
    /// once, until something can be read. If it shows that the ratchets differ, they may be renewed.
    pub(crate) fn receive_failed(
        &mut self,
        unreadable: impl Into<Unreadable>,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) {
        let Unreadable { error, divergence } = unreadable.into();
        if self.condition.unreadable.replace(error.clone()).is_none() {
            effects.events.push(Event::ReceiveFailed { connection: self.id, error });
        }
        if let Some(divergence) = divergence
            && self.out_of_sync(divergence, config, rng, effects).is_err()
        {
            self.fail(ConnectionError::Encryption, effects);
        }
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

/// A request has a key of its own, and nothing in its private header: nobody secures the queue of a contact address.
fn open_request(sealed: &ClientEnvelope<'_>, e2e_secret: DhSecret) -> Result<Opened, ReceiveError> {
    let ClientMessage { header, body } = open(sealed, &e2e_secret)?;
    match (header, from_bytes(&body).map_err(|_| ReceiveError::Malformed)?) {
        (PrivateHeader::Empty, AgentEnvelope::Invitation { request, info, .. }) => {
            Ok(Opened::Request(Box::new(ReceivedRequest { request, info: info.into_owned() })))
        }
        _ => Err(ReceiveError::Unexpected),
    }
}

/// The first message in a queue: its public header has the sender's key, as that of a confirmation has.
fn open_first(sealed: &ClientEnvelope<'_>, e2e_secret: DhSecret) -> Result<Opened, ReceiveError> {
    match open_message(sealed, &e2e_secret)? {
        Opened::Message(message) => {
            Ok(Opened::Message(SealedMessage { first: Some((e2e_secret, sealed.version)), ..message }))
        }
        _ => Err(ReceiveError::Unexpected),
    }
}

fn open_message(sealed: &ClientEnvelope<'_>, e2e_secret: &DhSecret) -> Result<Opened, ReceiveError> {
    let ClientMessage { header, body } = open(sealed, e2e_secret)?;
    match (header, from_bytes(&body).map_err(|_| ReceiveError::Malformed)?) {
        (PrivateHeader::Empty, AgentEnvelope::Message { version, encrypted_message }) => {
            let encrypted = encrypted_message.into_owned();
            Ok(Opened::Message(SealedMessage { agent_version: version, encrypted, first: None }))
        }
        (PrivateHeader::Empty, AgentEnvelope::RatchetKey { version, ratchet, info }) => {
            Ok(Opened::RatchetKeys(RatchetKeys::new(version, ratchet, &info)))
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
