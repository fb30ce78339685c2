//! The side that makes a short link: what is stored at the relay under it (chapter 8).

use super::{AddressLink, Connection, ReceiveQueue, Role, StateError};
use crate::config::AgentConfig;
use crate::error::AgentError;
use rand::CryptoRng;
use smp_crypto::link_kdf::{self, LinkKey};
use smp_crypto::{Ed25519PrivateKey, Nonce};
use smp_protocol::agent::{QueueAddress, QueueMode};
use smp_protocol::command::LinkData;
use smp_protocol::id::{LinkId, SenderId};
use smp_protocol::link::{
    ConnectionRequest, FixedLinkData, InvitationShortLink, LinkDataError, ShortLink, ShortLinkRelay,
    UserData, UserLinkData, seal_fixed_data, seal_user_data,
};

/// Longest data of the application in bytes that fits under the short link of an invitation.
pub(crate) const MAX_SHOWN_LENGTH: usize = 13_709;

/// Data of the application for a short link, if it is not longer than fits there.
pub(crate) fn shown_data(shown: &[u8], limit: usize) -> Result<UserData, AgentError> {
    let too_large = AgentError::TooLarge { size: shown.len(), limit };
    if shown.len() > limit {
        return Err(too_large);
    }
    UserData::new(shown).map_err(|_| too_large)
}

/// Link data that NEW asks the relay to store together with the queue.
pub(crate) struct LinkOffer {
    /// The correlation ID of NEW. A relay answers it once, so each attempt needs a new one.
    pub(crate) correlation_id: Nonce,
    /// Follows from it, so that the link data can name the queue before the relay has made it.
    pub(crate) sender_id: SenderId,
    pub(crate) data: LinkData<'static>,
    pub(super) link_key: LinkKey,
    /// Under which ID to store it, if it is not the relay that chooses: of a contact address.
    pub(crate) link_id: Option<LinkId>,
    /// Of a contact address: what its owner keeps.
    pub(super) kept: Option<AddressLink>,
}

impl Connection {
    /// Seals the invitation, or the contact address, and what is shown with it, for the relay. None if the relay has so many hosts that its address
    /// does not fit: then there is no short link.
    pub(crate) fn offer_short_link(
        &self,
        shown: UserData,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<LinkOffer>, StateError> {
        if self.role == Role::Address {
            return self.offer_address(shown, config, rng);
        }
        let (correlation_id, address) = self.queue_to_be(QueueMode::Messaging, rng)?;
        let sender_id = address.sender_id.clone();
        let request = self.invitation_request(address, config.pq, config)?;
        match seal(ConnectionRequest::Invitation(Box::new(request)), shown, config, rng) {
            Ok((data, link_key)) => {
                let (link_id, kept) = (None, None);
                Ok(Some(LinkOffer { correlation_id, sender_id, data, link_key, link_id, kept }))
            }
            Err(LinkDataError::TooLarge) => Ok(None),
            Err(_) => Err(StateError),
        }
    }

    /// The address that the own queue is going to have, if NEW is sent with this correlation ID.
    pub(super) fn queue_to_be(
        &self,
        mode: QueueMode,
        rng: &mut impl CryptoRng,
    ) -> Result<(Nonce, QueueAddress), StateError> {
        let ReceiveQueue { relay, e2e_key, .. } = self.receive.as_ref().ok_or(StateError)?;
        let correlation_id = Nonce::generate(rng);
        let sender_id = SenderId::new(&link_kdf::sender_id(&correlation_id)).map_err(|_| StateError)?;
        let (relay, dh_key) = (relay.clone(), e2e_key.public_key());
        Ok((correlation_id, QueueAddress { relay, sender_id, dh_key, mode: Some(mode) }))
    }

    /// The relay has made the queue. If it has stored the offer too there is a short link.
    pub(crate) fn offer_stored(&mut self, offer: LinkOffer) {
        if let Some(link) = offer.kept {
            return self.address_stored(link);
        }
        let Some(queue) = &self.receive else { return };
        let link_id = queue.created.as_ref().and_then(|created| created.link_id.clone());
        self.short_link = link_id.map(|link_id| {
            let relay = ShortLinkRelay::from(&queue.relay);
            let link = InvitationShortLink { relay, link_id, link_key: offer.link_key };
            ShortLink::Invitation(link).to_string()
        });
    }
}

/// Signs with a key that is not needed again: what is shown of an invitation does not change.
fn seal(
    request: ConnectionRequest,
    shown: UserData,
    config: &AgentConfig,
    rng: &mut impl CryptoRng,
) -> Result<(LinkData<'static>, LinkKey), LinkDataError> {
    let root = Ed25519PrivateKey::generate(rng);
    let versions = config.versions.agent;
    let fixed = FixedLinkData { versions, root_key: root.public_key(), request, entity_id: None };
    let user = UserLinkData::Invitation { versions, user_data: shown };
    let link_key = fixed.link_key();
    let key = link_key.invitation_key();
    let data = LinkData {
        fixed: seal_fixed_data(&fixed, &root, &key, rng)?,
        user: seal_user_data(&user, &root, &key, rng)?,
    };
    Ok((data, link_key))
}
