//! A contact address: a queue that takes requests to connect from any number of people (section 6.5).
//!
//! Each request becomes a connection of its own, in the same step; a repetition is recognised by the invitation in it, which the store
//! keeps as a hash. Accepting a request is joining that invitation. From then on the address has nothing to do with it.

use super::effects::NewRequest;
use super::{
    AddressLink, Connection, Effects, Invitation, LinkOffer, Phase, ReceiveQueue, Role, State, StateError,
};
use crate::config::AgentConfig;
use crate::error::{ConnectionError, LinkError, ReceiveError};
use crate::id::ConnectionId;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::Ed25519PrivateKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{QueueAddress, QueueMode, QueueUri};
use smp_protocol::encoding::{NonEmpty, to_text};
use smp_protocol::id::SenderId;
use smp_protocol::link::{
    ConnectionLink, ConnectionRequest, ContactRequest, FixedLinkData, InvitationRequest, LinkDataError,
    UserData, seal_fixed_data,
};

/// Longest data of the application in bytes that fits under the short link of a contact address without further owners.
pub(crate) const MAX_ADDRESS_SHOWN_LENGTH: usize = 13_706;

/// A contact address, as its owner keeps it.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Address {
    /// Information for people who ask and are accepted at once; None if the application decides.
    pub(crate) auto_accept: Option<Vec<u8>>,
    /// Of its short link, if there is one.
    pub(crate) link: Option<AddressLink>,
}

/// A request as it came.
pub(crate) struct ReceivedRequest {
    pub(super) request: Box<InvitationRequest>,
    pub(super) info: Vec<u8>,
}

/// A request that waits for the application.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct PendingRequest {
    #[serde(with = "crate::stored")]
    invitation: InvitationRequest,
    /// Information for them as soon as the application is done with the event, if it does not decide.
    pub(crate) auto_accept: Option<Vec<u8>>,
}

impl PendingRequest {
    /// The relay of the side that asks.
    pub(crate) fn relay(&self) -> &RelayAddress {
        &self.invitation.queues.first().address.relay
    }

    /// The queue of the side that asks.
    pub(crate) fn sender_id(&self) -> &SenderId {
        &self.invitation.queues.first().address.sender_id
    }
}

impl Connection {
    /// Whether requests to this address, or this request, are accepted without asking.
    pub(crate) fn auto_accepts(&self) -> bool {
        let of_address = self.address.as_ref().is_some_and(|address| address.auto_accept.is_some());
        of_address || self.request.as_ref().is_some_and(|request| request.auto_accept.is_some())
    }

    /// New keys for a contact address whose queue is to be on a relay.
    pub(crate) fn contact_address(
        config: &AgentConfig,
        relay: &RelayAddress,
        auto_accept: Option<Vec<u8>>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut connection = Self::beginning(Role::Address, Phase::Creating, relay, config, rng);
        connection.address = Some(Address { auto_accept, link: None });
        connection
    }

    /// The relay has made the queue of the address.
    pub(super) fn listen(&mut self, config: &AgentConfig) -> Result<(), StateError> {
        let address = self.receive.as_ref().and_then(ReceiveQueue::address).ok_or(StateError)?;
        let request = ConnectionRequest::Contact(contact_request(address, config));
        self.link = Some(ConnectionLink::Full(request).to_string());
        self.phase = Phase::Listening;
        Ok(())
    }

    /// Somebody asks. Whether it is a repetition only the store knows.
    pub(super) fn requested(
        &mut self,
        received: ReceivedRequest,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let ReceivedRequest { request, info } = received;
        let agreed = Invitation::agree((*request).clone(), config).map_err(|_| ReceiveError::Version)?;
        self.readable();
        let hash = smp_crypto::hash::sha256(to_text(&*request).as_bytes());
        let connection =
            Self::new(Role::Joiner, Phase::Requested, agreed.agent_version, agreed.pq_support(config));
        let mut connection = connection.of(self.user);
        connection.came_to = Some(self.id);
        let auto_accept = self.address.as_ref().and_then(|address| address.auto_accept.clone());
        connection.request = Some(PendingRequest { invitation: *request, auto_accept });
        effects.requested.push(NewRequest { connection, hash, info });
        Ok(())
    }

    /// The application accepts a request: from here on this is a connection that joins an invitation, with an own queue to be made
    /// on `relay`. Does nothing if it is accepted already.
    pub(crate) fn accept_request(
        &mut self,
        own_info: &[u8],
        relay: &RelayAddress,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<(), LinkError> {
        let (Phase::Requested, Some(request)) = (self.phase, &self.request) else { return Ok(()) };
        let invitation = Invitation::agree(request.invitation.clone(), config)?;
        let (id, user, came_to) = (self.id, self.user, self.came_to);
        let joined = Self::join(invitation, own_info, relay, config, rng);
        let mut joined = joined.map_err(|StateError| LinkError::Version)?.of(user);
        (joined.id, joined.came_to) = (id, came_to);
        *self = joined;
        Ok(())
    }

    /// The contact address to which this is a request that nobody has accepted yet.
    pub(crate) fn request_of(&self) -> Option<ConnectionId> {
        self.came_to.filter(|_| self.phase == Phase::Requested)
    }

    /// The error if the peer's queue is not there for us.
    pub(crate) fn gone(&self) -> ConnectionError {
        match (self.role, self.phase) {
            (Role::Joiner, _) if self.came_to.is_some() => ConnectionError::RequestGone,
            (Role::Joiner, _) => ConnectionError::InvitationUsed,
            (Role::Initiator, Phase::FetchingLink | Phase::Requesting) | (Role::Address, _) => {
                ConnectionError::AddressGone
            }
            (Role::Initiator, _) => ConnectionError::QueueGone,
        }
    }

    /// The error if the relay has deleted our own queue.
    pub(crate) fn lost(&self) -> ConnectionError {
        match self.role {
            Role::Address => ConnectionError::AddressGone,
            Role::Initiator | Role::Joiner => ConnectionError::QueueGone,
        }
    }

    /// Seals the address and what is shown with it, for the relay. None if it does not fit.
    pub(super) fn offer_address(
        &self,
        shown: UserData,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<LinkOffer>, StateError> {
        let (correlation_id, address) = self.queue_to_be(QueueMode::Contact, rng)?;
        let sender_id = address.sender_id.clone();
        let root_key = Ed25519PrivateKey::generate(rng);
        let fixed = FixedLinkData {
            versions: config.versions.agent,
            root_key: root_key.public_key(),
            request: ConnectionRequest::Contact(contact_request(address, config)),
            entity_id: None,
        };
        let link_key = fixed.link_key();
        let key = link_key.contact_link().key;
        let fixed = match seal_fixed_data(&fixed, &root_key, &key, rng) {
            Err(LinkDataError::TooLarge) => return Ok(None),
            fixed => fixed.map_err(|_| StateError)?.as_bytes().to_vec(),
        };
        let shown = shown.as_bytes().to_vec();
        let link = AddressLink { root_key, link_key, fixed, shown, owners: Vec::new() };
        match link.data(config, rng) {
            Ok(data) => {
                let (link_key, link_id) = (link.link_key.clone(), Some(link.link_id()));
                Ok(Some(LinkOffer { correlation_id, sender_id, data, link_key, link_id, kept: Some(link) }))
            }
            Err(LinkDataError::TooLarge) => Ok(None),
            Err(_) => Err(StateError),
        }
    }

    /// The relay has stored the offer with the queue.
    pub(super) fn address_stored(&mut self, link: AddressLink) {
        let State { receive: Some(queue), address: Some(address), short_link, .. } = &mut **self else {
            return;
        };
        *short_link = Some(link.short_link(&queue.relay).to_string());
        address.link = Some(link);
    }
}

fn contact_request(address: QueueAddress, config: &AgentConfig) -> ContactRequest {
    let versions = &config.versions;
    let queues = NonEmpty::one(QueueUri { versions: versions.client, address });
    ContactRequest { versions: versions.agent, queues, client_data: None }
}
