//! Link data.

use std::convert::Infallible;

use rand::{TryCryptoRng, TryRng};
use serde_json::Value;
use smp_crypto::link_kdf::LinkKey;
use smp_crypto::{Ed25519PrivateKey, Nonce, SecretBoxKey};
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{DecodeError, Encode, LargeString, List, ShortString, from_bytes, to_bytes};
use smp_protocol::id::SenderId;
use smp_protocol::link::{
    ConnectionRequest, ContactShortLink, FIXED_DATA_LENGTH, FixedLinkData, LinkDataError, OpenedLinkData,
    OwnerAuth, ShortLink, ShortLinkRelay, USER_DATA_LENGTH, UserContactData, UserData, UserLinkData,
    open_link_data, seal_fixed_data, seal_user_data, validate_owners,
};

use super::short::short_link;
use crate::agent_support::values::{connection_request, ed25519, range};
use crate::agent_support::{
    array, assert_bytes, bytes, check_fields, fields, list, number, optional, ramp, result, text,
};

/// Gives the recorded bytes, once.
struct Recorded(Vec<u8>);

impl TryRng for Recorded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("only bytes are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("only bytes are asked for")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        self.0.clear();
        Ok(())
    }
}

impl TryCryptoRng for Recorded {}

fn key_pair(value: &Value) -> Ed25519PrivateKey {
    let [algorithm, private, public, der] = fields(value, ["algorithm", "private", "public", "public_der"]);
    assert_eq!(text(algorithm), "Ed25519");
    let key = Ed25519PrivateKey::from_bytes(array(private));
    assert_eq!(key.public_key().as_bytes(), &array(public));
    assert_eq!(key.public_key(), ed25519(der));
    key
}

fn owner_auth(value: &Value) -> OwnerAuth {
    let [id, key, signature] = fields(value, ["owner_id", "owner_key_der", "signature"]);
    OwnerAuth::new(&bytes(id), ed25519(key), array(signature)).unwrap()
}

pub(crate) fn owner(case: &Value) {
    let names = ["owner_id", "owner_key_pair", "authorized_by", "signed_bytes", "signature", "encoded"];
    check_fields(case, &names, &[]);
    let authorized_by = key_pair(&case["authorized_by"]);
    let key = key_pair(&case["owner_key_pair"]).public_key();
    let owner = OwnerAuth::authorize(&bytes(&case["owner_id"]), key, &authorized_by).unwrap();
    assert_eq!(owner.signature(), &array(&case["signature"]));
    assert!(authorized_by.public_key().verify(&bytes(&case["signed_bytes"]), owner.signature()));
    assert_eq!(hex::encode(to_bytes(&owner)), text(&case["encoded"]));
    assert_eq!(from_bytes(&bytes(&case["encoded"])), Ok(owner));
}

pub(crate) fn owner_read(case: &Value) {
    check_fields(case, &["input", "result"], &[]);
    let expected = list(result(&case["result"]).unwrap());
    assert_eq!(expected.len(), 1);
    assert_eq!(from_bytes(&bytes(&case["input"])), Ok(owner_auth(&expected[0])));
}

pub(crate) fn owner_list(case: &Value) {
    check_fields(case, &["root_key_der", "owners", "result"], &[]);
    let owners: Vec<OwnerAuth> = list(&case["owners"]).iter().map(owner_auth).collect();
    let ours = validate_owners(&ed25519(&case["root_key_der"]), &owners);
    if case["result"] == "ok" {
        assert_eq!(ours, Ok(()));
    } else {
        assert_eq!(ours.unwrap_err().to_string(), text(fields(&case["result"], ["error"])[0]));
    }
}

pub(crate) fn user_data_encoding(case: &Value) {
    check_fields(case, &["length", "encoded_prefix", "encoded_length"], &[]);
    let content = ramp(number(&case["length"]) as usize);
    let data = UserData::new(content.clone()).unwrap();
    let encoded = to_bytes(&data);
    assert_eq!(encoded.len() as u64, number(&case["encoded_length"]));
    assert_eq!(encoded, [bytes(&case["encoded_prefix"]), content].concat());
    assert_eq!(from_bytes(&encoded), Ok(data));
}

pub(crate) fn user_data_read(case: &Value) {
    check_fields(case, &["input", "result"], &[]);
    let ours = from_bytes::<UserData>(&bytes(&case["input"]));
    match result(&case["result"]) {
        Ok(expected) => assert_eq!(ours.unwrap().as_bytes(), bytes(expected)),
        Err(error) => {
            assert_eq!(error, "not enough input");
            assert_eq!(ours.unwrap_err(), DecodeError::UnexpectedEnd);
        }
    }
}

/// The application's data: hex, or a ramp of which the digest is given.
fn user_data(value: &Value, ramp_length: &Value) -> UserData {
    let content = match optional(ramp_length, number) {
        Some(length) => ramp(length as usize),
        None => bytes(value),
    };
    assert_bytes(&content, value);
    UserData::new(content).unwrap()
}

fn contact_data(direct: &Value, owners: &Value, relays: &Value, user_data: UserData) -> UserContactData {
    UserContactData {
        direct: direct.as_bool().unwrap(),
        owners: List::new(list(owners).iter().map(owner_auth).collect()).unwrap(),
        relays: List::new(list(relays).iter().map(relay_link).collect()).unwrap(),
        user_data,
    }
}

fn relay_link(value: &Value) -> ContactShortLink {
    let [link, encoded] = fields(value, ["link", "encoded"]);
    let (_, ShortLink::Contact(link)) = short_link(link) else { panic!("not a contact link") };
    assert_eq!(hex::encode(to_bytes(&link)), text(encoded));
    link
}

pub(crate) fn link_data(case: &Value) {
    let names = [
        "root_key_pair",
        "user_data_signing_key_pair",
        "agent_version_range",
        "connection_request",
        "connection_request_str",
        "connection_request_encoded",
        "link_entity_id",
        "user_data_ramp_length",
        "user_link_data",
        "fixed_data",
        "fixed_data_signature",
        "signed_fixed_data",
        "link_key",
        "user_data",
        "user_data_signature",
        "signed_user_data",
        "link_id",
        "encryption_key",
        "fixed_padded_length",
        "user_padded_length",
    ];
    let sealed = ["fixed_nonce", "encrypted_fixed_data", "user_nonce", "encrypted_user_data", "decrypted"];
    check_fields(case, &names, &[&sealed[..], &["encrypt_error"]].concat());
    let (root, signer) = (key_pair(&case["root_key_pair"]), key_pair(&case["user_data_signing_key_pair"]));
    let fixed = fixed_data(case, &root);
    let user = user_link_data(case, &fixed.request);
    signed(&fixed, &root, [&case["fixed_data"], &case["fixed_data_signature"], &case["signed_fixed_data"]]);
    signed(&user, &signer, [&case["user_data"], &case["user_data_signature"], &case["signed_user_data"]]);

    let link_key = fixed.link_key();
    assert_eq!(link_key.as_bytes(), &array(&case["link_key"]));
    let key = match (&fixed.request, optional(&case["link_id"], bytes)) {
        (ConnectionRequest::Contact(_), Some(link_id)) => {
            let derived = link_key.contact_link();
            assert_eq!(derived.link_id.as_slice(), link_id);
            derived.key
        }
        (ConnectionRequest::Invitation(_), None) => link_key.invitation_key(),
        other => panic!("{other:?}"),
    };
    assert_eq!(key.as_bytes(), &array(&case["encryption_key"]));
    assert_eq!(FIXED_DATA_LENGTH as u64, number(&case["fixed_padded_length"]));
    assert_eq!(USER_DATA_LENGTH as u64, number(&case["user_padded_length"]));

    if let Some(error) = case.get("encrypt_error") {
        assert!(sealed.iter().all(|name| case.get(*name).is_none()));
        assert!(text(error).starts_with("CMD {cmdErr = LARGE, "));
        let mut nonce = Recorded(vec![0; 24]);
        assert_eq!(seal_user_data(&user, &signer, &key, &mut nonce), Err(LinkDataError::TooLarge));
        return;
    }
    let mut nonce = Recorded(bytes(&case["fixed_nonce"]));
    let sealed_fixed = seal_fixed_data(&fixed, &root, &key, &mut nonce).unwrap();
    assert_bytes(sealed_fixed.as_bytes(), &case["encrypted_fixed_data"]);
    let mut nonce = Recorded(bytes(&case["user_nonce"]));
    let sealed_user = seal_user_data(&user, &signer, &key, &mut nonce).unwrap();
    assert_bytes(sealed_user.as_bytes(), &case["encrypted_user_data"]);
    let opened = open_link_data(&link_key, &key, &LinkData { fixed: sealed_fixed, user: sealed_user });
    if let Ok(data) = &opened {
        let queue = &data.fixed.request.queues().first().address;
        let relay = ShortLinkRelay::from(&queue.relay);
        assert!(data.is_at(&relay, &queue.sender_id));
        assert!(!data.is_at(&relay, &SenderId::empty()));
        assert!(!data.is_at(&ShortLinkRelay::only_host("other.example".parse().unwrap()), &queue.sender_id));
    }
    match case["decrypted"].get("error") {
        Some(error) => {
            fields(&case["decrypted"], ["error"]);
            assert_eq!(reference_error(&opened.unwrap_err()), text(error));
        }
        None => assert_eq!(opened, Ok(decrypted(&case["decrypted"], &case["user_data_ramp_length"]))),
    }
}

fn fixed_data(case: &Value, root: &Ed25519PrivateKey) -> FixedLinkData {
    let (scheme, request) = connection_request(&case["connection_request"]);
    assert_eq!(request.to_uri(&scheme), text(&case["connection_request_str"]));
    assert_eq!(hex::encode(to_bytes(&request)), text(&case["connection_request_encoded"]));
    FixedLinkData {
        versions: range(&case["agent_version_range"]),
        root_key: root.public_key(),
        request,
        entity_id: entity_id(&case["link_entity_id"]),
    }
}

fn entity_id(value: &Value) -> Option<ShortString<'static>> {
    optional(value, |id| ShortString::new(bytes(id)).unwrap())
}

fn user_link_data(case: &Value, request: &ConnectionRequest) -> UserLinkData {
    let (value, versions) = (&case["user_link_data"], range(&case["agent_version_range"]));
    let ramp_length = &case["user_data_ramp_length"];
    match request {
        ConnectionRequest::Invitation(_) => {
            let user_data = user_data(fields(value, ["user_data"])[0], ramp_length);
            UserLinkData::Invitation { versions, user_data }
        }
        ConnectionRequest::Contact(_) => {
            let [direct, owners, relays, data] = fields(value, ["direct", "owners", "relays", "user_data"]);
            let contact = contact_data(direct, owners, relays, user_data(data, ramp_length));
            UserLinkData::Contact { versions, contact }
        }
    }
}

/// Encodes and signs, and compares all of it.
fn signed(data: &impl Encode, key: &Ed25519PrivateKey, [encoded, signature, signed]: [&Value; 3]) {
    let data = to_bytes(data);
    assert_bytes(&data, encoded);
    let made = key.sign(&data);
    assert_eq!(made, array(signature));
    assert_bytes(&[&[64], made.as_slice(), &data].concat(), signed);
}

fn decrypted(value: &Value, ramp_length: &Value) -> OpenedLinkData {
    let [fixed, user] = fields(value, ["fixed", "user"]);
    let names = ["agent_version_range", "root_key_der", "connection_request", "link_entity_id"];
    let [versions, root_key, request, entity] = fields(fixed, names);
    let fixed = FixedLinkData {
        versions: range(versions),
        root_key: ed25519(root_key),
        request: connection_request(request).1,
        entity_id: entity_id(entity),
    };
    let user = match text(&user["mode"]) {
        "invitation" => {
            let [_, versions, data] = fields(user, ["mode", "agent_version_range", "user_data"]);
            UserLinkData::Invitation { versions: range(versions), user_data: user_data(data, ramp_length) }
        }
        "contact" => {
            let names = ["mode", "agent_version_range", "direct", "owners", "relays", "user_data"];
            let [_, versions, direct, owners, relays, data] = fields(user, names);
            let contact = contact_data(direct, owners, relays, user_data(data, ramp_length));
            UserLinkData::Contact { versions: range(versions), contact }
        }
        other => panic!("unknown mode {other}"),
    };
    OpenedLinkData { fixed, user }
}

/// Our error as the reference shows it.
fn reference_error(error: &LinkDataError) -> String {
    match error {
        LinkDataError::Decrypt => "AGENT {agentErr = A_CRYPTO {cryptoErr = DECRYPT_CB}}".to_owned(),
        LinkDataError::Malformed => "AGENT {agentErr = A_MESSAGE}".to_owned(),
        error => format!("AGENT {{agentErr = A_LINK {{linkErr = \"{error}\"}}}}"),
    }
}

pub(crate) fn link_decrypt(case: &Value) {
    let names = [
        "link_key",
        "decryption_key",
        "encrypted_with_key",
        "signed_fixed_data",
        "fixed_nonce",
        "signed_user_data",
        "user_nonce",
        "change",
        "encrypted_fixed_data",
        "encrypted_user_data",
        "result",
    ];
    check_fields(case, &names, &[]);
    let key = SecretBoxKey::from_bytes(array(&case["encrypted_with_key"]));
    let seal = |data: &Value, nonce: &Value, padded_length| {
        let nonce = Nonce::from_bytes(array(nonce));
        let sealed = key.box_key().seal_padded(&nonce, &bytes(data), padded_length).unwrap();
        [nonce.as_bytes().as_slice(), &sealed].concat()
    };
    let mut fixed = seal(&case["signed_fixed_data"], &case["fixed_nonce"], FIXED_DATA_LENGTH);
    let mut user = seal(&case["signed_user_data"], &case["user_nonce"], USER_DATA_LENGTH);
    match text(&case["change"]) {
        "lowest bit of byte 100 of the encrypted fixed data flipped" => fixed[100] ^= 1,
        "lowest bit of byte 100 of the encrypted user data flipped" => user[100] ^= 1,
        "both encrypted parts are empty" => {
            fixed.clear();
            user.clear();
        }
        // The others are changes of what is encrypted.
        _ => {}
    }
    assert_bytes(&fixed, &case["encrypted_fixed_data"]);
    assert_bytes(&user, &case["encrypted_user_data"]);
    let link_key = LinkKey::from_bytes(array(&case["link_key"]));
    let key = SecretBoxKey::from_bytes(array(&case["decryption_key"]));
    let opened = open_link_data(&link_key, &key, &LinkData { fixed: large(fixed), user: large(user) });
    if case["result"] == "ok" {
        let data = opened.unwrap();
        let signed = bytes(&case["signed_fixed_data"]);
        assert_eq!(to_bytes(&data.fixed), signed[65..]);
        assert!(bytes(&case["signed_user_data"])[65..].starts_with(&to_bytes(&data.user)));
    } else {
        assert_eq!(reference_error(&opened.unwrap_err()), text(fields(&case["result"], ["error"])[0]));
    }
}

fn large(bytes: Vec<u8>) -> LargeString<'static> {
    LargeString::new(bytes).unwrap()
}
