//! The side that joins an invitation.

use super::pq::pq_possible;
use super::{Connection, Contact, InitialKeys, Phase, ReceiveQueue, Role, SendQueue, StateError};
use crate::config::AgentConfig;
use crate::error::LinkError;
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{ProposedKem, QueueInfo, RatchetParameters};
use smp_protocol::id::SenderId;
use smp_protocol::link::{ConnectionLink, ConnectionRequest, InvitationRequest, ShortLink};
use smp_protocol::pasted;
use smp_protocol::version::AgentVersion;
use smp_ratchet::{JoiningKeys, Ratchet, RatchetVersions};

/// An invitation in the versions that both sides speak.
pub(crate) struct Invitation {
    pub(super) agent_version: AgentVersion,
    pub(super) queue: QueueInfo,
    ratchet: RatchetParameters<ProposedKem>,
}

/// A link to join, by its kind.
pub(crate) enum JoinLink {
    /// The invitation itself.
    Full(Box<Invitation>),
    /// A contact address itself.
    Contact(Contact),
    /// Where an invitation or a contact address is.
    Short(ShortLink),
}

impl JoinLink {
    /// Reads a link as people paste it; agrees the versions if it is a full one.
    pub(crate) fn read(link: &str, config: &AgentConfig) -> Result<Self, LinkError> {
        match pasted::link(link).map_err(LinkError::Damaged)? {
            ConnectionLink::Full(ConnectionRequest::Invitation(request)) => {
                Ok(Self::Full(Box::new(Invitation::agree(*request, config)?)))
            }
            ConnectionLink::Full(ConnectionRequest::Contact(request)) => {
                Ok(Self::Contact(Contact::agree(&request, config)?))
            }
            ConnectionLink::Short(link) => Ok(Self::Short(link)),
        }
    }
}

impl Invitation {
    /// Agrees the versions.
    pub(super) fn agree(request: InvitationRequest, config: &AgentConfig) -> Result<Self, LinkError> {
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

    /// Whether both sides want and know post-quantum keys.
    pub(super) fn pq_support(&self, config: &AgentConfig) -> bool {
        config.pq && pq_possible(self.agent_version, self.ratchet.version)
    }

    /// New keys, and the ratchet that follows from them.
    pub(super) fn ratchet_keys(
        &self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<(InitialKeys, Ratchet), StateError> {
        let offered = &self.ratchet;
        let keys = JoiningKeys::generate(offered, self.pq_support(config), rng);
        let versions =
            RatchetVersions { current: offered.version, max_supported: config.versions.ratchet.max() };
        let ratchet = keys.ratchet(offered, versions, rng).map_err(|_| StateError)?;
        Ok((InitialKeys::Joining(keys), ratchet))
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
        let pq_support = invitation.pq_support(config);
        let (keys, ratchet) = invitation.ratchet_keys(config, rng)?;
        let Invitation { agent_version, queue, .. } = invitation;
        let send = SendQueue::new(queue, rng);
        let phase = if send.sender_can_secure() { Phase::SecuringPeer } else { Phase::Creating };
        let mut connection = Self::new(Role::Joiner, phase, agent_version, pq_support);
        connection.own_info = own_info.to_vec();
        connection.initial_keys = Some(keys);
        connection.ratchet = Some(ratchet);
        // The reply queue speaks the version that was agreed for the first one.
        connection.receive = Some(ReceiveQueue::new(relay, send.client_version, rng));
        connection.send = Some(send);
        Ok(connection)
    }
}
