//! The side that joins or asks by a short link: first it fetches what the link stands for (chapter 8).

use super::{Connection, Contact, Effects, Invitation, Phase, Role, SendQueue, StateError};
use crate::config::AgentConfig;
use crate::error::{ConnectionError, LinkError};
use crate::event::Event;
use crate::relay_set::RelayEntry;
use rand::CryptoRng;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smp_crypto::{PrivateAuthKey, X25519PrivateKey};
use smp_protocol::address::RelayAddress;
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{Decode, DecodeError, Encode, Reader, from_bytes, to_bytes, to_text};
use smp_protocol::id::{LinkId, SenderId};
use smp_protocol::link::{
    ConnectionRequest, ContactRequest, InvitationRequest, ShortLink, UserLinkData, open_link_data,
};
use std::fmt;
use zeroize::Zeroizing;

/// A short link, and the key with which what is behind it is fetched, again and again until the relay answers.
#[derive(Clone)]
pub(crate) struct LinkFetch {
    pub(crate) link: ShortLink,
    /// The link's relay, as it was found when the link was joined.
    pub(crate) relay: RelayAddress,
    /// Of an invitation: secures the queue together with the fetch, and signs our commands afterwards.
    pub(crate) sender_key: PrivateAuthKey,
}

/// The content of link data, opened and checked.
pub(crate) struct BehindLink {
    pub(crate) request: ConnectionRequest,
    /// For the application.
    pub(crate) shown: Vec<u8>,
}

impl LinkFetch {
    /// New keys to fetch what is behind a link. One that leaves out the fingerprint of its relay means one of these relays.
    pub(crate) fn new(
        link: ShortLink,
        relays: &[RelayEntry],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, LinkError> {
        let relay = link
            .relay()
            .resolve(relays.iter().map(|relay| &relay.address))
            .ok_or_else(|| LinkError::UnknownRelay(to_text(link.relay().hosts.first())))?;
        Ok(Self { link, relay, sender_key: X25519PrivateKey::generate(rng).into() })
    }

    /// Under which ID the relay has the data.
    pub(crate) fn link_id(&self) -> LinkId {
        self.link.data_credentials().0
    }

    /// Decrypts and checks the relay's data.
    pub(crate) fn open(
        &self,
        sender_id: &SenderId,
        data: &LinkData<'_>,
    ) -> Result<BehindLink, ConnectionError> {
        let unusable = |reason: &dyn fmt::Display| ConnectionError::LinkData(reason.to_string());
        let (_, key) = self.link.data_credentials();
        let opened = open_link_data(self.link.link_key(), &key, data).map_err(|error| unusable(&error))?;
        if !opened.is_at(self.link.relay(), sender_id) {
            return Err(unusable(&"it was made for another queue"));
        }
        match (&self.link, &opened.fixed.request, &opened.user) {
            (ShortLink::Invitation(_), ConnectionRequest::Invitation(_), _) => {}
            (ShortLink::Contact(_), ConnectionRequest::Contact(_), UserLinkData::Contact { contact, .. }) => {
                if !contact.direct {
                    return Err(unusable(&"it takes requests through relays of groups only"));
                }
            }
            (ShortLink::Invitation(_), ..) => return Err(unusable(&"it is not an invitation")),
            (ShortLink::Contact(_), ..) => return Err(unusable(&"it is not a contact address")),
        }
        let shown = opened.user.user_data().as_bytes().to_vec();
        Ok(BehindLink { request: opened.fixed.request, shown })
    }
}

/// For the database.
impl Encode for LinkFetch {
    fn encode(&self, out: &mut Vec<u8>) {
        self.link.encode(out);
        self.relay.encode(out);
        out.extend_from_slice(&self.sender_key.to_der());
    }
}

impl Decode<'_> for LinkFetch {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (link, relay) = input.read()?;
        let sender_key = PrivateAuthKey::from_der(input.rest()).map_err(|_| DecodeError::Invalid("key"))?;
        Ok(Self { link, relay, sender_key })
    }
}

impl Serialize for LinkFetch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&Zeroizing::new(to_bytes(self)))
    }
}

impl<'de> Deserialize<'de> for LinkFetch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Zeroizing::new(crate::stored::deserialize::<Vec<u8>, D>(deserializer)?);
        from_bytes(&bytes).map_err(|_| D::Error::custom("not what is needed to fetch a link"))
    }
}

impl Connection {
    /// A connection that begins with a short link; its own queue is to be made on `relay`.
    pub(crate) fn join_short(
        fetch: LinkFetch,
        own_info: &[u8],
        relay: &RelayAddress,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let role = match fetch.link {
            ShortLink::Invitation(_) => Role::Joiner,
            ShortLink::Contact(_) => Role::Initiator,
        };
        let mut connection = Self::beginning(role, Phase::FetchingLink, relay, config, rng);
        connection.own_info = own_info.to_vec();
        connection.link_fetch = Some(fetch);
        connection
    }

    /// LKEY or LGET is done: what is behind the link is here. With an invitation, its queue takes messages of this side only.
    pub(crate) fn link_fetched(
        &mut self,
        sender_id: &SenderId,
        data: &LinkData<'_>,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.phase != Phase::FetchingLink {
            return Ok(());
        }
        let fetch = self.link_fetch.take().ok_or(StateError)?;
        let behind = match fetch.open(sender_id, data) {
            Ok(behind) => behind,
            Err(error) => {
                self.fail(error, effects);
                return Ok(());
            }
        };
        let agreed = match behind.request {
            ConnectionRequest::Invitation(request) => self.join_fetched(*request, fetch, config, rng)?,
            ConnectionRequest::Contact(request) => self.ask_fetched(&request, fetch, config, rng)?,
        };
        if !agreed {
            self.fail(ConnectionError::Version, effects);
        } else if !behind.shown.is_empty() {
            effects.events.push(Event::LinkShown { connection: self.id, shown: behind.shown });
        }
        Ok(())
    }

    /// False if there is no version that both sides speak.
    fn join_fetched(
        &mut self,
        request: InvitationRequest,
        fetch: LinkFetch,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, StateError> {
        let Ok(mut invitation) = Invitation::agree(request, config) else { return Ok(false) };
        // As the link has it: that is where the key was set.
        invitation.queue.address.relay = fetch.relay;
        let receive = self.receive.as_mut().ok_or(StateError)?;
        receive.client_version = invitation.queue.version;
        self.agent_version = invitation.agent_version;
        self.pq_support = invitation.pq_support(config);
        let (keys, ratchet) = invitation.ratchet_keys(config, rng)?;
        self.initial_keys = Some(keys);
        self.ratchet = Some(ratchet);
        self.send = Some(SendQueue::secured(invitation.queue, fetch.sender_key, rng));
        self.phase = Phase::Creating;
        Ok(true)
    }

    /// False if there is no version that both sides speak.
    fn ask_fetched(
        &mut self,
        request: &ContactRequest,
        fetch: LinkFetch,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, StateError> {
        let Ok(mut contact) = Contact::agree(request, config) else { return Ok(false) };
        contact.queue.address.relay = fetch.relay;
        self.begin_asking(contact, config, rng);
        Ok(true)
    }
}
