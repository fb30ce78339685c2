//! The two queues of a connection.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::{
    DhSecret, Ed25519PrivateKey, PrivateAuthKey, PublicAuthKey, X25519PrivateKey, X25519PublicKey,
};
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{QueueAddress, QueueInfo, QueueMode};

use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::version::SmpClientVersion;

/// The queue in which this side receives.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ReceiveQueue {
    /// Where it is, without password.
    #[serde(with = "crate::stored")]
    pub(crate) relay: RelayAddress,
    /// Version of client messages: our newest one until the peer's is known.
    #[serde(with = "crate::stored")]
    pub(crate) client_version: SmpClientVersion,
    /// Signs our commands.
    #[serde(with = "crate::stored")]
    pub(crate) recipient_key: PrivateAuthKey,
    /// Our side of the agreement with the relay.
    #[serde(with = "crate::stored")]
    pub(crate) relay_dh_key: X25519PrivateKey,
    /// Our side of the agreement with the sender; its public key is in the link or the confirmation.
    #[serde(with = "crate::stored")]
    pub(crate) e2e_key: X25519PrivateKey,
    /// The relay's answer to NEW.
    pub(crate) created: Option<CreatedQueue>,
    /// The secret with the sender, since its confirmation.
    #[serde(with = "crate::stored")]
    pub(crate) e2e_secret: Option<DhSecret>,
    /// The sender's key, which KEY has yet to set.
    #[serde(with = "crate::stored")]
    pub(crate) sender_key: Option<PublicAuthKey>,
}

/// A relay's answer to NEW.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CreatedQueue {
    #[serde(with = "crate::stored")]
    pub(crate) recipient_id: RecipientId,
    #[serde(with = "crate::stored")]
    pub(crate) sender_id: SenderId,
    /// Under which ID the relay has what belongs to a short link.
    #[serde(with = "crate::stored")]
    pub(crate) link_id: Option<LinkId>,
    /// None with relays that do not know modes: then the recipient secures the queue.
    #[serde(with = "crate::stored")]
    pub(crate) mode: Option<QueueMode>,
    /// The secret with the relay.
    #[serde(with = "crate::stored")]
    pub(crate) relay_secret: DhSecret,
}

/// The queue to which this side sends.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SendQueue {
    /// Where it is.
    #[serde(with = "crate::stored")]
    pub(crate) relay: RelayAddress,
    /// Agreed version of client messages.
    #[serde(with = "crate::stored")]
    pub(crate) client_version: SmpClientVersion,
    #[serde(with = "crate::stored")]
    pub(crate) sender_id: SenderId,
    /// None if the peer's relay or version does not know modes.
    #[serde(with = "crate::stored")]
    pub(crate) mode: Option<QueueMode>,
    /// Signs our commands.
    #[serde(with = "crate::stored")]
    pub(crate) sender_key: PrivateAuthKey,
    /// Our public key for the agreement with the recipient, sent in the confirmation.
    #[serde(with = "crate::stored")]
    pub(crate) e2e_public: X25519PublicKey,
    /// The secret with the recipient.
    #[serde(with = "crate::stored")]
    pub(crate) e2e_secret: DhSecret,
}

impl ReceiveQueue {
    /// New keys for a queue on a relay.
    pub(super) fn new(
        relay: &RelayAddress,
        client_version: SmpClientVersion,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self {
            relay: relay.without_password(),
            client_version,
            recipient_key: Ed25519PrivateKey::generate(rng).into(),
            relay_dh_key: X25519PrivateKey::generate(rng),
            e2e_key: X25519PrivateKey::generate(rng),
            created: None,
            e2e_secret: None,
            sender_key: None,
        }
    }

    /// Whether another one was made with the same keys.
    pub(super) fn has_keys_of(&self, other: &Self) -> bool {
        self.recipient_key.public_key() == other.recipient_key.public_key()
    }

    /// Whether the sender secures the queue itself, by SKEY.
    pub(crate) fn sender_can_secure(&self) -> bool {
        self.created.as_ref().is_some_and(|created| created.mode == Some(QueueMode::Messaging))
    }

    /// The address for the sender; None until the relay has made the queue.
    pub(super) fn address(&self) -> Option<QueueAddress> {
        let created = self.created.as_ref()?;
        Some(QueueAddress {
            relay: self.relay.clone(),
            sender_id: created.sender_id.clone(),
            dh_key: self.e2e_key.public_key(),
            mode: created.mode,
        })
    }

    /// The address in the agreed version, for a confirmation.
    pub(super) fn info(&self) -> Option<QueueInfo> {
        let mut address = self.address()?;
        // Without any mode the reader would take the first letter of what follows for one.
        address.mode.get_or_insert(QueueMode::Contact);
        Some(QueueInfo { version: self.client_version, address })
    }

    /// Takes the sender's half of the keys, from its confirmation.
    pub(super) fn confirm(
        &mut self,
        e2e_secret: DhSecret,
        version: SmpClientVersion,
        sender_key: Option<PublicAuthKey>,
    ) {
        self.e2e_secret = Some(e2e_secret);
        self.client_version = self.client_version.min(version);
        self.sender_key = sender_key;
    }
}

impl SendQueue {
    /// New keys for the queue of a peer. Commands about one that its sender secures are authenticated: its relay can, and it costs
    /// half of what a signature of 16 KiB does.
    pub(super) fn new(queue: QueueInfo, rng: &mut impl CryptoRng) -> Self {
        let sender_key = match queue.address.mode {
            Some(QueueMode::Messaging) => X25519PrivateKey::generate(rng).into(),
            Some(QueueMode::Contact) | None => Ed25519PrivateKey::generate(rng).into(),
        };
        Self::secured(queue, sender_key, rng)
    }

    /// The queue of a peer that may be secured with a key already.
    pub(super) fn secured(queue: QueueInfo, sender_key: PrivateAuthKey, rng: &mut impl CryptoRng) -> Self {
        let QueueInfo { version, address } = queue;
        let e2e_key = X25519PrivateKey::generate(rng);
        Self {
            relay: address.relay,
            client_version: version,
            sender_id: address.sender_id,
            mode: address.mode,
            sender_key,
            e2e_public: e2e_key.public_key(),
            e2e_secret: e2e_key.agree(&address.dh_key),
        }
    }

    /// Whether this side secures the queue itself, by SKEY.
    pub(crate) fn sender_can_secure(&self) -> bool {
        self.mode == Some(QueueMode::Messaging)
    }
}
