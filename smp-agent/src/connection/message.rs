//! Messages through the ratchet, in both directions.

use super::{
    Connection, Content, Effects, Outgoing, OutgoingKind, Phase, Receipt, Role, SendQueue, SentMessage,
    StateError,
};
use crate::config::AgentConfig;
use crate::error::{AgentError, ReceiveError};
use crate::event::{Event, MessageOrigin, MessageTimes};
use crate::id::MessageId;
use rand::CryptoRng;
use smp_protocol::agent::{
    AMessage, AgentMessage, AgentMessageId, MessageHeader, MessageReceipt, SenderQueueAddress, message_hash,
    message_length,
};
use smp_protocol::encoding::{LargeString, NonEmpty, ShortString, from_bytes, to_bytes};
use smp_protocol::version::AgentVersion;
use smp_ratchet::{DecryptError, EncryptOptions, MessageSeal, Prepared, SkippedChange};
use zeroize::Zeroizing;

/// From this version on the initiator reads messages before its application has accepted the joiner.
const EARLY_MESSAGES: AgentVersion = AgentVersion(7);
/// From this version on there are receipts.
const RECEIPTS: AgentVersion = AgentVersion(4);
/// Keys of skipped messages that are kept for one connection; the oldest go first.
pub(super) const MAX_SKIPPED_KEYS: usize = 2048;
/// Chains of which keys of skipped messages are kept: what cannot be read costs one attempt with each.
const MAX_SKIPPED_CHAINS: usize = 32;
/// What an application message is encoded with, in bytes: length of the padding, kind, number, hash, kind.
const OVERHEAD: usize = 2 + 1 + 8 + 33 + 1;

/// An agent message, opened with the keys of its queue.
pub(crate) struct SealedMessage {
    pub(super) agent_version: AgentVersion,
    pub(super) encrypted: Vec<u8>,
}

impl SealedMessage {
    /// By which a repetition is recognised.
    pub(crate) fn hash(&self) -> [u8; 32] {
        smp_crypto::hash::sha256(&self.encrypted)
    }
}

impl Connection {
    /// Encrypts a message of the application.
    pub(crate) fn send_message(
        &mut self,
        body: &[u8],
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<MessageId, AgentError> {
        if !self.can_send() {
            return Err(AgentError::NotNow {
                connection: self.id,
                status: self.phase.status(),
                advice: "messages can be sent once it is connected",
            });
        }
        let limit = message_length(self.agent_version, self.pq_support) - OVERHEAD;
        if body.len() > limit {
            return Err(AgentError::TooLarge { size: body.len(), limit });
        }
        let message = AMessage::Message(body.into());
        self.send_agent_message(&message, OutgoingKind::Message, config, effects)
            .map_err(|StateError| AgentError::Encryption(self.id))?;
        Ok(self.last_message)
    }

    fn can_send(&self) -> bool {
        match self.phase {
            Phase::Connected => true,
            // With the fast procedure the queue is secured before the confirmation is sent.
            Phase::Confirming | Phase::AwaitingReply => {
                self.role == Role::Joiner
                    && self.agent_version >= EARLY_MESSAGES
                    && self.send.as_ref().is_some_and(SendQueue::sender_can_secure)
            }
            _ => false,
        }
    }

    /// Encrypts a receipt for a message, if the peer understands receipts.
    pub(crate) fn send_receipt(
        &mut self,
        origin: &MessageOrigin,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::Connected || self.agent_version < RECEIPTS {
            return Ok(());
        }
        let receipt = MessageReceipt {
            message_id: AgentMessageId(origin.number),
            message_hash: ShortString::new(origin.hash.to_vec()).map_err(|_| StateError)?,
            info: LargeString::default(),
        };
        let message = AMessage::Received(NonEmpty::one(receipt));
        self.send_agent_message(&message, OutgoingKind::Receipt, config, effects)
    }

    /// The own queue was full and the application has taken what was in it: the peer may send again.
    pub(crate) fn queue_drained(
        &mut self,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::Connected {
            return Ok(());
        }
        let address = self.receive.as_ref().and_then(super::ReceiveQueue::address).ok_or(StateError)?;
        let message = AMessage::QueueContinue(address.sender_queue());
        // The peer's queue may be full too: then this waits behind what waits there, and so does the peer's word for us.
        effects.resume = true;
        self.send_agent_message(&message, OutgoingKind::Continue, config, effects)
    }

    pub(super) fn send_agent_message(
        &mut self,
        message: &AMessage<'_>,
        kind: OutgoingKind,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let number = self.sent.next_number();
        let previous_hash = ShortString::new(self.sent.hash.clone()).map_err(|_| StateError)?;
        let header = MessageHeader { message_id: AgentMessageId(number), previous_hash };
        let encoded = Zeroizing::new(to_bytes(&AgentMessage::Message { header, message: message.clone() }));
        let length = message_length(self.agent_version, self.pq_support);
        let pq = (kind == OutgoingKind::Message).then_some(self.pq_support);
        let seal = self.prepare(encoded.len(), length, pq, config)?;
        let agent_version = config.versions.agent.max();
        let hash = message_hash(&encoded);
        self.sent.append(number, hash);
        let message = (kind == OutgoingKind::Message).then(|| self.next_message());
        if self.agent_version >= RECEIPTS {
            effects.sent.extend(message.map(|message| SentMessage { number, message, hash }));
        }
        let notify = kind.notifies();
        let content = Content::Message { agent_version, seal, plaintext: encoded.to_vec() };
        self.push(Outgoing { kind, message, authorized: true, notify, content }, effects);
        Ok(())
    }

    /// Takes a message of the peer's agent that is not a repetition.
    pub(crate) fn receive_message(
        &mut self,
        message: &SealedMessage,
        times: MessageTimes,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let announced = message.agent_version.min(config.versions.agent.max());
        self.agent_version = self.agent_version.max(announced);
        let plaintext = match self.decrypt(&message.encrypted, rng, effects) {
            Ok(plaintext) => plaintext,
            Err(Undecrypted::Repeated) => return Ok(()),
            Err(Undecrypted::Error(error)) => return Err(error),
        };
        let Ok(AgentMessage::Message { header, message }) = from_bytes(&plaintext) else {
            return Err(ReceiveError::Malformed);
        };
        let number = header.message_id.0;
        let Some(integrity) = self.received.check(number, header.previous_hash.as_bytes()) else {
            // It came in another encryption, perhaps for another queue.
            return Ok(());
        };
        let hash = message_hash(&plaintext);
        self.received.append(number, hash);
        match message {
            AMessage::Message(body) => {
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
            // A peer may offer to move to another queue; it goes on with the present one if nobody answers.
            AMessage::QueueAdd(_) | AMessage::QueueTest(_) | AMessage::RatchetReady(_) => Ok(()),
            AMessage::QueueKey(_) | AMessage::QueueUse(_) => Err(ReceiveError::Unexpected),
        }
    }

    fn sends_to(&self, queue: &SenderQueueAddress) -> bool {
        self.send.as_ref().is_some_and(|send| send.sender_id == queue.sender_id)
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

    pub(super) fn encrypt(
        &mut self,
        plaintext: &[u8],
        padded_length: usize,
        pq: Option<bool>,
        config: &AgentConfig,
    ) -> Result<Vec<u8>, StateError> {
        let seal = self.prepare(plaintext.len(), padded_length, pq, config)?;
        seal.seal(plaintext).map_err(|_| StateError)
    }

    /// Takes the ratchet's next key for a message of a length.
    fn prepare(
        &mut self,
        length: usize,
        padded_length: usize,
        pq: Option<bool>,
        config: &AgentConfig,
    ) -> Result<MessageSeal, StateError> {
        let ratchet = self.ratchet.as_ref().ok_or(StateError)?;
        let options = EncryptOptions { padded_length, pq, max_version: config.versions.ratchet.max() };
        let Prepared { ratchet, seal } = ratchet.prepare(length, options).map_err(|_| StateError)?;
        self.ratchet = Some(ratchet);
        Ok(seal)
    }

    pub(super) fn decrypt(
        &mut self,
        message: &[u8],
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<Zeroizing<Vec<u8>>, Undecrypted> {
        let ratchet = self.ratchet.as_ref().ok_or(ReceiveError::Unexpected)?;
        let decrypted = ratchet.decrypt(message, &self.skipped, rng)?;
        // The ratchet has moved even if the body is damaged.
        self.ratchet = Some(decrypted.ratchet);
        self.skipped.apply(decrypted.skipped.clone());
        effects.skipped.push(decrypted.skipped);
        let oldest = self.skipped.limit(MAX_SKIPPED_KEYS, MAX_SKIPPED_CHAINS);
        effects.skipped.extend(oldest.into_iter().map(SkippedChange::Removed));
        Ok(decrypted.plaintext?)
    }
}

/// Why a message was not decrypted.
pub(super) enum Undecrypted {
    /// It was decrypted before.
    Repeated,
    Error(ReceiveError),
}

impl From<ReceiveError> for Undecrypted {
    fn from(error: ReceiveError) -> Self {
        Self::Error(error)
    }
}

impl From<DecryptError> for Undecrypted {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::Duplicate | DecryptError::Earlier(_) => Self::Repeated,
            DecryptError::TooManySkipped(_) => Self::Error(ReceiveError::TooManySkipped),
            _ => Self::Error(ReceiveError::Decryption),
        }
    }
}
