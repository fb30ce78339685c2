//! The two confirmations, and how queues are secured (chapter 6).

use super::envelope;
use super::pq::pq_possible;
use super::{
    Connection, Content, Effects, InitialKeys, Outgoing, OutgoingKind, Phase, Role, SendQueue, StateError,
};
use crate::config::AgentConfig;
use crate::error::ReceiveError;
use crate::event::Event;
use rand::CryptoRng;
use smp_crypto::{DhSecret, PublicAuthKey};
use smp_protocol::agent::{
    AMessage, AgentEnvelope, AgentMessage, SentRatchetParameters, connection_info_length, message_hash,
};
use smp_protocol::body::PrivateHeader;
use smp_protocol::encoding::{NonEmpty, from_bytes, to_bytes};
use smp_protocol::version::{AgentVersion, SmpClientVersion};
use smp_ratchet::{DecryptError, RatchetVersions};

/// A confirmation, opened with the keys of its queue.
pub(crate) struct Confirmation {
    pub(super) agent_version: AgentVersion,
    pub(super) client_version: SmpClientVersion,
    /// The sender's key, where the recipient has to secure the queue.
    pub(super) sender_key: Option<PublicAuthKey>,
    pub(super) e2e_secret: DhSecret,
    pub(super) ratchet: Option<Box<SentRatchetParameters>>,
    pub(super) encrypted_info: Vec<u8>,
}

impl Connection {
    /// Takes the peer's confirmation.
    pub(super) fn confirmed(
        &mut self,
        confirmation: Confirmation,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let versions = &config.versions;
        let known_queue_version = self.receive.as_ref().map(|queue| queue.client_version);
        let agent = versions.agent.contains(confirmation.agent_version)
            || confirmation.agent_version <= self.agent_version;
        let client = versions.client.contains(confirmation.client_version)
            || known_queue_version.is_some_and(|known| confirmation.client_version <= known);
        if !agent || !client {
            return Err(ReceiveError::Version);
        }
        match (self.role, self.phase) {
            (Role::Initiator, Phase::Invited) => {
                let info = self.confirmed_by_joiner(confirmation, config, rng, effects)?;
                effects.events.push(Event::Confirmation { connection: self.id, info });
                Ok(())
            }
            // The owner of the contact address accepts what was asked for. It may come before the relay's answer to the request.
            (Role::Initiator, Phase::Requesting | Phase::Asked) => {
                let info = self.confirmed_by_joiner(confirmation, config, rng, effects)?;
                effects.events.push(Event::Info { connection: self.id, info });
                let own_info = std::mem::take(&mut self.own_info);
                self.accept(&own_info, config, rng, effects).map_err(|StateError| ReceiveError::Unexpected)
            }
            (Role::Joiner, Phase::Confirming | Phase::AwaitingReply) => {
                self.confirmed_by_initiator(confirmation, rng, effects)
            }
            _ => Err(ReceiveError::Unexpected),
        }
    }

    /// The joiner's confirmation: it has the ratchet keys and the reply queue. Returns what the joiner tells about itself.
    fn confirmed_by_joiner(
        &mut self,
        confirmation: Confirmation,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<Vec<u8>, ReceiveError> {
        let parameters = confirmation.ratchet.ok_or(ReceiveError::Unexpected)?;
        let Some(InitialKeys::Offered(keys)) = &self.initial_keys else {
            return Err(ReceiveError::Unexpected);
        };
        let versions = &config.versions;
        if !versions.ratchet.contains(parameters.version) {
            return Err(ReceiveError::Version);
        }
        let pq_possible = pq_possible(confirmation.agent_version, parameters.version);
        if parameters.kem.is_some() && !pq_possible {
            // Nobody who speaks these versions sends such keys, and there would be no room for ours in the answer.
            return Err(ReceiveError::Version);
        }
        let pq_support = self.pq_support && pq_possible;
        let ratchet_versions =
            RatchetVersions { current: parameters.version, max_supported: versions.ratchet.max() };
        let ratchet =
            keys.ratchet(&parameters, ratchet_versions, pq_support).map_err(|_| ReceiveError::Decryption)?;
        let decrypted = ratchet
            .decrypt(&confirmation.encrypted_info, &self.skipped, rng)
            .map_err(|_| ReceiveError::Decryption)?;
        let plaintext = decrypted.plaintext.map_err(|_| ReceiveError::Decryption)?;
        let Ok(AgentMessage::ConnectionInfoReply { queues, info }) = from_bytes(&plaintext) else {
            return Err(ReceiveError::Malformed);
        };
        let queue = queues.first().clone();
        if !versions.client.contains(queue.version) {
            return Err(ReceiveError::Version);
        }
        let own = self.receive.as_mut().ok_or(ReceiveError::Unexpected)?;
        if confirmation.sender_key.is_none() && !own.sender_can_secure() {
            return Err(ReceiveError::Unexpected);
        }
        own.confirm(confirmation.e2e_secret, confirmation.client_version, confirmation.sender_key);
        self.send = Some(SendQueue::new(queue, rng));
        self.agent_version = confirmation.agent_version;
        self.pq_support = pq_support;
        self.ratchet = Some(decrypted.ratchet);
        effects.skipped.push(decrypted.skipped);
        self.initial_keys = None;
        self.received.append(1, message_hash(&plaintext));
        self.phase = Phase::Confirmed;
        Ok(info.into_owned())
    }

    /// The initiator's confirmation, in the reply queue.
    fn confirmed_by_initiator(
        &mut self,
        confirmation: Confirmation,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        if confirmation.ratchet.is_some() {
            return Err(ReceiveError::Unexpected);
        }
        let ratchet = self.ratchet.as_ref().ok_or(ReceiveError::Unexpected)?;
        let decrypted = match ratchet.decrypt(&confirmation.encrypted_info, &self.skipped, rng) {
            Err(DecryptError::Duplicate | DecryptError::Earlier(_)) => return Ok(()),
            decrypted => decrypted.map_err(|_| ReceiveError::Decryption)?,
        };
        let plaintext = self.decrypted(decrypted, effects).map_err(|_| ReceiveError::Decryption)?;
        let Ok(AgentMessage::ConnectionInfo(info)) = from_bytes(&plaintext) else {
            return Err(ReceiveError::Malformed);
        };
        let own = self.receive.as_mut().ok_or(ReceiveError::Unexpected)?;
        let secure = confirmation.sender_key.is_some();
        if !secure && !own.sender_can_secure() {
            return Err(ReceiveError::Unexpected);
        }
        own.confirm(confirmation.e2e_secret, confirmation.client_version, confirmation.sender_key);
        self.received.append(1, message_hash(&plaintext));
        effects.events.push(Event::Info { connection: self.id, info: info.into_owned() });
        if secure {
            self.phase = Phase::SecuringOwn;
        } else {
            self.connected(effects);
        }
        Ok(())
    }

    /// The application accepts the peer: the initiator goes on.
    pub(crate) fn accept(
        &mut self,
        own_info: &[u8],
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        self.own_info = own_info.to_vec();
        if self.receive.as_ref().is_some_and(|queue| queue.sender_key.is_some()) {
            self.phase = Phase::SecuringOwn;
            Ok(())
        } else {
            self.continue_to_reply(config, rng, effects)
        }
    }

    /// KEY is done: the own queue takes messages of the peer only.
    pub(crate) fn own_queue_secured(
        &mut self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::SecuringOwn {
            return Ok(());
        }
        self.receive.as_mut().ok_or(StateError)?.sender_key = None;
        match self.role {
            Role::Initiator => self.continue_to_reply(config, rng, effects),
            Role::Joiner => {
                self.send_agent_message(&AMessage::Hello, OutgoingKind::Hello, config, effects)?;
                self.phase = Phase::AwaitingHello;
                Ok(())
            }
            Role::Address => Err(StateError),
        }
    }

    /// SKEY is done: the peer's queue takes messages of this side only.
    pub(crate) fn peer_queue_secured(
        &mut self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        match (self.phase, self.role) {
            (Phase::SecuringPeer, Role::Joiner) => {
                self.phase = Phase::Creating;
                Ok(())
            }
            // The confirmation waits for this; an earlier version made it only then.
            (Phase::SecuringPeer, Role::Initiator) if self.waiting.others > 0 => {
                self.phase = Phase::Replying;
                Ok(())
            }
            (Phase::SecuringPeer, Role::Initiator) => self.send_confirmation(config, rng, effects),
            _ => Ok(()),
        }
    }

    fn continue_to_reply(
        &mut self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let secures = self.send.as_ref().ok_or(StateError)?.sender_can_secure();
        self.send_confirmation(config, rng, effects)?;
        if secures {
            // SKEY comes first. With the confirmation stored already, nothing has to be on the disk between the two.
            self.phase = Phase::SecuringPeer;
        }
        Ok(())
    }

    /// Encrypts the own confirmation: the joiner's with its reply queue and ratchet keys, the initiator's without.
    pub(super) fn send_confirmation(
        &mut self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let info = std::mem::take(&mut self.own_info);
        self.request_info = None;
        let (message, ratchet) = match (self.role, self.initial_keys.take()) {
            (Role::Joiner, Some(InitialKeys::Joining(keys))) => {
                let own = self.receive.as_ref().ok_or(StateError)?;
                let queue = own.info().ok_or(StateError)?;
                let version = self.ratchet.as_ref().ok_or(StateError)?.versions().current;
                let message =
                    AgentMessage::ConnectionInfoReply { queues: NonEmpty::one(queue), info: info.into() };
                (message, Some(Box::new(keys.parameters(version))))
            }
            (Role::Initiator, None) => (AgentMessage::ConnectionInfo(info.into()), None),
            _ => return Err(StateError),
        };
        let encoded = to_bytes(&message);
        let length = connection_info_length(self.agent_version, self.pq_support);
        let encrypted_info = self.encrypt(&encoded, length, Some(self.pq_support), config)?;
        self.sent.append(self.sent.next_number(), message_hash(&encoded));
        let agent_envelope = AgentEnvelope::Confirmation {
            version: self.agent_version,
            ratchet,
            encrypted_info: encrypted_info.into(),
        };
        let queue = self.send.as_ref().ok_or(StateError)?;
        let authorized = queue.sender_can_secure();
        let header = if authorized {
            PrivateHeader::Empty
        } else {
            PrivateHeader::Confirmation(queue.sender_key.public_key().into())
        };
        let content = Content::Body(envelope::seal_confirmation(queue, header, &agent_envelope, rng)?);
        let kind = OutgoingKind::Confirmation;
        self.push(Outgoing { kind, message: None, authorized, notify: true, content }, effects);
        self.phase = match self.role {
            Role::Joiner => Phase::Confirming,
            Role::Initiator | Role::Address => Phase::Replying,
        };
        Ok(())
    }

    /// Leaves something to be sent.
    pub(super) fn push(&mut self, outgoing: Outgoing, effects: &mut Effects) {
        self.waiting.add(outgoing.kind);
        effects.outgoing.push(outgoing);
    }

    /// The relay has taken an outgoing body.
    pub(crate) fn delivered(&mut self, outgoing: &Outgoing, effects: &mut Effects) {
        self.waiting.remove(outgoing.kind);
        let fast = self.send.as_ref().is_some_and(SendQueue::sender_can_secure);
        match (outgoing.kind, self.phase) {
            (OutgoingKind::Request, _) => self.request_delivered(),
            (OutgoingKind::Confirmation, Phase::Confirming) => self.phase = Phase::AwaitingReply,
            (OutgoingKind::Confirmation, Phase::Replying) if fast => self.connected(effects),
            (OutgoingKind::Confirmation, Phase::Replying) => self.phase = Phase::AwaitingHello,
            (OutgoingKind::Hello, Phase::SendingHello) => self.connected(effects),
            (OutgoingKind::Message, _) => {
                if let Some(id) = outgoing.message {
                    effects.events.push(Event::Sent { connection: self.id, id });
                }
            }
            (kind, Phase::Connected) => self.move_delivered(kind, effects),
            _ => {}
        }
    }
}
