//! The side that joins a short invitation: first it fetches what the link stands for (chapter 8).

use super::{
    ChainEnd, Condition, Connection, Effects, Invitation, Phase, ReceiveQueue, Role, SendQueue, StateError,
    Waiting,
};
use crate::config::AgentConfig;
use crate::error::{ConnectionError, LinkError};
use crate::id::{ConnectionId, MessageId};
use rand::CryptoRng;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey};
use smp_protocol::address::RelayAddress;
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{Decode, DecodeError, Encode, Reader, from_bytes, to_bytes, to_text};
use smp_protocol::id::SenderId;
use smp_protocol::link::{
    ConnectionRequest, InvitationRequest, InvitationShortLink, ShortLink, open_link_data,
};
use std::fmt;
use zeroize::Zeroizing;

/// What is needed to fetch the invitation behind a short link, again and again until the relay answers.
#[derive(Clone)]
pub(crate) struct LinkFetch {
    pub(crate) link: InvitationShortLink,
    /// The link's relay, as it was found when the link was joined.
    pub(crate) relay: RelayAddress,
    /// Secures the queue together with the fetch, and signs our commands afterwards.
    pub(crate) sender_key: PrivateAuthKey,
}

impl LinkFetch {
    /// New keys to fetch the invitation behind a link.
    pub(crate) fn new(
        link: InvitationShortLink,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, LinkError> {
        let relay = link
            .relay
            .resolve(&config.relays)
            .ok_or_else(|| LinkError::UnknownRelay(to_text(link.relay.hosts.first())))?;
        Ok(Self { link, relay, sender_key: Ed25519PrivateKey::generate(rng).into() })
    }

    /// Decrypts and checks what the relay has under the link.
    fn open(&self, sender_id: &SenderId, data: &LinkData<'_>) -> Result<InvitationRequest, ConnectionError> {
        let unusable = |reason: &dyn fmt::Display| ConnectionError::LinkData(reason.to_string());
        let key = self.link.link_key.invitation_key();
        let opened = open_link_data(&self.link.link_key, &key, data).map_err(|error| unusable(&error))?;
        if !opened.is_at(&self.link.relay, sender_id) {
            return Err(unusable(&"it was made for another queue"));
        }
        match opened.fixed.request {
            ConnectionRequest::Invitation(request) => Ok(*request),
            ConnectionRequest::Contact(_) => Err(unusable(&"it is not an invitation")),
        }
    }
}

/// For the database.
impl Encode for LinkFetch {
    fn encode(&self, out: &mut Vec<u8>) {
        ShortLink::Invitation(self.link.clone()).encode(out);
        self.relay.encode(out);
        out.extend_from_slice(&self.sender_key.to_der());
    }
}

impl Decode<'_> for LinkFetch {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ShortLink::Invitation(link) = input.read()? else {
            return Err(DecodeError::Invalid("kind of short link"));
        };
        let relay = input.read()?;
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
        let versions = &config.versions;
        Self {
            id: ConnectionId::new(0),
            role: Role::Joiner,
            phase: Phase::FetchingLink,
            agent_version: versions.agent.max(),
            pq_support: config.pq,
            own_info: own_info.to_vec(),
            link: None,
            short_link: None,
            link_fetch: Some(fetch),
            initial_keys: None,
            ratchet: None,
            skipped: Vec::new().into(),
            resync: super::Resync::default(),
            moving: super::Moving::default(),
            sent: ChainEnd::default(),
            received: ChainEnd::default(),
            last_message: MessageId::new(0),
            undelivered: 0,
            waiting: Waiting::default(),
            condition: Condition::default(),
            receive: Some(ReceiveQueue::new(relay, versions.client.max(), rng)),
            send: None,
        }
    }

    /// LKEY is done: the inviting side's queue takes messages of this side only, and the invitation is here.
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
        let request = match fetch.open(sender_id, data) {
            Ok(request) => request,
            Err(error) => {
                self.fail(error, effects);
                return Ok(());
            }
        };
        let Ok(mut invitation) = Invitation::agree(request, config) else {
            self.fail(ConnectionError::Version, effects);
            return Ok(());
        };
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
        Ok(())
    }
}
