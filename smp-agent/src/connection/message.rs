//! Messages to the peer, through the ratchet.

use super::{
    BodyId, Connection, Content, Effects, Outgoing, OutgoingKind, Phase, Place, Role, SendQueue, SentMessage,
    StateError,
};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::event::MessageOrigin;
use crate::id::MessageId;
use smp_protocol::agent::{
    AMessage, AgentEnvelope, AgentMessage, AgentMessageId, MessageHeader, MessageReceipt, message_hash,
    message_length,
};
use smp_protocol::encoding::{LargeString, NonEmpty, ShortString, to_bytes};
use smp_protocol::version::AgentVersion;
use smp_ratchet::{EncryptOptions, MessageSeal, Prepared};
use zeroize::Zeroizing;

/// From this version on the initiator reads messages before its application has accepted the joiner.
const EARLY_MESSAGES: AgentVersion = AgentVersion(7);
/// From this version on there are receipts.
const RECEIPTS: AgentVersion = AgentVersion(4);
/// Receipts of one message: of some 45 bytes each.
const RECEIPTS_TOGETHER: usize = 128;
/// Bytes around an application message: length of the padding, kind, number, hash, kind.
const OVERHEAD: usize = 2 + 1 + 8 + 33 + 1;

impl Connection {
    /// Encrypts a message of the application, or keeps it until the encryption is renewed. Its body may be stored for many connections; one
    /// that is kept has a copy of its own.
    pub(crate) fn send_message(
        &mut self,
        body: &[u8],
        shared: Option<BodyId>,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<MessageId, AgentError> {
        if !self.can_send() {
            return Err(self.not_now(self.phase.status(), "messages can be sent once it is connected"));
        }
        let limit = self.message_limit();
        if body.len() > limit {
            return Err(AgentError::TooLarge { size: body.len(), limit });
        }
        if self.defers() {
            return Ok(self.defer(body, effects));
        }
        let (content, message) = (AMessage::Message(body.into()), self.next_message());
        self.send_as(&content, OutgoingKind::Message, Some(message), config, effects)
            .map_err(|StateError| AgentError::Encryption(self.id))?;
        if let Some(id) = shared
            && let Some(Outgoing { content, .. }) = effects.outgoing.last_mut()
        {
            content.leave_out(body.len(), id);
        }
        Ok(message)
    }

    /// How many bytes fit into a message of the application.
    pub(super) fn message_limit(&self) -> usize {
        message_length(self.agent_version, self.pq_support) - OVERHEAD
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

    /// Encrypts receipts for messages, together, if the peer understands receipts.
    pub(crate) fn send_receipts(
        &mut self,
        origins: &[MessageOrigin],
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::Connected || self.agent_version < RECEIPTS || !self.in_sync() {
            return Ok(());
        }
        for origins in origins.chunks(RECEIPTS_TOGETHER) {
            let receipts = origins.iter().map(|origin| {
                Ok(MessageReceipt {
                    message_id: AgentMessageId(origin.number),
                    message_hash: ShortString::new(origin.hash.to_vec()).map_err(|_| StateError)?,
                    info: LargeString::default(),
                })
            });
            let receipts = NonEmpty::new(receipts.collect::<Result<_, _>>()?).ok_or(StateError)?;
            self.send_agent_message(&AMessage::Received(receipts), OutgoingKind::Receipt, config, effects)?;
        }
        Ok(())
    }

    /// The own queue was full and the application has taken what was in it: the peer may send again.
    pub(crate) fn queue_drained(
        &mut self,
        place: Place,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::Connected || !self.in_sync() {
            return Ok(());
        }
        let address = self.queue_at(place).and_then(super::ReceiveQueue::address).ok_or(StateError)?;
        let message = AMessage::QueueContinue(address.sender_queue());
        // The peer's queue may be full too: then this waits behind what waits there, and so does the peer's word for us.
        effects.resume = true;
        self.send_agent_message(&message, OutgoingKind::Continue, config, effects)
    }

    /// Encrypts what the agents say to each other.
    pub(super) fn send_agent_message(
        &mut self,
        message: &AMessage<'_>,
        kind: OutgoingKind,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        self.send_as(message, kind, None, config, effects)
    }

    /// Encrypts a message, which has the application's number if it is one of the application.
    pub(super) fn send_as(
        &mut self,
        content: &AMessage<'_>,
        kind: OutgoingKind,
        message: Option<MessageId>,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let number = self.sent.next_number();
        let previous_hash = ShortString::new(self.sent.hash.clone()).map_err(|_| StateError)?;
        let header = MessageHeader { message_id: AgentMessageId(number), previous_hash };
        let encoded = Zeroizing::new(to_bytes(&AgentMessage::Message { header, message: content.clone() }));
        let length = message_length(self.agent_version, self.pq_support);
        let pq = (kind == OutgoingKind::Message).then_some(self.wants_pq());
        let seal = self.prepare(encoded.len(), length, pq, config)?;
        let agent_version = config.versions.agent.max();
        let hash = message_hash(&encoded);
        self.sent.append(number, hash);
        if self.agent_version >= RECEIPTS {
            effects.sent.extend(message.map(|message| SentMessage { number, message, hash }));
        }
        let notify = kind.notifies();
        let content = Content::Message { agent_version, seal, plaintext: encoded.to_vec(), shared: None };
        self.push(Outgoing { kind, message, authorized: true, notify, content }, effects);
        Ok(())
    }

    /// Leaves an envelope to be sent that is in no ratchet.
    pub(super) fn send_envelope(
        &mut self,
        envelope: &AgentEnvelope<'_>,
        kind: OutgoingKind,
        effects: &mut Effects,
    ) {
        let content = Content::Envelope(to_bytes(envelope));
        self.push(
            Outgoing { kind, message: None, authorized: true, notify: kind.notifies(), content },
            effects,
        );
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
        self.advance_ratchet(ratchet);
        Ok(seal)
    }
}
