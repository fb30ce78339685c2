//! Reading the vectors: bytes, keys, commands and messages as they stand in the JSON files.

// Each test file uses a part of this.
#![allow(dead_code, unreachable_pub)]

pub mod commands;
pub mod errors;

use serde_json::Value;
use smp_crypto::hash::sha256;
use smp_crypto::{
    Ed448PrivateKey, Ed25519PrivateKey, PrivateAuthKey, PrivateSignatureKey, PublicAuthKey, X25519PrivateKey,
    X25519PublicKey,
};
use smp_protocol::encoding::{UnixSeconds, from_bytes};
use smp_protocol::id::{CorrelationId, EntityId, SessionId};
use smp_protocol::session::SessionParameters;
use smp_protocol::version::{SmpVersion, VersionRange};

/// The cases of a file.
///
/// The file must be as it was made: some fields cannot be compared with anything, as which versions were tried or the exact
/// bytes of what must be refused; they must not change unnoticed either.
pub fn cases(file: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors");
    let path = format!("{folder}/{file}");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = format!("{}  {file}", hex::encode(sha256(text.as_bytes())));
    let sums = std::fs::read_to_string(format!("{folder}/SHA256SUMS")).unwrap();
    assert!(sums.lines().any(|known| known == line), "{path} has changed");
    let mut vectors: Value = serde_json::from_str(&text).unwrap();
    let Value::Array(cases) = vectors["cases"].take() else { panic!("{path}: no cases") };
    assert!(!cases.is_empty());
    cases
}

/// Runs `check` for each case of a file and prints how many there were.
pub fn run(file: &str, mut check: impl FnMut(&str, &Value)) {
    let cases = cases(file);
    for case in &cases {
        check(text(&case["kind"]), case);
    }
    report(&format!("{file}: {} cases", cases.len()));
}

/// The bytes 00 01 .. fa 00 01 ..
pub fn ramp(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

/// An input: hexadecimal, or the digest of a ramp.
pub fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => hex::decode(text).unwrap(),
        Value::Object(digest) => {
            let bytes = ramp(digest["length"].as_u64().unwrap() as usize);
            assert_bytes(&bytes, value);
            bytes
        }
        other => panic!("not a byte string: {other}"),
    }
}

/// Compares with hexadecimal text or a digest, all of it.
#[track_caller]
pub fn assert_bytes(actual: &[u8], expected: &Value) {
    match expected {
        Value::String(text) => assert_eq!(hex::encode(actual), *text),
        Value::Object(digest) => {
            assert_eq!(actual.len() as u64, digest["length"].as_u64().unwrap());
            let edge = actual.len().min(64);
            assert_eq!(hex::encode(&actual[..edge]), digest["first64"].as_str().unwrap());
            assert_eq!(hex::encode(&actual[actual.len() - edge..]), digest["last64"].as_str().unwrap());
            assert_eq!(hex::encode(sha256(actual)), digest["sha256"].as_str().unwrap());
        }
        other => panic!("not a byte string: {other}"),
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a number: {value}"))
}

pub fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("not a flag: {value}"))
}

/// `None` for null.
pub fn optional<T>(value: &Value, read: impl FnOnce(&Value) -> T) -> Option<T> {
    (!value.is_null()).then(|| read(value))
}

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

/// Prints how much ran, also where the test harness captures what tests print.
fn report(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
