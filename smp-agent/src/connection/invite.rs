//! The side that makes an invitation, and what both sides do with a new queue.

use super::{Connection, CreatedQueue, Effects, InitialKeys, Phase, ReceiveQueue, Role, StateError};
use crate::config::AgentConfig;
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{QueueAddress, QueueUri};
use smp_protocol::encoding::NonEmpty;
use smp_protocol::link::{ConnectionLink, ConnectionRequest, InvitationRequest};
use smp_ratchet::OfferedKeys;

impl Connection {
    /// New keys for an invitation whose queue is to be on a relay; `short` if there may be a short link to it.
    pub(crate) fn invite(
        config: &AgentConfig,
        relay: &RelayAddress,
        short: bool,
        rng: &mut impl CryptoRng,
    ) -> Self {
        // The data behind a short link does not make it longer.
        let pq_keys = config.pq && (config.pq_keys_in_links || short);
        let offered = OfferedKeys::generate(config.versions.ratchet.max(), pq_keys, rng);
        let mut connection = Self::beginning(Role::Initiator, Phase::Creating, relay, config, rng);
        connection.initial_keys = Some(InitialKeys::Offered(offered));
        connection
    }

    /// The relay made the own queue: the initiator gives out its link or sends its request, the joiner
    /// confirms, a contact address takes requests.
    pub(crate) fn queue_created(
        &mut self,
        created: CreatedQueue,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::Creating {
            return Ok(());
        }
        self.receive.as_mut().ok_or(StateError)?.created = Some(created);
        match self.role {
            Role::Initiator if self.asking.is_some() => self.send_request(config, rng, effects),
            Role::Initiator => {
                self.link = Some(self.make_link(config)?);
                self.phase = Phase::Invited;
                Ok(())
            }
            Role::Joiner => self.send_confirmation(config, rng, effects),
            Role::Address => self.listen(config),
        }
    }

    /// The relay does not make the own queue: another one is to make one with other keys.
    pub(crate) fn receive_elsewhere(&mut self, relay: &RelayAddress, rng: &mut impl CryptoRng) {
        if let (Phase::Creating, Some(queue)) = (self.phase, &mut self.receive) {
            *queue = ReceiveQueue::new(relay, queue.client_version, rng);
        }
    }

    fn make_link(&self, config: &AgentConfig) -> Result<String, StateError> {
        let address = self.receive.as_ref().and_then(ReceiveQueue::address).ok_or(StateError)?;
        let request = self.invitation_request(address, config.pq_keys_in_links, config)?;
        Ok(ConnectionLink::Full(ConnectionRequest::Invitation(Box::new(request))).to_string())
    }

    /// The invitation to a queue, with a post-quantum key if there is one and it is wanted.
    pub(super) fn invitation_request(
        &self,
        address: QueueAddress,
        pq_key: bool,
        config: &AgentConfig,
    ) -> Result<InvitationRequest, StateError> {
        let Some(InitialKeys::Offered(keys)) = &self.initial_keys else { return Err(StateError) };
        let versions = &config.versions;
        let mut ratchet = keys.uri_parameters(versions.ratchet);
        if !pq_key {
            ratchet.kem = None;
        }
        Ok(InvitationRequest {
            versions: versions.agent,
            queues: NonEmpty::one(QueueUri { versions: versions.client, address }),
            client_data: None,
            ratchet,
        })
    }
}
