//! Additional owners of an address: keys that may change what its link shows.

use smp_crypto::{Ed25519PrivateKey, Ed25519PublicKey};
use thiserror::Error;

use crate::base64url;
use crate::encoding::{Decode, DecodeError, Encode, MAX_SHORT_STRING, Reader, ShortString, TooLong};

/// Bytes that an owner's record has besides the ID: three length bytes, the key's DER, the signature.
const RECORD_OVERHEAD: usize = 3 + Ed25519PublicKey::DER_SIZE + Ed25519PublicKey::SIGNATURE_SIZE;
/// The longest owner ID in bytes: its record must fit into a short string.
pub const MAX_OWNER_ID: usize = MAX_SHORT_STRING - RECORD_OVERHEAD;

/// That an owner may sign user data: authorized by the root key, or by an owner listed before.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerAuth {
    owner_id: Vec<u8>,
    owner_key: Ed25519PublicKey,
    signature: [u8; Ed25519PublicKey::SIGNATURE_SIZE],
}

/// A list of owners is not valid, so nothing that they signed is.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OwnerError {
    /// The root key needs no authorization and must not be listed.
    #[error("owner key for ID {0} matches root key")]
    RootKey(String),
    /// IDs and keys are unique.
    #[error("duplicate owner key or ID {0}")]
    Duplicate(String),
    /// Not authorized by the root key or an owner before.
    #[error("invalid authorization of owner ID {0}")]
    Unauthorized(String),
}

impl OwnerAuth {
    /// Authorizes an owner with the root key, or with that of an owner listed before.
    ///
    /// # Errors
    /// [`TooLong`] if the ID has more than [`MAX_OWNER_ID`] bytes.
    pub fn authorize(
        owner_id: &[u8],
        owner_key: Ed25519PublicKey,
        authorized_by: &Ed25519PrivateKey,
    ) -> Result<Self, TooLong> {
        let signature = authorized_by.sign(&signed_bytes(owner_id, &owner_key));
        Self::new(owner_id, owner_key, signature)
    }

    /// Takes an authorization that was made elsewhere. It is not verified here, see [`validate_owners`].
    ///
    /// # Errors
    /// [`TooLong`] if the ID has more than [`MAX_OWNER_ID`] bytes.
    pub fn new(owner_id: &[u8], owner_key: Ed25519PublicKey, signature: [u8; 64]) -> Result<Self, TooLong> {
        if owner_id.len() > MAX_OWNER_ID {
            return Err(TooLong { length: owner_id.len(), maximum: MAX_OWNER_ID });
        }
        Ok(Self { owner_id: owner_id.to_vec(), owner_key, signature })
    }

    /// The ID, given by the application.
    #[must_use]
    pub fn owner_id(&self) -> &[u8] {
        &self.owner_id
    }

    /// The owner's key.
    #[must_use]
    pub fn owner_key(&self) -> &Ed25519PublicKey {
        &self.owner_key
    }

    /// The authorization.
    #[must_use]
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    fn is_authorized_by(&self, key: &Ed25519PublicKey) -> bool {
        key.verify(&signed_bytes(&self.owner_id, &self.owner_key), &self.signature)
    }
}

fn signed_bytes(owner_id: &[u8], owner_key: &Ed25519PublicKey) -> Vec<u8> {
    [owner_id, &owner_key.to_der()].concat()
}

/// Checks that every owner was authorized by the root key or by an owner before, and that IDs and keys are unique.
///
/// Verifies up to n² / 2 signatures for n owners; a list on the wire has at most 255, and link data has room for fewer.
///
/// # Errors
/// [`OwnerError`] for the first owner that is not valid.
pub fn validate_owners(root_key: &Ed25519PublicKey, owners: &[OwnerAuth]) -> Result<(), OwnerError> {
    for (index, owner) in owners.iter().enumerate() {
        let id = || base64url::encode_unpadded(&owner.owner_id);
        let before = &owners[..index];
        if owner.owner_key == *root_key {
            return Err(OwnerError::RootKey(id()));
        }
        if before.iter().any(|other| other.owner_id == owner.owner_id || other.owner_key == owner.owner_key) {
            return Err(OwnerError::Duplicate(id()));
        }
        let mut keys = std::iter::once(root_key).chain(before.iter().map(|other| &other.owner_key));
        if !keys.any(|key| owner.is_authorized_by(key)) {
            return Err(OwnerError::Unauthorized(id()));
        }
    }
    Ok(())
}

/// A short string with: ID, key, signature. Its length lets later versions add something.
impl Encode for OwnerAuth {
    fn encode(&self, out: &mut Vec<u8>) {
        // The constructors have checked that all of it fits.
        out.push((RECORD_OVERHEAD + self.owner_id.len()) as u8);
        out.push(self.owner_id.len() as u8);
        out.extend_from_slice(&self.owner_id);
        self.owner_key.encode(out);
        out.push(self.signature.len() as u8);
        out.extend_from_slice(&self.signature);
    }
}

impl Decode<'_> for OwnerAuth {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let record: ShortString<'_> = input.read()?;
        let mut record = Reader::new(record.as_bytes());
        let (owner_id, owner_key, signature): (ShortString<'_>, _, ShortString<'_>) = record.read()?;
        // Further bytes of the record are for later versions.
        let signature = signature.as_bytes().try_into().map_err(|_| DecodeError::Invalid("signature"))?;
        Self::new(owner_id.as_bytes(), owner_key, signature).map_err(|_| DecodeError::Invalid("owner ID"))
    }
}
