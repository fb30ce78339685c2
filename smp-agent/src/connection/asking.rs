//! The side that asks the owner of a contact address to connect: it makes an invitation, and sends it to the address (section 6.5).

use super::pq::PQ_AGENT;
use super::{
    Connection, Content, Effects, InitialKeys, Outgoing, OutgoingKind, Phase, ReceiveQueue, Role, SendQueue,
    StateError, envelope,
};
use crate::config::AgentConfig;
use crate::error::LinkError;
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{AgentEnvelope, QueueInfo};
use smp_protocol::body::PrivateHeader;
use smp_protocol::id::SenderId;
use smp_protocol::link::ContactRequest;
use smp_protocol::version::AgentVersion;
use smp_ratchet::OfferedKeys;

/// A contact address in the versions that both sides speak.
pub(crate) struct Contact {
    pub(super) agent_version: AgentVersion,
    pub(super) queue: QueueInfo,
}

impl Contact {
    /// Agrees the versions.
    pub(super) fn agree(request: &ContactRequest, config: &AgentConfig) -> Result<Self, LinkError> {
        let queue = request.queues.first().clone();
        let agent_version = config.versions.agent.compatible(&request.versions).ok_or(LinkError::Version)?;
        let client_version = config.versions.client.compatible(&queue.versions).ok_or(LinkError::Version)?;
        Ok(Self { agent_version, queue: queue.at(client_version) })
    }

    /// The relay of the address.
    pub(crate) fn relay(&self) -> &RelayAddress {
        &self.queue.address.relay
    }

    /// The queue of the address.
    pub(crate) fn sender_id(&self) -> &SenderId {
        &self.queue.address.sender_id
    }
}

impl Connection {
    /// New keys to ask the owner of a contact address, with an own queue to be made on `relay`. `own_info` goes with the request, unless
    /// there is something else for that, and with what follows when they have accepted.
    pub(crate) fn ask(
        contact: Contact,
        own_info: &[u8],
        relay: &RelayAddress,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut connection = Self::beginning(Role::Initiator, Phase::Creating, relay, config, rng);
        connection.own_info = own_info.to_vec();
        connection.begin_asking(contact, config, rng);
        connection
    }

    /// The address is known: the own queue is made next.
    pub(super) fn begin_asking(&mut self, contact: Contact, config: &AgentConfig, rng: &mut impl CryptoRng) {
        self.agent_version = contact.agent_version;
        self.pq_support = config.pq && contact.agent_version >= PQ_AGENT;
        // It goes into no link that people pass on, so it may be as long as it wants to.
        let keys = OfferedKeys::generate(config.versions.ratchet.max(), self.pq_support, rng);
        self.initial_keys = Some(InitialKeys::Offered(keys));
        self.asking = Some(SendQueue::new(contact.queue, rng));
        self.phase = Phase::Creating;
    }

    /// The own queue is made: seals the request. The owner recognises a repetition by the invitation in it.
    pub(super) fn send_request(
        &mut self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let queue = self.asking.as_ref().ok_or(StateError)?;
        let address = self.receive.as_ref().and_then(ReceiveQueue::address).ok_or(StateError)?;
        let seal = |pq_key: bool, rng: &mut _| {
            let request = self.invitation_request(address.clone(), pq_key, config)?;
            let envelope = AgentEnvelope::Invitation {
                version: self.agent_version,
                request: Box::new(request),
                info: self.request_info.as_deref().unwrap_or(&self.own_info).into(),
            };
            envelope::seal_confirmation(queue, PrivateHeader::Empty, &envelope, rng)
        };
        // With very many hosts of the relay there may be no room for the key. Then the next messages agree on one.
        let body = seal(self.pq_support, rng).or_else(|StateError| seal(false, rng))?;
        self.request_info = None;
        let kind = OutgoingKind::Request;
        let content = Content::Body(body);
        self.push(
            Outgoing { kind, message: None, authorized: false, notify: kind.notifies(), content },
            effects,
        );
        self.phase = Phase::Requesting;
        Ok(())
    }

    /// Whether it is the other side's turn to accept.
    pub(crate) fn waits_for_acceptance(&self) -> bool {
        matches!(self.phase, Phase::AwaitingReply | Phase::Requesting | Phase::Asked)
    }

    /// The address's relay has the request, or will not take it and need not any more.
    pub(crate) fn request_delivered(&mut self) {
        self.asking = None;
        if self.phase == Phase::Requesting {
            self.phase = Phase::Asked;
        }
    }
}
