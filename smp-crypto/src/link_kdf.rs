//! Keys and IDs derived for short links (spec chapter `8-links.md`).

use crate::hash;
use crate::hkdf::hkdf_sha512;
use crate::secret_bytes;
use crate::{Nonce, SecretBoxKey};

secret_bytes!(
    /// The secret in a short link: SHA3-256 of the fixed link data (without its signature), 32 bytes.
    ///
    /// Source: section 8.3 (`protocol-spec/8-links.md`).
    LinkKey, 32
);

impl LinkKey {
    /// The key of a link with this fixed data.
    #[must_use]
    pub fn of_fixed_data(fixed_data: &[u8]) -> Self {
        Self(hash::sha3_256(fixed_data))
    }

    /// Id and encryption key of the link data behind a contact link: who knows the link key knows both.
    #[must_use]
    pub fn contact_link(&self) -> ContactLink {
        let derived = hkdf_sha512::<56>(&[], &self.0, b"SimpleXContactLink");
        let mut link = ContactLink { link_id: [0; 24], key: SecretBoxKey::from_bytes([0; 32]) };
        link.link_id.copy_from_slice(&derived[..24]);
        link.key.as_mut_bytes().copy_from_slice(&derived[24..]);
        link
    }

    /// Encryption key of the link data behind an invitation link. Its id is chosen by the relay.
    #[must_use]
    pub fn invitation_key(&self) -> SecretBoxKey {
        SecretBoxKey::from_bytes(*hkdf_sha512::<32>(&[], &self.0, b"SimpleXInvLink"))
    }
}

/// Keys and ID of a contact link.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactLink {
    /// Id under which the relay holds the link data: 24 bytes.
    pub link_id: [u8; 24],
    /// Key that encrypts the link data.
    pub key: SecretBoxKey,
}

/// Sender id of a queue that is created with link data: the first 24 bytes of SHA3-384 of the correlation id of `NEW`.
#[must_use]
pub fn sender_id(corr_id: &Nonce) -> [u8; 24] {
    let mut id = [0; 24];
    id.copy_from_slice(&hash::sha3_384(corr_id.as_bytes())[..24]);
    id
}
