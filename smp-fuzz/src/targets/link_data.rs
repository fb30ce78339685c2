//! The data of a short link. First byte: whether the other bytes are the two boxes that a relay gives out, or the two signed
//! parts in them, or the two parts without signatures, which then are signed with a key of ours (two bytes of length in front
//! of the first). Parts whose root key is ours pass all checks: as if the owner of the link were hostile.

use smp_crypto::link_kdf::LinkKey;
use smp_crypto::{Ed25519PrivateKey, Nonce, SecretBoxKey};
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{LargeString, to_bytes};
use smp_protocol::link::{
    FixedLinkData, LinkDataError, OpenedLinkData, OwnerAuth, UserData, UserLinkData, open_link_data,
};

use crate::check::{join_parts, settles, two_parts, uri_settles, way};
use crate::seeds::Vectors;

const NONCE: [u8; 24] = [21; 24];
const ROOT: [u8; 32] = [22; 32];

/// Opens and verifies the data.
pub fn run(data: &[u8]) {
    let Some((way, rest)) = way(data, 3) else { return };
    let Some((fixed, user)) = two_parts(rest) else { return };
    let key = SecretBoxKey::from_bytes([23; 32]);
    match way {
        0 => {
            let opened = open(&LinkKey::from_bytes([24; 32]), &key, fixed, user);
            assert!(matches!(opened, Err(LinkDataError::Decrypt | LinkDataError::Malformed)));
        }
        1 => {
            // Fixed data follows the signature.
            let link_key = LinkKey::of_fixed_data(fixed.get(65..).unwrap_or_default());
            let _ = open(&link_key, &key, &seal(&key, fixed), &seal(&key, user));
        }
        _ => signed(&key, fixed, user),
    }
}

fn signed(key: &SecretBoxKey, fixed: &[u8], user: &[u8]) {
    settles!(FixedLinkData, fixed, |data| data.request.queues().iter().all(uri_settles));
    settles!(UserLinkData, user);
    settles!(OwnerAuth, user);
    settles!(UserData, user);
    let root = Ed25519PrivateKey::from_bytes(ROOT);
    let sign = |part: &[u8]| [&[64], &root.sign(part)[..], part].concat();
    let (sealed_fixed, sealed_user) = (seal(key, &sign(fixed)), seal(key, &sign(user)));
    if let Ok(data) = open(&LinkKey::of_fixed_data(fixed), key, &sealed_fixed, &sealed_user) {
        assert_eq!(data.fixed.root_key, root.public_key());
    }
    assert!(open(&LinkKey::from_bytes([25; 32]), key, &sealed_fixed, &sealed_user).is_err());
}

fn open(
    link_key: &LinkKey,
    key: &SecretBoxKey,
    fixed: &[u8],
    user: &[u8],
) -> Result<OpenedLinkData, LinkDataError> {
    let part = |bytes| LargeString::new(bytes).map_err(|_| LinkDataError::TooLarge);
    open_link_data(link_key, key, &LinkData { fixed: part(fixed)?, user: part(user)? })
}

fn seal(key: &SecretBoxKey, part: &[u8]) -> Vec<u8> {
    let padded = key.box_key().seal_padded(&Nonce::from_bytes(NONCE), part, part.len() + 2);
    [&NONCE[..], &padded.unwrap_or_default()].concat()
}

/// Link data of the vectors; without signatures with our root key in place of theirs.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let our_key = to_bytes(&Ed25519PrivateKey::from_bytes(ROOT).public_key());
    for case in vectors.cases("links", &["link_data", "link_decrypt"]) {
        let field = |name: &str| case[name].as_str().and_then(|text| hex::decode(text).ok());
        let parts = |way: u8, names: [&str; 2]| {
            let [fixed, user] = names.map(field);
            Some([&[way], &join_parts(&fixed?, &user?)[..]].concat())
        };
        seeds.extend(parts(0, ["encrypted_fixed_data", "encrypted_user_data"]));
        seeds.extend(parts(1, ["signed_fixed_data", "signed_user_data"]));
        let (Some(fixed), Some(user)) = (field("signed_fixed_data"), field("signed_user_data")) else {
            continue;
        };
        let (Some(fixed), Some(user)) = (fixed.get(65..), user.get(65..)) else { continue };
        let mut fixed = fixed.to_vec();
        // The key follows the version range.
        if let Some(key) = fixed.get_mut(4..4 + our_key.len()) {
            key.copy_from_slice(&our_key);
        }
        seeds.push([&[2], &join_parts(&fixed, user)[..]].concat());
    }
    for owner in vectors.bytes("links", &["owner"], "encoded") {
        seeds.push([&[2], &join_parts(&[], &owner)[..]].concat());
    }
    seeds
}
