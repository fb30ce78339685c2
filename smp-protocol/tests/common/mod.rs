//! Keys, commands, messages and errors as they stand in the vectors.

// Each test file uses a part of this.
#![allow(dead_code, unused_imports, unreachable_pub)]

pub mod commands;
pub mod errors;

use serde_json::Value;
use smp_crypto::{
    Ed448PrivateKey, Ed25519PrivateKey, PrivateAuthKey, PrivateSignatureKey, PublicAuthKey, X25519PrivateKey,
    X25519PublicKey,
};
use smp_protocol::encoding::{UnixSeconds, from_bytes};
use smp_protocol::id::{CorrelationId, EntityId, SessionId};
use smp_protocol::session::SessionParameters;
use smp_protocol::version::{SmpVersion, VersionRange};

pub use smp_vectors::{assert_bytes, bytes, cases, flag, integer as number, optional, ramp, run, text};

pub fn version(value: &Value) -> SmpVersion {
    SmpVersion(u16::try_from(number(value)).unwrap())
}

pub fn version_range(value: &Value) -> VersionRange<SmpVersion> {
    assert_eq!(value.as_array().unwrap().len(), 2);
    VersionRange::new(version(&value[0]), version(&value[1])).unwrap()
}

pub fn time(value: &Value) -> UnixSeconds {
    UnixSeconds(number(value))
}

pub fn id<T: for<'a> TryFrom<&'a [u8]>>(value: &Value) -> T {
    T::try_from(&bytes(value)).unwrap_or_else(|_| panic!("not an ID: {value}"))
}

pub fn session(case: &Value) -> SessionParameters {
    SessionParameters { version: version(&case["version"]), id: id::<SessionId>(&case["session_id"]) }
}

pub fn ids(case: &Value) -> (CorrelationId, EntityId) {
    (id(&case["corr_id"]), id(&case["entity_id"]))
}

/// A public key in DER.
pub fn dh_key<T: From<X25519PublicKey>>(value: &Value) -> T {
    X25519PublicKey::from_der(&bytes(value)).unwrap().into()
}

/// A public key with the name of its algorithm.
pub fn auth_key<T: From<PublicAuthKey>>(value: &Value) -> T {
    let key = PublicAuthKey::from_der(&bytes(&value["der"])).unwrap();
    assert_eq!(key.algorithm().to_string(), text(&value["algorithm"]));
    key.into()
}

/// A private key with its public one, which is checked.
pub fn private_key(value: &Value) -> PrivateAuthKey {
    let bytes = bytes(&value["private"]);
    let key = match text(&value["algorithm"]) {
        "Ed25519" => PrivateAuthKey::from(Ed25519PrivateKey::try_from(&*bytes).unwrap()),
        "Ed448" => PrivateAuthKey::from(Ed448PrivateKey::try_from(&*bytes).unwrap()),
        "X25519" => PrivateAuthKey::from(X25519PrivateKey::try_from(&*bytes).unwrap()),
        other => panic!("unknown algorithm {other}"),
    };
    let raw = match key.public_key() {
        PublicAuthKey::Ed25519(key) => key.as_bytes().to_vec(),
        PublicAuthKey::Ed448(key) => key.as_bytes().to_vec(),
        PublicAuthKey::X25519(key) => key.as_bytes().to_vec(),
    };
    assert_bytes(&raw, &value["public"]);
    if let Some(der) = value.get("public_der") {
        assert_bytes(&key.public_key().to_der(), der);
    }
    key
}

pub fn x25519(value: &Value) -> X25519PrivateKey {
    match private_key(value) {
        PrivateAuthKey::X25519(key) => key,
        other => panic!("not an X25519 key: {other:?}"),
    }
}

pub fn ed25519(value: &Value) -> Ed25519PrivateKey {
    match private_key(value) {
        PrivateAuthKey::Ed25519(key) => key,
        other => panic!("not an Ed25519 key: {other:?}"),
    }
}

pub fn signature_key(pkcs8: &Value) -> PrivateSignatureKey {
    PrivateSignatureKey::from_der(&bytes(pkcs8)).unwrap()
}

/// Reads bytes that must be refused unless `result` has a value, which is then returned with what was read.
pub fn read_result<'c, 'a, T: smp_protocol::encoding::Decode<'a>>(
    input: &'a [u8],
    result: &'c Value,
) -> Option<(T, &'c Value)> {
    match (from_bytes::<T>(input), result.get("ok")) {
        (Ok(value), Some(expected)) => Some((value, expected)),
        (Err(_), None) => {
            assert!(result["error"].is_string());
            None
        }
        (Ok(_), None) => panic!("accepted, but {result} is expected"),
        (Err(error), Some(_)) => panic!("refused: {error}, but {result} is expected"),
    }
}
