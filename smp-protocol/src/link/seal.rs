//! Signing, encrypting, and reading link data.

use rand::CryptoRng;
use smp_crypto::link_kdf::LinkKey;
use smp_crypto::{Ed25519PrivateKey, Ed25519PublicKey, Nonce, SecretBoxKey};
use thiserror::Error;

use super::{ConnectionRequest, FixedLinkData, OpenedLinkData, OwnerError, UserLinkData, validate_owners};
use crate::command::LinkData;
use crate::encoding::{Decode, Encode, LargeString, Reader, ShortString, from_bytes, to_bytes};

/// To which length signed fixed data is padded; encrypted it has 40 bytes more.
pub const FIXED_DATA_LENGTH: usize = 2008;
/// To which length signed user data is padded; encrypted it has 40 bytes more.
pub const USER_DATA_LENGTH: usize = 13_784;

/// Link data could not be made, or must not be used.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkDataError {
    /// The data does not fit: shorten the user data.
    #[error("the link data is too large")]
    TooLarge,
    /// The data was damaged, or belongs to another link.
    #[error("the link data cannot be decrypted")]
    Decrypt,
    /// It is not link data: perhaps a newer application made it.
    #[error("the link data cannot be read")]
    Malformed,
    /// The relay gave other data than that for which the link was made.
    #[error("link data hash")]
    Hash,
    /// The data was not signed with its own root key.
    #[error("link data signature")]
    FixedSignature,
    /// The changeable part was not signed by an owner.
    #[error("user data signature")]
    UserSignature,
    /// The list of owners is not valid.
    #[error(transparent)]
    Owners(#[from] OwnerError),
}

/// Signs and encrypts fixed data: what `NEW` or `LSET` store, 2048 bytes.
///
/// `root` is the private key of [`FixedLinkData::root_key`], `key` the one derived from [`FixedLinkData::link_key`].
///
/// # Errors
/// [`LinkDataError::TooLarge`].
pub fn seal_fixed_data(
    data: &FixedLinkData,
    root: &Ed25519PrivateKey,
    key: &SecretBoxKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<LargeString<'static>, LinkDataError> {
    seal(&sign(data, root), FIXED_DATA_LENGTH, key, rng)
}

/// Signs and encrypts user data, 13824 bytes, with the root key or that of an owner listed in the data.
///
/// # Errors
/// [`LinkDataError::TooLarge`].
pub fn seal_user_data(
    data: &UserLinkData,
    owner: &Ed25519PrivateKey,
    key: &SecretBoxKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<LargeString<'static>, LinkDataError> {
    seal(&sign(data, owner), USER_DATA_LENGTH, key, rng)
}

/// Decrypts and verifies link data as the relay gave it; `key` is the one derived from `link_key`.
///
/// # Errors
/// Any [`LinkDataError`] but `TooLarge`: nothing of the data must be used then.
pub fn open_link_data(
    link_key: &LinkKey,
    key: &SecretBoxKey,
    sealed: &LinkData<'_>,
) -> Result<OpenedLinkData, LinkDataError> {
    let fixed = open(sealed.fixed.as_bytes(), key)?;
    let user = open(sealed.user.as_bytes(), key)?;
    let (fixed_signature, fixed) = split_signature(&fixed)?;
    let (user_signature, user) = split_signature(&user)?;
    let data = OpenedLinkData { fixed: decode(fixed)?, user: decode(user)? };
    if !same_kind(&data) {
        return Err(LinkDataError::Malformed);
    }
    let root_key = &data.fixed.root_key;
    if LinkKey::of_fixed_data(fixed) != *link_key {
        return Err(LinkDataError::Hash);
    }
    if !root_key.verify(fixed, &fixed_signature) {
        return Err(LinkDataError::FixedSignature);
    }
    let owners = data.user.owners();
    validate_owners(root_key, owners)?;
    let mut signers = std::iter::once(root_key).chain(owners.iter().map(|owner| owner.owner_key()));
    if !signers.any(|key: &Ed25519PublicKey| key.verify(user, &user_signature)) {
        return Err(LinkDataError::UserSignature);
    }
    Ok(data)
}

fn same_kind(data: &OpenedLinkData) -> bool {
    matches!(
        (&data.fixed.request, &data.user),
        (ConnectionRequest::Invitation(_), UserLinkData::Invitation { .. })
            | (ConnectionRequest::Contact(_), UserLinkData::Contact { .. })
    )
}

/// A length byte, the signature, the data.
fn sign(data: &impl Encode, key: &Ed25519PrivateKey) -> Vec<u8> {
    let data = to_bytes(data);
    let signature = key.sign(&data);
    let mut signed = Vec::with_capacity(1 + signature.len() + data.len());
    signed.push(signature.len() as u8);
    signed.extend_from_slice(&signature);
    signed.extend_from_slice(&data);
    signed
}

fn split_signature(signed: &[u8]) -> Result<([u8; 64], &[u8]), LinkDataError> {
    let mut input = Reader::new(signed);
    let signature: ShortString<'_> = input.read().map_err(|_| LinkDataError::Malformed)?;
    let signature = signature.as_bytes().try_into().map_err(|_| LinkDataError::Malformed)?;
    Ok((signature, input.rest()))
}

/// A nonce, then the box.
fn seal(
    signed: &[u8],
    padded_length: usize,
    key: &SecretBoxKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<LargeString<'static>, LinkDataError> {
    let nonce = Nonce::generate(rng);
    let sealed =
        key.box_key().seal_padded(&nonce, signed, padded_length).map_err(|_| LinkDataError::TooLarge)?;
    LargeString::new([nonce.as_bytes().as_slice(), &sealed].concat()).map_err(|_| LinkDataError::TooLarge)
}

fn open(sealed: &[u8], key: &SecretBoxKey) -> Result<Vec<u8>, LinkDataError> {
    let (nonce, sealed) = sealed.split_first_chunk().ok_or(LinkDataError::Malformed)?;
    key.box_key().open_padded(&Nonce::from_bytes(*nonce), sealed).map_err(|_| LinkDataError::Decrypt)
}

fn decode<'a, T: Decode<'a>>(data: &'a [u8]) -> Result<T, LinkDataError> {
    from_bytes(data).map_err(|_| LinkDataError::Malformed)
}
