//! The short link of a contact address, as its owner keeps it: what is behind it can be shown otherwise, and signed by others too.

use crate::config::AgentConfig;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::link_kdf::LinkKey;
use smp_crypto::{Ed25519PrivateKey, Ed25519PublicKey};
use smp_protocol::address::RelayAddress;
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{LargeString, List};
use smp_protocol::id::LinkId;
use smp_protocol::link::{
    ContactKind, ContactShortLink, LinkDataError, OwnerAuth, ShortLink, ShortLinkRelay, UserContactData,
    UserData, UserLinkData, seal_user_data,
};

/// Keys and content of the data behind a short link.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AddressLink {
    /// Signs what is shown.
    #[serde(with = "crate::stored")]
    pub(super) root_key: Ed25519PrivateKey,
    #[serde(with = "crate::stored")]
    pub(super) link_key: LinkKey,
    /// The part that never changes, as the relay has it.
    #[serde(with = "crate::stored")]
    pub(super) fixed: Vec<u8>,
    #[serde(with = "crate::stored")]
    pub(crate) shown: Vec<u8>,
    /// Further owners, in the order in which they were authorized.
    #[serde(with = "crate::stored")]
    pub(super) owners: Vec<OwnerAuth>,
}

impl AddressLink {
    /// Under which ID the relay has it.
    pub(crate) fn link_id(&self) -> LinkId {
        self.link_key.contact_link().link_id.into()
    }

    pub(super) fn short_link(&self, relay: &RelayAddress) -> ShortLink {
        let (relay, link_key) = (ShortLinkRelay::from(relay), self.link_key.clone());
        ShortLink::Contact(ContactShortLink { kind: ContactKind::Contact, relay, link_key })
    }

    /// The same, showing something else.
    pub(crate) fn showing(&self, shown: &[u8]) -> Self {
        Self { shown: shown.to_vec(), ..self.clone() }
    }

    /// The same with one more owner, who may replace what is shown.
    pub(crate) fn with_owner(&self, id: &[u8], key: Ed25519PublicKey) -> Option<Self> {
        let mut link = self.clone();
        link.owners.retain(|owner| owner.owner_id() != id);
        link.owners.push(OwnerAuth::authorize(id, key, &self.root_key).ok()?);
        smp_protocol::link::validate_owners(&self.root_key.public_key(), &link.owners).ok()?;
        Some(link)
    }

    /// The link data that the relay is to keep.
    pub(crate) fn data(
        &self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<LinkData<'static>, LinkDataError> {
        let user_data = UserData::new(self.shown.clone()).map_err(|_| LinkDataError::TooLarge)?;
        let owners = List::new(self.owners.clone()).map_err(|_| LinkDataError::TooLarge)?;
        let relays = List::new(Vec::new()).map_err(|_| LinkDataError::TooLarge)?;
        let contact = UserContactData { direct: true, owners, relays, user_data };
        let user = UserLinkData::Contact { versions: config.versions.agent, contact };
        let fixed = LargeString::new(self.fixed.clone()).map_err(|_| LinkDataError::TooLarge)?;
        let key = self.link_key.contact_link().key;
        Ok(LinkData { fixed, user: seal_user_data(&user, &self.root_key, &key, rng)? })
    }
}
