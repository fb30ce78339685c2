//! Messages of the peer's agent, once the keys of their queue have opened them.

use super::origin::FirstKeys;
use super::sync::Divergence;
use super::{
    Connection, Effects, Origin, OutgoingKind, Phase, Receipt, Received, Role, StateError, Unreadable,
};
use crate::config::AgentConfig;
use crate::error::ReceiveError;
use crate::event::{Event, Integrity, MessageOrigin, MessageTimes};
use crate::stages::SyncState;
use rand::CryptoRng;
use smp_protocol::agent::{AMessage, AgentMessage, MessageHeader, SenderQueueAddress, message_hash};
use smp_protocol::encoding::from_bytes;
use smp_protocol::version::AgentVersion;
use smp_ratchet::{DecryptError, Decrypted, SkippedChange};
use zeroize::Zeroizing;

/// Keys of skipped messages that are kept for one connection; the oldest go first.
pub(super) const MAX_SKIPPED_KEYS: usize = 2048;
/// Chains of which keys of skipped messages are kept: what cannot be read costs one attempt with each.
const MAX_SKIPPED_CHAINS: usize = 32;

/// An agent message, opened with the keys of its queue.
pub(crate) struct SealedMessage {
    pub(super) agent_version: AgentVersion,
    pub(super) encrypted: Vec<u8>,
    /// Of the first message in a queue for which there was no confirmation.
    pub(super) first: Option<FirstKeys>,
}

impl SealedMessage {
    /// By which a repetition is recognised.
    pub(crate) fn hash(&self) -> [u8; 32] {
        smp_crypto::hash::sha256(&self.encrypted)
    }
}

/// Times, integrity and origin of a message.
struct Arrival {
    times: MessageTimes,
    number: i64,
    hash: [u8; 32],
    integrity: Integrity,
    /// Whether the ratchet could send before.
    could_send: bool,
}

impl Connection {
    /// Takes a message of the peer's agent that is not a repetition.
    pub(super) fn receive_message(
        &mut self,
        message: &SealedMessage,
        origin: Origin,
        times: MessageTimes,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<Received, Unreadable> {
        let ratchet = self.ratchet.as_ref().ok_or(ReceiveError::Unexpected)?;
        let could_send = ratchet.can_send();
        let decrypted = match ratchet.decrypt(&message.encrypted, &self.skipped, rng) {
            Ok(decrypted) => decrypted,
            // The key that makes it readable may be in the old queue.
            Err(_) if origin.may_be_early() => return Ok(Received::Early),
            Err(error) => return Err(error.into()),
        };
        let all = self.continues(&decrypted);
        if !all && origin.may_be_early() {
            return Ok(Received::Early);
        }
        self.announced(message.agent_version, config);
        if decrypted.kem_offered {
            self.pq_offered(config);
        }
        let plaintext = self.decrypted(decrypted, effects);
        self.tell_protection(effects);
        let plaintext = plaintext?;
        if let Some((secret, version)) = &message.first
            && let Some(moving) = &mut self.moving.receive
        {
            moving.queue.confirm(secret.clone(), *version, None);
        }
        self.proven_by(origin, all, effects);
        self.message_opened(effects);
        self.readable();
        self.receive_plaintext(&plaintext, times, could_send, config, rng, effects)?;
        self.advance_moves(config, effects).map_err(|StateError| ReceiveError::Unexpected)?;
        Ok(Received::Taken)
    }

    /// Whether everything that was sent before a message has come, as far as can be told.
    fn continues(&self, decrypted: &Decrypted) -> bool {
        match &decrypted.plaintext {
            Ok(plaintext) => match from_bytes(plaintext) {
                Ok(AgentMessage::Message { header, .. }) => {
                    header.message_id.0 <= self.received.next_number()
                }
                _ => true,
            },
            Err(DecryptError::TooManySkipped(_)) => false,
            Err(_) => true,
        }
    }

    /// The ratchet has moved, even if the body is damaged.
    pub(super) fn decrypted(
        &mut self,
        decrypted: Decrypted,
        effects: &mut Effects,
    ) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        self.advance_ratchet(decrypted.ratchet);
        self.skipped.apply(decrypted.skipped.clone());
        effects.skipped.push(decrypted.skipped);
        let oldest = self.skipped.limit(MAX_SKIPPED_KEYS, MAX_SKIPPED_CHAINS);
        effects.skipped.extend(oldest.into_iter().map(SkippedChange::Removed));
        decrypted.plaintext
    }

    fn receive_plaintext(
        &mut self,
        plaintext: &[u8],
        times: MessageTimes,
        could_send: bool,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let Ok(AgentMessage::Message { header, message }) = from_bytes(plaintext) else {
            return Err(ReceiveError::Malformed);
        };
        let hash = message_hash(plaintext);
        let MessageHeader { message_id, previous_hash } = header;
        let Some(integrity) = self.received.check(message_id.0, previous_hash.as_bytes(), &hash) else {
            // It came in another encryption.
            return Ok(());
        };
        self.received.append(message_id.0, hash);
        let arrival = Arrival { times, number: message_id.0, hash, integrity, could_send };
        self.dispatch(message, &arrival, config, rng, effects)
    }

    fn dispatch(
        &mut self,
        message: AMessage<'_>,
        arrival: &Arrival,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        match message {
            AMessage::Message(body) => {
                let Arrival { times, integrity, number, hash, .. } = *arrival;
                let (connection, id) = (self.id, self.next_message());
                let origin = MessageOrigin { number, hash };
                let body = body.into_owned();
                self.undelivered = self.undelivered.saturating_add(1);
                effects.events.push(Event::Message { connection, id, body, times, integrity, origin });
                Ok(())
            }
            AMessage::Hello => self.hello(config, effects),
            AMessage::Received(receipts) => {
                let receipts = receipts.iter().map(|receipt| Receipt {
                    number: receipt.message_id.0,
                    hash: receipt.message_hash.as_bytes().to_vec(),
                });
                effects.receipts.extend(receipts);
                Ok(())
            }
            AMessage::QueueContinue(queue) => {
                effects.resume = self.sends_to(&queue);
                Ok(())
            }
            AMessage::QueueAdd(offers) => self.queue_add(&offers, config, rng, effects),
            AMessage::QueueKey(keys) => self.queue_key(&keys, config, effects),
            AMessage::QueueUse(ready) => self.queue_use(&ready, effects),
            // It has done its part by coming.
            AMessage::QueueTest(_) => Ok(()),
            AMessage::RatchetReady(last) => {
                self.catch_up(last.0, !arrival.could_send, arrival.integrity, effects);
                self.ratchet_ready(last.0, !arrival.could_send, config, effects)
            }
        }
    }

    fn sends_to(&self, queue: &SenderQueueAddress) -> bool {
        self.send_queue().is_some_and(|send| send.sender_id == queue.sender_id)
    }

    /// The older procedure ends with HELLO of the joiner, then of the initiator (chapter 6).
    fn hello(&mut self, config: &AgentConfig, effects: &mut Effects) -> Result<(), ReceiveError> {
        match (self.role, self.phase) {
            (Role::Joiner, Phase::AwaitingHello) => {
                self.connected(effects);
                Ok(())
            }
            // It may come before the answer of the relay that has taken our confirmation.
            (Role::Initiator, Phase::Replying | Phase::AwaitingHello) => {
                self.send_agent_message(&AMessage::Hello, OutgoingKind::Hello, config, effects)
                    .map_err(|StateError| ReceiveError::Unexpected)?;
                self.phase = Phase::SendingHello;
                Ok(())
            }
            _ => Err(ReceiveError::Unexpected),
        }
    }
}

impl From<DecryptError> for Unreadable {
    fn from(error: DecryptError) -> Self {
        let (error, state, copied) = match error {
            DecryptError::TooManySkipped(_) => (ReceiveError::TooManySkipped, SyncState::Required, true),
            DecryptError::Header => (ReceiveError::Decryption, SyncState::Required, true),
            // Other content under a number that was used.
            DecryptError::Duplicate | DecryptError::Earlier(_) => {
                (ReceiveError::Decryption, SyncState::Allowed, true)
            }
            DecryptError::Body => (ReceiveError::Decryption, SyncState::Allowed, false),
            DecryptError::Malformed | DecryptError::KemState | DecryptError::Padding => {
                return ReceiveError::Malformed.into();
            }
        };
        Self { error, divergence: Some(Divergence { state, copied }) }
    }
}
