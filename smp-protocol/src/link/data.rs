//! Link data: stored on a relay for a short link, here before encryption.

use smp_crypto::Ed25519PublicKey;
use smp_crypto::link_kdf::LinkKey;

use super::{ConnectionRequest, ContactShortLink, OwnerAuth, ShortLinkRelay, UserData};
use crate::encoding::{Decode, DecodeError, Encode, List, Reader, ShortString, to_bytes};
use crate::id::SenderId;
use crate::version::{AgentVersion, VersionRange};

/// An ID that ties a link to something of the application: 0 to 255 bytes.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
pub type LinkEntityId = ShortString<'static>;

/// The part of link data that never changes: the link key is its hash, so a link cannot be made to mean another thing.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedLinkData {
    /// The agent versions of the owner.
    pub versions: VersionRange<AgentVersion>,
    /// The key that signs this part, and the user data unless there are other owners.
    pub root_key: Ed25519PublicKey,
    /// How to connect.
    pub request: ConnectionRequest,
    /// For the application.
    pub entity_id: Option<LinkEntityId>,
}

impl FixedLinkData {
    /// The secret of the link with this data.
    #[must_use]
    pub fn link_key(&self) -> LinkKey {
        LinkKey::of_fixed_data(&to_bytes(self))
    }
}

/// The part of link data that its owners may replace.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserLinkData {
    /// Of an invitation.
    Invitation {
        /// The agent versions of the owner.
        versions: VersionRange<AgentVersion>,
        /// For the application.
        user_data: UserData,
    },
    /// Of a contact address.
    Contact {
        /// The agent versions of the owner.
        versions: VersionRange<AgentVersion>,
        /// The part that only addresses have.
        contact: UserContactData,
    },
}

/// The changeable part of a contact address.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserContactData {
    /// Whether requests may be sent to the queue in the fixed data; otherwise only through [`Self::relays`].
    pub direct: bool,
    /// Further keys that may sign this data.
    pub owners: List<OwnerAuth>,
    /// Addresses of group relays that take requests for this address. Their scheme is not written.
    pub relays: List<ContactShortLink>,
    /// For the application.
    pub user_data: UserData,
}

impl UserLinkData {
    /// The application's data.
    #[must_use]
    pub fn user_data(&self) -> &UserData {
        match self {
            Self::Invitation { user_data, .. } => user_data,
            Self::Contact { contact, .. } => &contact.user_data,
        }
    }

    /// The owners besides the root key.
    #[must_use]
    pub fn owners(&self) -> &[OwnerAuth] {
        match self {
            Self::Invitation { .. } => &[],
            Self::Contact { contact, .. } => contact.owners.as_slice(),
        }
    }
}

/// Both parts of link data, decrypted and verified; see also [`OpenedLinkData::is_at`]. Encrypted they are [`command::LinkData`](crate::command::LinkData).
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedLinkData {
    /// The part that never changes.
    pub fixed: FixedLinkData,
    /// The part that may change; of the same kind as the connection request.
    pub user: UserLinkData,
}

impl OpenedLinkData {
    /// Whether the data describes the queue at which it was found: it is on the link's relay (its first host is among
    /// the queue's), and its sender ID is the one that the relay gave along with the data.
    ///
    /// Check it before connecting: else a relay could hand out data that was made for another queue.
    #[must_use]
    pub fn is_at(&self, relay: &ShortLinkRelay, sender_id: &SenderId) -> bool {
        let queue = &self.fixed.request.queues().first().address;
        queue.relay.hosts.as_slice().contains(relay.hosts.first()) && queue.sender_id == *sender_id
    }
}

impl Encode for FixedLinkData {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.versions, &self.root_key, &self.request).encode(out);
        // Absent or not: there is no mark.
        self.entity_id.iter().for_each(|id| id.encode(out));
    }
}

/// Takes all of the input: what follows is for later versions.
impl Decode<'_> for FixedLinkData {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (versions, root_key, request) = input.read()?;
        let entity_id = Reader::new(input.rest()).read::<ShortString<'_>>().ok().map(ShortString::into_owned);
        Ok(Self { versions, root_key, request, entity_id })
    }
}

impl Encode for UserLinkData {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Invitation { versions, user_data } => {
                out.push(b'I');
                (versions, user_data).encode(out);
            }
            Self::Contact { versions, contact } => {
                out.push(b'C');
                (versions, contact.direct, &contact.owners, &contact.relays, &contact.user_data).encode(out);
            }
        }
    }
}

/// Takes all of the input: what follows is for later versions.
impl Decode<'_> for UserLinkData {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let data = match input.byte()? {
            b'I' => {
                let (versions, user_data) = input.read()?;
                Self::Invitation { versions, user_data }
            }
            b'C' => {
                let (versions, direct, owners, relays, user_data) = input.read()?;
                Self::Contact { versions, contact: UserContactData { direct, owners, relays, user_data } }
            }
            _ => return Err(DecodeError::Invalid("kind of link data")),
        };
        input.rest();
        Ok(data)
    }
}
