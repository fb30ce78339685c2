//! The side that joins an invitation.

use super::{ChainEnd, Connection, InitialKeys, Phase, ReceiveQueue, Role, SendQueue, StateError};
use crate::config::AgentConfig;
use crate::error::LinkError;
use crate::id::{ConnectionId, MessageId};
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{ProposedKem, QueueInfo, RatchetParameters};
use smp_protocol::id::SenderId;
use smp_protocol::link::{ConnectionLink, ConnectionRequest, InvitationRequest};
use smp_protocol::version::{AgentVersion, RatchetVersion};
use smp_ratchet::{JoiningKeys, RatchetVersions};

/// The first agent version that knows post-quantum keys.
const PQ_AGENT: AgentVersion = AgentVersion(5);
/// The first ratchet version that knows post-quantum keys.
const PQ_RATCHET: RatchetVersion = RatchetVersion(3);

/// Whether these versions know post-quantum keys.
pub(super) fn pq_possible(agent: AgentVersion, ratchet: RatchetVersion) -> bool {
    agent >= PQ_AGENT && ratchet >= PQ_RATCHET
}

/// An invitation in the versions that both sides speak.
pub(crate) struct Invitation {
    agent_version: AgentVersion,
    queue: QueueInfo,
    ratchet: RatchetParameters<ProposedKem>,
}

impl Invitation {
    /// Reads a link and agrees the versions.
    pub(crate) fn read(link: &str, config: &AgentConfig) -> Result<Self, LinkError> {
        let request = read_request(link)?;
        let versions = &config.versions;
        let queue = request.queues.first().clone();
        let agent_version = versions.agent.compatible(&request.versions);
        let client_version = versions.client.compatible(&queue.versions);
        let ratchet_version = versions.ratchet.compatible(&request.ratchet.versions);
        let (Some(agent_version), Some(client_version), Some(ratchet_version)) =
            (agent_version, client_version, ratchet_version)
        else {
            return Err(LinkError::Version);
        };
        Ok(Self {
            agent_version,
            queue: queue.at(client_version),
            ratchet: request.ratchet.at(ratchet_version),
        })
    }

    /// The relay of the inviting side.
    pub(crate) fn relay(&self) -> &RelayAddress {
        &self.queue.address.relay
    }

    /// The queue of the inviting side.
    pub(crate) fn sender_id(&self) -> &SenderId {
        &self.queue.address.sender_id
    }
}

fn read_request(link: &str) -> Result<InvitationRequest, LinkError> {
    match link.trim().parse().map_err(LinkError::Damaged)? {
        ConnectionLink::Full(ConnectionRequest::Invitation(request)) => Ok(*request),
        ConnectionLink::Full(ConnectionRequest::Contact(_)) => Err(LinkError::ContactAddress),
        _ => Err(LinkError::ShortLink),
    }
}

impl Connection {
    /// New keys to join an invitation, with an own queue to be made on `relay`.
    pub(crate) fn join(
        invitation: Invitation,
        own_info: &[u8],
        relay: &RelayAddress,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, StateError> {
        let Invitation { agent_version, queue, ratchet: offered } = invitation;
        let pq_support = config.pq && pq_possible(agent_version, offered.version);
        let keys = JoiningKeys::generate(&offered, pq_support, rng);
        let versions =
            RatchetVersions { current: offered.version, max_supported: config.versions.ratchet.max() };
        let ratchet = keys.ratchet(&offered, versions, rng).map_err(|_| StateError)?;
        let send = SendQueue::new(queue, rng);
        let phase = if send.sender_can_secure() { Phase::SecuringPeer } else { Phase::Creating };
        Ok(Self {
            id: ConnectionId::new(0),
            role: Role::Joiner,
            phase,
            agent_version,
            pq_support,
            own_info: own_info.to_vec(),
            link: None,
            initial_keys: Some(InitialKeys::Joining(keys)),
            ratchet: Some(ratchet),
            skipped: Vec::new().into(),
            sent: ChainEnd::default(),
            received: ChainEnd::default(),
            last_message: MessageId::new(0),
            // The reply queue speaks the version that was agreed for the first one.
            receive: Some(ReceiveQueue::new(relay, send.client_version, rng)),
            send: Some(send),
        })
    }
}
